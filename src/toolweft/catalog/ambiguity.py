"""Where an input schema leaves a caller guessing, so that an example says more than the schema.

Pure. A guess from wording: it finds what people write in prose because a type has no place for it,
and can be wrong either way.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.core.references import follow_reference

__all__ = ("ITEM", "Ambiguity", "AmbiguityKind", "find_ambiguities", "resolve_schema")

AmbiguityKind = Literal["format", "choices", "object", "related"]

# The step into any element of an array.
ITEM = "[]"
_MAX_LEVELS = 4
# Of one tool; a hundred-parameter tool is not a hundred findings.
_MAX_FOUND = 12
_MAX_DESCRIPTION_CHARACTERS = 2_000

_FORMAT = re.compile(
    r"\b(?:YYYY|yyyy|HH:MM|ISO[ -]?\d{4}|RFC ?\d{3,4}|formatted (?:as|like)|in the form(?:at)?"
    r"|format (?:is|of)|comma[- ]separated|cron|glob|regexp?|regular expression|syntax|JSONPath"
    r"|XPath|JQL|SQL|e\.g\.|for example|such as)",
)
_CHOICES = re.compile(
    # Several in quotes; names with bars between; or bare words after a lead.
    r"(?:[\"'`][^\"'`\n]{1,40}[\"'`]\s*(?:,|\||/|or\b)\s*(?:or\b\s*)?)+[\"'`]"
    r"|(?<![\w|])\w{2,20}(?:\|\w{2,20})+(?![\w|])"
    r"|\b(?:one of|(?:allowed|possible|valid) values|options)\b:?\s*(?:are\b|is\b)?:?\s*"
    r"\w{1,20}(?:\s*(?:,|/)\s*(?:or\s+)?\w{1,20})+",
    re.IGNORECASE,
)
_CONDITION = re.compile(
    r"\b(?:only (?:used |valid |applies |allowed )?(?:if|when|with)|(?:required|ignored|needed) "
    r"(?:if|when|unless|with)|together with|mutually exclusive|in combination with|instead of"
    r"|must be (?:used|given|set) with|unless|overrides)\b",
    re.IGNORECASE,
)
_RELATING_KEYWORDS = ("dependentRequired", "dependentSchemas", "dependencies", "if")
# What already says which texts there may be.
_SETTLING = frozenset({"const", "enum", "format", "pattern"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguity:
    """One place of an input that its schema does not settle."""

    kind: AmbiguityKind
    # From the top of the input: ("filter", "since"), `ITEM` for an element; () for the whole.
    path: tuple[str, ...]
    reason: str


def find_ambiguities(schema: JsonSchema) -> tuple[Ambiguity, ...]:
    """The places, in the order of the schema, at most twelve."""
    found: list[Ambiguity] = []
    for ambiguity in _find(schema):
        found.append(ambiguity)
        if len(found) == _MAX_FOUND:
            break
    return tuple(found)


def _find(schema: JsonSchema) -> Iterator[Ambiguity]:
    relating = [key for key in _RELATING_KEYWORDS if schema.get(key)]
    if relating:
        reason = f"{relating[0]!r} makes parameters depend on each other"
        yield Ambiguity(kind="related", path=(), reason=reason)
    yield from _find_in(schema, root=schema, path=())


def _find_in(schema: JsonSchema, *, root: JsonSchema, path: tuple[str, ...]) -> Iterator[Ambiguity]:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or len(path) >= _MAX_LEVELS:
        return
    required = schema.get("required")
    needed = required if isinstance(required, list) else []
    for name, raw in properties.items():
        part = resolve_schema(raw, root)
        here = (*path, name)
        found = _judge(part, raw, name, properties, is_required=name in needed)
        if found is not None:
            yield Ambiguity(kind=found[0], path=here, reason=found[1])
        below, step = _below(part, root)
        yield from _find_in(below, root=root, path=(*here, *step))


def _judge(
    part: JsonSchema, raw: Json, name: str, siblings: JsonObject, *, is_required: bool
) -> tuple[AmbiguityKind, str] | None:
    """Why one property leaves its caller guessing; the first reason is enough."""
    said = _description(raw) or _description(part)
    if _is_open_text(part):
        if match := _CHOICES.search(said):
            return "choices", f"its values stand in prose alone: {_quote(match)}"
        if match := _FORMAT.search(said):
            return "format", f"its format stands in prose alone: {_quote(match)}"
    if match := _CONDITION.search(said):
        others = [other for other in siblings if other != name and _names(said, other)]
        if others:
            return "related", f"it depends on {others[0]!r}: {_quote(match)}"
    if _holds_objects(part):
        if "properties" not in part and part.get("type") == "object":
            return "object", "its schema does not say what it holds"
        if not is_required:
            return "object", "its schema does not say when it is worth giving"
    return None


def _is_open_text(part: JsonSchema) -> bool:
    kind = part.get("type")
    is_text = kind == "string" or (isinstance(kind, list) and "string" in kind)
    if kind == "array" and isinstance(part.get("items"), dict):
        return _is_open_text(part["items"])
    return is_text and _SETTLING.isdisjoint(part)


def _holds_objects(part: JsonSchema) -> bool:
    if part.get("type") == "array":
        items = part.get("items")
        return isinstance(items, dict) and ("properties" in items or items.get("type") == "object")
    return part.get("type") == "object" or "properties" in part


def _below(part: JsonSchema, root: JsonSchema) -> tuple[JsonSchema, tuple[str, ...]]:
    """Where further properties may stand, and the step there."""
    if "properties" in part:
        return part, ()
    items = resolve_schema(part.get("items"), root)
    return items, (ITEM,)


def resolve_schema(raw: Json, root: JsonSchema) -> JsonSchema:
    """The schema itself: behind its reference, and without the null of an optional value."""
    part = raw
    for _ in range(_MAX_LEVELS):
        if not isinstance(part, dict):
            return {}
        if "$ref" in part:
            part = follow_reference(part["$ref"], root)
            continue
        forms = part.get("anyOf") or part.get("oneOf")
        real = [
            form
            for form in (forms if isinstance(forms, list) else ())
            if isinstance(form, dict) and form.get("type") != "null"
        ]
        if len(real) != 1:
            return part
        part = real[0]
    return part if isinstance(part, dict) else {}


def _description(part: Json) -> str:
    said = part.get("description") if isinstance(part, dict) else None
    return said[:_MAX_DESCRIPTION_CHARACTERS] if isinstance(said, str) else ""


def _names(said: str, name: str) -> bool:
    """Whether a description names a parameter; a short word may be only a word, so in quotes."""
    if "_" in name or not name.islower() or len(name) > 12:
        return re.search(rf"\b{re.escape(name)}\b", said) is not None
    return any(f"{quote}{name}{quote}" in said for quote in "`'\"")


def _quote(match: re.Match[str]) -> str:
    text = " ".join(match.string[match.start() : match.end() + 40].split())
    return repr(text if len(text) <= 60 else f"{text[:59]}…")
