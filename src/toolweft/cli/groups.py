"""Groups of options: a frozen dataclass whose fields are options of a command.

`with_groups` adds the fields to the command's own parameters and hands it the filled dataclasses,
so that a command with many options stays readable.
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from typing import Any, get_type_hints

from toolweft.cli.options import Common

__all__ = ("with_groups",)


def with_groups(command: Callable[..., None]) -> Callable[..., None]:
    """A command whose dataclass parameters are taken apart into options.

    Args:
        command: each parameter annotated with a dataclass, `Common` apart, receives one. Every
            field of it is annotated with its `typer.Option` and has a default.
    """
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, type[Any]] = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if isinstance(parameter.annotation, type)
        and is_dataclass(parameter.annotation)
        and parameter.annotation is not Common
    }

    @wraps(command)
    def callback(*positional: Any, **values: Any) -> None:
        filled = {
            name: group(**{field.name: values.pop(field.name) for field in fields(group)})
            for name, group in groups.items()
        }
        command(*positional, **values, **filled)

    own = [p for name, p in signature.parameters.items() if name not in groups]
    added = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=get_type_hints(group, include_extras=True)[field.name],
        )
        for group in groups.values()
        for field in fields(group)
    ]
    callback.__signature__ = signature.replace(  # type: ignore[attr-defined]  # read by inspect
        parameters=[*own, *added]
    )
    return callback


def _default(field: Field[Any]) -> Any:
    assert field.default is not MISSING
    return field.default
