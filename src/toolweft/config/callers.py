"""Who may call a tool, as files write it: in the project's words or in a vendor's. Pure."""

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, WithJsonSchema

from toolweft.core.caller_names import CALLER_PATTERN, parse_callers
from toolweft.core.calls import CallerType
from toolweft.core.errors import InvalidValue

__all__ = ("Callers",)


def _parse(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    try:
        return parse_callers(value, place="it")
    except InvalidValue as exc:
        raise ValueError(f"{exc.message}; {exc.hint}") from exc


Callers: TypeAlias = Annotated[
    frozenset[CallerType],
    BeforeValidator(_parse),
    WithJsonSchema(
        {
            "type": "array",
            "uniqueItems": True,
            "items": {"type": "string", "pattern": CALLER_PATTERN},
        }
    ),
]
