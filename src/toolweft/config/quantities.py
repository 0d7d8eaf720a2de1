"""What the models of `toolweft.toml` are made of: a strict section, and quantities with units."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from toolweft.config.units import parse_bytes, parse_seconds

__all__ = (
    "Bytes",
    "Count",
    "CountOrZero",
    "Name",
    "Seconds",
    "SecondsOrZero",
    "Section",
    "Texts",
    "not_bool",
)


def not_bool(value: Any) -> Any:
    """The value, unless it is true or false."""
    if isinstance(value, bool):
        raise ValueError("a number is needed, not true or false")  # noqa: TRY004 - for pydantic
    return value


def _split_text(value: Any) -> Any:
    # A variable or a flag gives one text; files may write a list as well.
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


_QUANTITY_SCHEMA: dict[str, Any] = {"type": ["number", "string"]}
Bytes = Annotated[
    int, BeforeValidator(parse_bytes), Field(gt=0, json_schema_extra=_QUANTITY_SCHEMA)
]
Seconds = Annotated[
    float, BeforeValidator(parse_seconds), Field(gt=0, json_schema_extra=_QUANTITY_SCHEMA)
]
# Where nothing at all is a sensible choice: "do not wait".
SecondsOrZero = Annotated[
    float, BeforeValidator(parse_seconds), Field(ge=0, json_schema_extra=_QUANTITY_SCHEMA)
]
Count = Annotated[int, BeforeValidator(not_bool), Field(ge=1)]
CountOrZero = Annotated[int, BeforeValidator(not_bool), Field(ge=0)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_split_text)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class Section(BaseModel):
    """A table in which every key is known."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
