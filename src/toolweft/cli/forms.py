"""The fields of a form, as a person reads and fills them in at a terminal. Pure.

A form is what MCP's `elicitation/create` asks for: flat, each field a text, a number, a boolean, a
choice or a list of choices. Its words are a stranger's.
"""

import math
from collections.abc import Mapping
from typing import Final

from toolweft.core.forms import find_form_faults
from toolweft.core.json import Json, JsonObject

__all__ = (
    "NOTHING",
    "Nothing",
    "describe_field",
    "form_fields",
    "in_one_line",
    "is_required",
    "parse_field",
)

_YES: Final = frozenset({"y", "yes", "true"})
_NO: Final = frozenset({"n", "no", "false"})
# What a stranger writes fills no screen.
_MAX_CHARACTERS: Final = 500
_MAX_CHOICES: Final = 40


class Nothing:
    """A field that was left out."""


NOTHING: Final = Nothing()


def form_fields(schema: Json) -> Mapping[str, JsonObject]:
    """The fields by name, in the order of the form."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return {}
    return {name: field for name, field in properties.items() if isinstance(field, dict)}


def is_required(name: str, schema: Json) -> bool:
    """Whether a field has to be filled in."""
    required = schema.get("required") if isinstance(schema, dict) else None
    return isinstance(required, list) and name in required


def describe_field(name: str, field: JsonObject, *, is_required: bool) -> str:
    """What is to be entered, in one line: "Size (of the shirt) [S, M, L; M unless you say]"."""
    title = in_one_line(field.get("title") or name)
    about = f" ({in_one_line(field['description'])})" if field.get("description") else ""
    choices = _choices(field)
    shown = [_shown_choice(*choice) for choice in choices[:_MAX_CHOICES]]
    more = len(choices) - len(shown)
    kind = ", ".join([*shown, *([f"{more:,} more"] if more else [])]) or _kind(field)
    if field.get("type") == "array":
        kind = f"{kind}; several with commas"
    default = _default(name, field)
    if default is not NOTHING:
        kind = f"{kind}; {_shown(default)} unless you say"
    elif not is_required:
        kind = f"{kind}; may be left empty"
    return f"{title}{about} [{kind}]"


def in_one_line(value: Json) -> str:
    """A stranger's text, of which no part stands on a line of its own."""
    text = " ".join(str(value).split())
    return text if len(text) <= _MAX_CHARACTERS else f"{text[: _MAX_CHARACTERS - 1]}…"


def parse_field(text: str, name: str, *, schema: JsonObject) -> Json | Nothing:
    """The value that somebody entered; nothing where the field is left out.

    Args:
        text: the line.
        name: of the field.
        schema: of the whole form.

    Raises:
        ValueError: it does not fit; the text says why, for whoever entered it.
    """
    field = form_fields(schema)[name]
    text = text.strip()
    if not text:
        default = _default(name, field)
        if default is not NOTHING:
            return default
        if not is_required(name, schema):
            return NOTHING
        if field.get("type") != "string":
            raise ValueError("something has to be entered here")
    value = _parse(text, field)
    faults = _find_faults(name, value, field)
    if faults:
        raise ValueError("; ".join(fault.removeprefix(f"$.{name}: ") for fault in faults))
    return value


def _find_faults(name: str, value: Json, field: JsonObject) -> list[str]:
    return find_form_faults({name: value}, {"properties": {name: field}})


def _default(name: str, field: JsonObject) -> Json | Nothing:
    """What is taken where nothing is entered; nothing where the form itself would refuse it."""
    if "default" not in field or _find_faults(name, field["default"], field):
        return NOTHING
    return field["default"]


def _parse(text: str, field: JsonObject) -> Json:
    match field.get("type"):
        case "boolean":
            if text.lower() in _YES | _NO:
                return text.lower() in _YES
            raise ValueError("enter y or n")
        case "integer":
            return _parse_integer(text)
        case "number":
            return _parse_number(text)
        case "array":
            items = field.get("items")
            of = items if isinstance(items, dict) else {}
            return [_choose(part.strip(), of) for part in text.split(",") if part.strip()]
        case _:
            return _choose(text, field)


def _parse_integer(text: str) -> int:
    try:
        return int(text)
    except ValueError as exc:
        raise ValueError("enter a whole number") from exc


def _parse_number(text: str) -> float:
    try:
        number = float(text)
    except ValueError as exc:
        raise ValueError("enter a number") from exc
    if not math.isfinite(number):
        raise ValueError("enter a number")
    return number


def _choose(text: str, field: JsonObject) -> Json:
    """A choice by its value or, where none has that, by its title."""
    choices = _choices(field)
    by_value = (value for value, _ in choices if value == text)
    by_title = (value for value, title in choices if title == text)
    return next(by_value, next(by_title, text))


def _choices(field: JsonObject) -> list[tuple[Json, str]]:
    items = field.get("items")
    if isinstance(items, dict):
        return _choices(items)
    for key in ("oneOf", "anyOf"):
        titled = field.get(key)
        if isinstance(titled, list):
            return [
                (choice["const"], str(choice.get("title", choice["const"])))
                for choice in titled
                if isinstance(choice, dict) and "const" in choice
            ]
    plain, names = field.get("enum"), field.get("enumNames")
    if not isinstance(plain, list):
        return []
    titles = names if isinstance(names, list) and len(names) == len(plain) else plain
    return [(value, str(title)) for value, title in zip(plain, titles, strict=True)]


def _shown_choice(value: Json, title: str) -> str:
    return in_one_line(title if str(value) == title else f"{value} = {title}")


def _kind(field: JsonObject) -> str:
    kind = in_one_line(field.get("format") or field.get("type") or "text")
    return {"string": "text", "boolean": "y/n", "integer": "whole number"}.get(kind, kind)


def _shown(value: Json) -> str:
    if isinstance(value, bool):
        return "y" if value else "n"
    return in_one_line(", ".join(map(str, value)) if isinstance(value, list) else value)
