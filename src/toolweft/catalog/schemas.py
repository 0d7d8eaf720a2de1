"""Which JSON Schemas of a tool can be used: bounded, self-contained, and valid.

A schema is written by whoever wrote the server, so nothing in it may make the host read a file,
open a connection or work for long. Knows nothing of tools; called by `catalog.preparation`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn
from urllib.parse import unquote

from toolweft.core.errors import InvalidDefinition
from toolweft.core.json import Json, JsonObject, JsonSchema
from toolweft.core.schema_faults import MASK, SchemaValidator

__all__ = (
    "MAX_SCHEMA_BYTES",
    "MAX_SCHEMA_DEPTH",
    "MAX_SCHEMA_EXPANSIONS",
    "build_value_validator",
    "check_input_schema",
    "check_schema_bounds",
    "check_schema_meaning",
    "drop_unknown_dialect",
)

# Far above the largest real schema seen (15 kB, 14 levels).
MAX_SCHEMA_BYTES = 1024 * 1024
# The validator gives up between 120 and 200.
MAX_SCHEMA_DEPTH = 100
# Subschemas met when every reference is written out once; more is a bomb.
MAX_SCHEMA_EXPANSIONS = 20_000
# Steps of one pattern on one value: both are the source's.
_MAX_BACKTRACKING = 100_000

_KNOWN_DIALECT = re.compile(
    r"http://json-schema\.org/draft-0[467]/schema#?\Z"
    r"|https://json-schema\.org/draft/20(19-09|20-12)/schema#?\Z"
)
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
_ANCHORS = ("$anchor", "$dynamicAnchor")
_ONE = frozenset(
    {
        "additionalItems",
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_LISTS = frozenset({"allOf", "anyOf", "items", "oneOf", "prefixItems"})
_DEFINITIONS = frozenset({"$defs", "definitions"})
_MAPS = _DEFINITIONS | {"dependencies", "dependentSchemas", "patternProperties", "properties"}


def check_input_schema(schema: Json, *, place: str) -> JsonSchema:
    """The schema with type "object" at its top and a dialect the validator knows.

    A missing or empty schema means a tool without parameters.

    Raises:
        InvalidDefinition: it describes something else than an object.
    """
    if schema is None or schema == {}:
        return {"type": "object"}
    if not isinstance(schema, dict):
        raise InvalidDefinition(f"{place} is {schema!r:.80}, not an object")
    declared = schema.get("type", "object")
    if declared != "object" and not (isinstance(declared, list) and "object" in declared):
        raise InvalidDefinition(f"{place} has type {declared!r:.80}, not 'object'")
    if schema.get("type") == "object":
        return drop_unknown_dialect(schema)
    return drop_unknown_dialect({**schema, "type": "object"})


def check_schema_bounds(schema: JsonSchema, *, place: str) -> JsonSchema:
    """The schema with a dialect the validator knows, once its shape is proven harmless.

    Afterwards recursing over it is safe, and every reference in it leads to a place inside it.

    Raises:
        InvalidDefinition: too deep, too large when written out, or a reference that leaves it.
    """
    if not isinstance(schema, dict):
        raise InvalidDefinition(f"{place} is {schema!r:.80}, not an object")
    walk = _walk(schema, place=place)
    if walk.has_references:
        _Expansion(schema, walk.anchors, place).check()
    return drop_unknown_dialect(schema)


def check_schema_meaning(schema: JsonSchema, *, place: str) -> SchemaValidator:
    """The validator of a schema whose bounds are checked.

    Raises:
        InvalidDefinition: it is no valid schema; the message quotes the validator.
    """
    # Imported at the first schema that nothing is known of: most starts have none.
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(schema, retriever=_refuse)
    except (ValueError, jsonschema_rs.ReferencingError) as error:
        reason = str(error).split("\n", 1)[0]
        raise InvalidDefinition(f"{place} is not a JSON Schema: {reason:.200}") from error


def build_value_validator(schema: JsonSchema) -> SchemaValidator:
    """The validator of values for a schema whose meaning is checked, as calls are validated."""
    import jsonschema_rs

    return jsonschema_rs.validator_for(
        schema,
        retriever=_refuse,
        validate_formats=False,
        mask=MASK,
        pattern_options=jsonschema_rs.FancyRegexOptions(backtrack_limit=_MAX_BACKTRACKING),
    )


def drop_unknown_dialect(schema: JsonSchema) -> JsonSchema:
    """The schema; without its dialect where the validator does not know that one."""
    dialect = schema.get("$schema")
    if dialect is None or (isinstance(dialect, str) and _KNOWN_DIALECT.match(dialect)):
        return schema
    return {key: value for key, value in schema.items() if key != "$schema"}


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"references outside the schema are not followed: {uri!r:.200}")


@dataclass(slots=True)
class _Walk:
    """What one pass over the plain JSON found."""

    has_references: bool = False
    anchors: dict[str, JsonObject] = field(default_factory=dict)


def _walk(schema: JsonSchema, *, place: str) -> _Walk:
    found = _Walk()
    pending: list[tuple[Any, int]] = [(schema, 1)]
    nodes = 0
    while pending:
        value, depth = pending.pop()
        nodes += 1 + len(value)
        if depth > MAX_SCHEMA_DEPTH:
            raise InvalidDefinition(f"{place} is nested deeper than {MAX_SCHEMA_DEPTH} levels")
        # A value costs a byte at least, a list or object two; this also ends the walk over values
        # that hold themselves.
        if nodes > MAX_SCHEMA_BYTES:
            raise InvalidDefinition(f"{place} is larger than {MAX_SCHEMA_BYTES} bytes")
        if isinstance(value, dict):
            _note_keys(value, found, place=place)
            pending.extend((v, depth + 1) for v in value.values() if isinstance(v, dict | list))
        else:
            pending.extend((v, depth + 1) for v in value if isinstance(v, dict | list))
    return found


def _note_keys(value: JsonObject, found: _Walk, *, place: str) -> None:
    for key in value:
        if not isinstance(key, str):
            raise InvalidDefinition(f"{place} has the key {key!r:.80}, which is no string")
        if key[:1] != "$":
            continue
        named = value[key]
        if key in _REFERENCES:
            found.has_references = found.has_references or isinstance(named, str)
        elif isinstance(named, str):
            if key in _ANCHORS:
                found.anchors.setdefault(named, value)
            elif key == "$id" and named.startswith("#"):
                found.anchors.setdefault(named[1:], value)


class _Expansion:
    """Counts what a schema with references becomes when each is written out.

    Cycles are cut where they close: the validator cuts them too.
    """

    def __init__(self, root: JsonSchema, anchors: dict[str, JsonObject], place: str) -> None:
        self._root = root
        self._anchors = anchors
        self._place = place
        # id(subschema) -> (subschemas when written out, levels below it)
        self._known: dict[int, tuple[int, int]] = {}
        self._open: set[int] = set()

    def check(self) -> None:
        self._measure(self._root, 1)

    def _measure(self, schema: Json, depth: int) -> tuple[int, int]:
        if not isinstance(schema, dict):
            return 1, 1
        identity = id(schema)
        count, levels = self._known.get(identity, (1, 1))
        if depth + levels > 2 * MAX_SCHEMA_DEPTH:
            raise InvalidDefinition(
                f"{self._place} is nested deeper than {2 * MAX_SCHEMA_DEPTH} levels "
                "when its references are followed"
            )
        if identity in self._known or identity in self._open:
            return count, levels
        self._check_identity(schema)
        self._open.add(identity)
        for child, counts in self._children(schema):
            child_count, child_levels = self._measure(child, depth + 1)
            if counts:
                count += child_count
                levels = max(levels, child_levels + 1)
        self._open.discard(identity)
        self._known[identity] = count, levels
        if count > MAX_SCHEMA_EXPANSIONS:
            raise InvalidDefinition(
                f"{self._place} stands for more than {MAX_SCHEMA_EXPANSIONS} subschemas "
                "when its references are written out"
            )
        return count, levels

    def _check_identity(self, schema: JsonSchema) -> None:
        # An inner $id moves the base of the references below it, out of sight of this count.
        inner = schema.get("$id")
        if schema is not self._root and isinstance(inner, str) and not inner.startswith("#"):
            raise InvalidDefinition(
                f"{self._place} has a subschema with the $id {inner!r:.80}, "
                "which is not supported beside references"
            )

    def _children(self, schema: JsonSchema) -> Iterator[tuple[Json, bool]]:
        """Every subschema, and whether it counts."""
        for keyword in _REFERENCES:
            if isinstance(target := schema.get(keyword), str):
                yield self._resolve(target), True
        for keyword, child in schema.items():
            if keyword in _ONE and isinstance(child, dict):
                yield child, True
            elif keyword in _LISTS and isinstance(child, list):
                yield from ((item, True) for item in child)
            elif keyword in _MAPS and isinstance(child, dict):
                # Definitions count where something refers to them.
                yield from ((item, keyword not in _DEFINITIONS) for item in child.values())

    def _resolve(self, reference: str) -> Json:
        if not reference.startswith("#"):
            raise InvalidDefinition(
                f"{self._place} refers to {reference!r:.120}, which is outside the schema"
            )
        fragment = unquote(reference[1:])
        if fragment and not fragment.startswith("/"):
            if fragment in self._anchors:
                return self._anchors[fragment]
            self._dangles(reference)
        target: Json = self._root
        for step in fragment.split("/")[1:]:
            step = step.replace("~1", "/").replace("~0", "~")
            if isinstance(target, dict) and step in target:
                target = target[step]
            elif isinstance(target, list) and step.isdecimal() and int(step) < len(target):
                target = target[int(step)]
            else:
                self._dangles(reference)
        return target

    def _dangles(self, reference: str) -> NoReturn:
        raise InvalidDefinition(
            f"{self._place} refers to {reference!r:.120}, which does not exist in it"
        )
