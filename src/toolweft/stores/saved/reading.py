"""A saved program's `tool.json` as the program it tells of, every field checked. Pure.

People read and change these files: what does not fit is told by its name and its value.
"""

from collections.abc import Callable
from datetime import datetime
from math import isfinite
from typing import Final, TypeAlias

from toolweft.core.ids import QualifiedName, RunId
from toolweft.core.json import Json, JsonObject
from toolweft.core.saved import SavedParameter, SavedProgram
from toolweft.core.tools import SEVERITIES

__all__ = ("TOOL_FILE", "read_program")

TOOL_FILE: Final = "tool.json"

# Whether a value fits, and what would.
_Check: TypeAlias = tuple[Callable[[Json], bool], str]


def _is_text(value: Json) -> bool:
    return isinstance(value, str)


def _is_list_of_texts(value: Json) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_time_s(value: Json) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and isfinite(value) and value > 0


def _is_moment(value: Json) -> bool:
    try:
        return datetime.fromisoformat(value).tzinfo is not None
    except (TypeError, ValueError):
        return False


_FIELDS: Final[dict[str, _Check]] = {
    "description": (_is_text, "a text"),
    "parameters": (lambda value: isinstance(value, list), "a list of parameters"),
    "output_schema": (lambda value: isinstance(value, dict | bool), "a JSON Schema"),
    "returns": (lambda value: value in ("value", "text"), '"value" or "text"'),
    "severity": (lambda value: value in SEVERITIES, f"one of {', '.join(SEVERITIES)}"),
    "needs": (_is_list_of_texts, "a list of names of tools"),
    "environment": (lambda value: value is None or _is_text(value), "a name, or null"),
    "timeout_s": (_is_time_s, "seconds above 0"),
    "run_id": (_is_text, "a text"),
    "saved_at": (_is_moment, "a time with its zone"),
}
_PARAMETER_FIELDS: Final[dict[str, _Check]] = {
    "name": (lambda value: _is_text(value) and value.isidentifier(), "a name that Python takes"),
    "constant": (_is_text, "a text"),
    "default": (lambda _: True, "a value"),
    "schema": (lambda value: isinstance(value, dict), "a JSON Schema"),
    "description": (_is_text, "a text"),
}


def read_program(fields: Json, code: str, *, name: str, version: int) -> SavedProgram:
    """The program; `fields` is what the file holds.

    Raises:
        TypeError: it, or a parameter, is no object.
        ValueError: a field is missing or does not fit; the message has file, field and value.
    """
    if not isinstance(fields, dict):
        raise TypeError(f"{TOOL_FILE} is {fields!r:.40}, not an object")
    _check(fields, _FIELDS)
    return SavedProgram(
        name=name,
        version=version,
        description=fields["description"],
        code=code,
        parameters=tuple(
            _read_parameter(item, f"parameters[{number}]")
            for number, item in enumerate(fields["parameters"])
        ),
        output_schema=fields["output_schema"],
        returns=fields["returns"],
        severity=fields["severity"],
        needs=tuple(map(QualifiedName, fields["needs"])),
        environment=fields["environment"],
        timeout_s=float(fields["timeout_s"]),
        run_id=RunId(fields["run_id"]),
        saved_at=datetime.fromisoformat(fields["saved_at"]),
    )


def _read_parameter(item: Json, place: str) -> SavedParameter:
    if not isinstance(item, dict):
        raise TypeError(f"{TOOL_FILE}: {place} is {item!r:.40}, not an object")
    _check(item, _PARAMETER_FIELDS, place=f"{place}.")
    return SavedParameter(**item)


def _check(fields: JsonObject, checks: dict[str, _Check], *, place: str = "") -> None:
    for key, (fits, wanted) in checks.items():
        if key not in fields:
            raise ValueError(f"{TOOL_FILE}: {place}{key} is missing; it has to be {wanted}")
        if not fits(fields[key]):
            raise ValueError(f"{TOOL_FILE}: {place}{key} is {fields[key]!r:.40}, not {wanted}")
