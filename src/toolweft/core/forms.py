"""Whether a filled-in form fits what was asked for: MCP's small subset of JSON Schema.

Forms are flat: every field is a text, a number, a boolean, a choice or a list of choices. Pure;
used before an answer goes to whoever asked.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Final, TypeGuard
from urllib.parse import urlsplit

from toolweft.core.json import Json, JsonObject

__all__ = ("find_form_faults",)

_MAX_SHOWN_CHARACTERS: Final = 60
# A server may offer a hundred thousand choices; nobody reads them in an error.
_MAX_SHOWN_CHOICES: Final = 10


def find_form_faults(content: JsonObject, schema: JsonObject) -> list[str]:
    """Every way in which an answer is not what the form asks for, each with its place.

    Args:
        content: the fields by name.
        schema: `requestedSchema` of `elicitation/create`; what it says beyond the subset is not
            looked at.
    """
    properties = schema.get("properties")
    fields = properties if isinstance(properties, dict) else {}
    required = schema.get("required")
    listed = required if isinstance(required, list) else []
    names = [name for name in listed if isinstance(name, str)]
    faults = [f"$.{name}: it is required, and missing" for name in names if name not in content]
    for name, value in content.items():
        field = fields.get(name)
        if isinstance(field, dict):
            faults += [f"$.{name}: {fault}" for fault in _find_faults(value, field)]
        elif name not in fields:
            faults.append(f"$.{name}: the form has no such field")
    return faults


def _find_faults(value: Json, field: JsonObject) -> Iterator[str]:
    kind = field.get("type")
    is_kind = _KINDS.get(kind) if isinstance(kind, str) else None
    if is_kind is not None and not is_kind(value):
        yield f"{_shown(value)} is no {kind}"
        return
    choices = _choices(field)
    if choices is not None and not any(_is_same(value, choice) for choice in choices):
        yield f"{_shown(value)} is none of {_listed(choices)}"
    if isinstance(value, str):
        yield from _find_text_faults(value, field)
    elif isinstance(value, list):
        yield from _find_list_faults(value, field)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield from _find_bound_faults(value, field, "minimum", "maximum")


def _find_text_faults(text: str, field: JsonObject) -> Iterator[str]:
    for fault in _find_bound_faults(len(text), field, "minLength", "maxLength"):
        yield f"its length {fault}"
    form = field.get("format")
    is_form = _FORMATS.get(form) if isinstance(form, str) else None
    if is_form is not None and not is_form(text):
        yield f"{_shown(text)} is no {form}"


def _find_list_faults(values: list[Json], field: JsonObject) -> Iterator[str]:
    for fault in _find_bound_faults(len(values), field, "minItems", "maxItems"):
        yield f"its length {fault}"
    items = field.get("items")
    if isinstance(items, dict):
        for position, item in enumerate(values):
            for fault in _find_faults(item, items):
                yield f"[{position}] {fault}"


def _find_bound_faults(
    value: float, field: JsonObject, least_key: str, most_key: str
) -> Iterator[str]:
    least, most = field.get(least_key), field.get(most_key)
    if _is_number(least) and value < least:
        yield f"{_shown(value)} is below {least_key} {_shown(least)}"
    if _is_number(most) and value > most:
        yield f"{_shown(value)} is above {most_key} {_shown(most)}"


def _choices(field: JsonObject) -> list[Json] | None:
    """What the value must be one of; None where anything of its type will do."""
    plain = field.get("enum")
    if isinstance(plain, list):
        return plain
    if "const" in field:
        return [field["const"]]
    for key in ("oneOf", "anyOf"):
        titled = field.get(key)
        if isinstance(titled, list):
            return [choice["const"] for choice in titled if _has_const(choice)]
    return None


def _has_const(choice: Json) -> bool:
    return isinstance(choice, dict) and "const" in choice


def _is_same(value: Json, choice: Json) -> bool:
    # 1 and true are equal to Python, and not the same JSON.
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)


def _is_number(value: Json) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Json) -> bool:
    # A whole number may be larger than any that floats have.
    if isinstance(value, int):
        return not isinstance(value, bool)
    return isinstance(value, float) and math.isfinite(value) and value == int(value)


def _is_email(text: str) -> bool:
    name, at, host = text.rpartition("@")
    return bool(name and at and host) and not any(c.isspace() for c in text)


def _is_uri(text: str) -> bool:
    try:
        return bool(urlsplit(text).scheme) and not any(c.isspace() for c in text)
    except ValueError:
        return False


def _is_date(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_date_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _listed(choices: list[Json]) -> str:
    more = len(choices) - _MAX_SHOWN_CHOICES
    shown = ", ".join(map(_shown, choices[:_MAX_SHOWN_CHOICES]))
    return f"{shown} and {more:,} more" if more > 0 else shown


def _shown(value: Json) -> str:
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN_CHARACTERS else f"{text[: _MAX_SHOWN_CHARACTERS - 1]}…"


_KINDS: Final[Mapping[str, Callable[[Json], bool]]] = {
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": _is_integer,
    "boolean": lambda value: isinstance(value, bool),
    "array": lambda value: isinstance(value, list),
}
_FORMATS: Final[Mapping[str, Callable[[str], bool]]] = {
    "email": _is_email,
    "uri": _is_uri,
    "date": _is_date,
    "date-time": _is_date_time,
}
