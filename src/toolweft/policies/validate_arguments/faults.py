"""Says what is wrong with arguments, in words a model can act on.

Pure: reads a validator's findings, adds the place and the nearest known names.
"""

import re
import reprlib
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from itertools import islice

import jsonschema_rs

from toolweft.core.json import Json, JsonSchema

__all__ = ("MASK", "list_faults", "render_path")

# What the validator writes in place of a value, so that its sentences stay short.
MASK = "{value}"

_MAX_REASON_CHARACTERS = 240
_MAX_NAME_CHARACTERS = 80
# Names compared when looking for near ones.
_MAX_CANDIDATES = 500
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlong = 30
_SHORT.maxdict = _SHORT.maxlist = 3
_SHORT.maxlevel = 2


def list_faults(
    validator: jsonschema_rs.Validator, arguments: Json, *, schema: JsonSchema, limit: int
) -> list[str]:
    """Every fault as `PLACE: what is wrong`, at most `limit`, then how many more there are.

    Args:
        validator: compiled from `schema`.
        arguments: bounded JSON that the validator refused; any value does.
        schema: where the known names stand.
        limit: >= 1.
    """
    errors = list(islice(validator.iter_errors(arguments), limit + 1))
    faults = [_describe(error, schema) for error in errors[:limit]]
    if len(errors) > limit:
        faults.append("and more")
    return faults


def render_path(path: Sequence[str | int]) -> str:
    """A place in the arguments: `$.items[2].city`."""
    return "$" + "".join(_step(step) for step in path)


def _step(step: str | int) -> str:
    if isinstance(step, str) and _IDENTIFIER.match(step):
        return f".{step[:_MAX_NAME_CHARACTERS]}"
    return f"[{_SHORT.repr(step)}]"


def _describe(error: jsonschema_rs.ValidationError, schema: JsonSchema) -> str:
    place = render_path(error.instance_path)
    instance: Json = error.instance
    kind = error.kind
    if isinstance(
        kind,
        jsonschema_rs.ValidationErrorKind.AdditionalProperties
        | jsonschema_rs.ValidationErrorKind.UnevaluatedProperties,
    ):
        known = _names_at(schema, error.schema_path[:-1])
        return f"{place}: {_describe_unknown(kind.unexpected, known)}"
    if isinstance(kind, jsonschema_rs.ValidationErrorKind.Required):
        known = _names_at(schema, error.schema_path[:-1])
        return f"{place}: {_describe_missing(kind.property, instance, known)}"
    return f"{place}: {_SHORT.repr(instance)} {_reason(error)}"


def _reason(error: jsonschema_rs.ValidationError) -> str:
    """The validator's sentence without the value it begins with."""
    kind = error.kind
    if isinstance(
        kind,
        jsonschema_rs.ValidationErrorKind.AnyOf | jsonschema_rs.ValidationErrorKind.OneOfNotValid,
    ):
        branches = [_cut(_reason(branch[0]), 80) for branch in kind.context if branch]
        return _cut("fits none of the forms: " + ", or ".join(dict.fromkeys(branches)))
    return _cut(error.message.removeprefix(f"{MASK} ").replace(MASK, "it"))


def _describe_unknown(unexpected: Iterable[str], known: Sequence[str]) -> str:
    parts = []
    for name in islice(unexpected, 5):
        near = get_close_matches(name[:_MAX_NAME_CHARACTERS], known, 1)
        parts.append(
            f"{_SHORT.repr(name)} is unknown" + (f", did you mean {near[0]!r}?" if near else "")
        )
    if known and not any("did you mean" in part for part in parts):
        parts.append(_cut(f"known are {', '.join(map(repr, known))}"))
    return ", ".join(parts)


def _describe_missing(name: str, instance: Json, known: Sequence[str]) -> str:
    fault = f"{name!r} is missing"
    if not isinstance(instance, dict):
        return fault
    others = [key for key in islice(instance, _MAX_CANDIDATES) if key not in known]
    near = get_close_matches(name, [key[:_MAX_NAME_CHARACTERS] for key in others], 1)
    return f"{fault}; is {near[0]!r} meant for it?" if near else fault


def _names_at(schema: JsonSchema, path: Sequence[str | int]) -> list[str]:
    """The properties known to the part of a schema at `path`."""
    part: Json = schema
    for step in path:
        if isinstance(part, dict):
            part = part.get(step)
        elif isinstance(part, list) and isinstance(step, int) and step < len(part):
            part = part[step]
        else:
            return []
    properties = part.get("properties") if isinstance(part, dict) else None
    return list(islice(properties, _MAX_CANDIDATES)) if isinstance(properties, dict) else []


def _cut(text: str, limit: int = _MAX_REASON_CHARACTERS) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"
