"""Says what is wrong with a value that a schema refused, in words a model can act on.

Pure: reads a validator's findings, adds the place and the nearest known names. Knows the validator
by its shape alone; used where arguments are checked, and where examples are.
"""

import re
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice
from typing import Any, Protocol

from toolweft.core.json import Json, JsonSchema

__all__ = (
    "MASK",
    "SchemaFinding",
    "SchemaValidator",
    "describe_faults",
    "list_faults",
    "render_path",
)

# What the validator writes in place of a value, so that its sentences stay short.
MASK = "{value}"

_MAX_REASON_CHARACTERS = 240
_MAX_NAME_CHARACTERS = 80
# Names compared when looking for near ones.
_MAX_CANDIDATES = 500
_CHOICES = frozenset({"anyOf", "oneOf"})
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlong = 30
_SHORT.maxdict = _SHORT.maxlist = 3
_SHORT.maxlevel = 2


class SchemaFinding(Protocol):
    """One finding of the validator, as `jsonschema_rs` spells it."""

    @property
    def message(self) -> str:
        """A sentence, with `MASK` for the value."""

    @property
    def instance(self) -> Any:
        """The value found wrong."""

    @property
    def instance_path(self) -> Sequence[str | int]:
        """Where it stands."""

    @property
    def schema_path(self) -> Sequence[str | int]:
        """The keyword that refused it."""

    @property
    def kind(self) -> Any:
        """Its `name` is the keyword; further fields depend on that."""


class SchemaValidator(Protocol):
    """A compiled schema."""

    def is_valid(self, instance: Any) -> bool:
        """Whether nothing is wrong with a value."""

    def iter_errors(self, instance: Any) -> Iterable[SchemaFinding]:
        """All that is wrong with a value."""


def list_faults(
    validator: SchemaValidator, arguments: Json, *, schema: JsonSchema, limit: int
) -> list[str]:
    """Every fault as `PLACE: what is wrong`, at most `limit`, then how many more there are.

    Args:
        validator: compiled from `schema`.
        arguments: bounded JSON that the validator refused; any value does.
        schema: where the known names stand.
        limit: >= 1.
    """
    found = list(islice(describe_faults(validator, arguments, schema=schema), limit + 1))
    faults = [f"{place}: {reason}" for place, reason in found[:limit]]
    if len(found) > limit:
        faults.append("and more")
    return faults


def describe_faults(
    validator: SchemaValidator, value: Json, *, schema: JsonSchema
) -> Iterator[tuple[str, str]]:
    """Every fault of a value as its place, `$.items[2].city`, and what is wrong there."""
    for error in validator.iter_errors(value):
        yield render_path(error.instance_path), _describe(error, schema)


def render_path(path: Sequence[str | int]) -> str:
    """A place in the arguments: `$.items[2].city`."""
    return "$" + "".join(_step(step) for step in path)


def _step(step: str | int) -> str:
    if isinstance(step, str) and _IDENTIFIER.match(step):
        return f".{step[:_MAX_NAME_CHARACTERS]}"
    return f"[{_SHORT.repr(step)}]"


def _describe(error: SchemaFinding, schema: JsonSchema) -> str:
    kind = error.kind
    if kind.name in {"additionalProperties", "unevaluatedProperties"}:
        known = _names_at(schema, error.schema_path[:-1])
        return _describe_unknown(kind.unexpected, known)
    if kind.name == "required":
        known = _names_at(schema, error.schema_path[:-1])
        return _describe_missing(kind.property, error.instance, known)
    return f"{_SHORT.repr(error.instance)} {_reason(error)}"


def _reason(error: SchemaFinding) -> str:
    """The validator's sentence without the value it begins with."""
    context = error.kind.context if error.kind.name in _CHOICES else ()
    # What fits several forms of `oneOf` has branches without a finding.
    if context and all(context):
        branches = [_cut(_reason(branch[0]), 80) for branch in context]
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
