"""JSON Schemas as short Python type expressions.

Pure text work: it validates nothing and resolves local references only. Every expression it
returns parses as Python. An object is written as a dict of its keys, `{"id": int, "name?": str}`,
where a question mark marks a key that may be absent: shorter than a named type, and a model
reads it without a legend. Used by `toolweft.programs.stubs`.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

from toolweft.core.json import Json, JsonSchema
from toolweft.core.references import follow_reference

__all__ = ("TypeWriter", "write_literal")

# Deeper than any schema people write; keeps hostile nesting off the interpreter's stack.
MAX_LEVELS = 24
# Schemas visited for one expression; a chain of references that doubles at each step ends here.
MAX_NODES = 600
# Values of one enumeration that are listed before `...`.
MAX_LITERALS = 16
MAX_LITERAL_CHARACTERS = 60
# Keys of one object that are listed before `...` where keys alone are written.
MAX_KEYS = 24

_PLAIN_TYPES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
}


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in a schema the writer stands."""

    # All nesting, and nesting of objects with keys alone.
    level: int = 0
    depth: int = 0
    references: tuple[str, ...] = ()


class _Union:
    """Collects the alternatives of one type, each once, in the order met."""

    def __init__(self) -> None:
        # Dicts for their order.
        self.literals: dict[str, None] = {}
        self.types: dict[str, None] = {}

    def add_literal(self, text: str) -> None:
        self.literals[text] = None

    def add_type(self, text: str) -> None:
        self.types[text] = None

    def merge(self, other: "_Union") -> None:
        self.literals.update(other.literals)
        self.types.update(other.types)

    def write(self) -> str:
        types = [text for text in self.types if text != "None"]
        if "Any" in self.types or not (types or self.literals or self.types):
            return "Any"
        parts = []
        if self.literals:
            listed = list(self.literals)[:MAX_LITERALS]
            more = ["..."] if len(self.literals) > MAX_LITERALS else []
            parts.append(f"Literal[{', '.join(listed + more)}]")
        parts += types
        if "None" in self.types:
            parts.append("None")
        return " | ".join(parts)


class TypeWriter:
    """Writes parts of one schema document as Python type expressions.

    Args:
        root: the document that local references point into.
        max_depth: objects nested deeper are written as `dict`.
        keys_only: objects are written as the set of their keys, `{"id", "name?"}`.
    """

    def __init__(self, root: JsonSchema, *, max_depth: int, keys_only: bool = False) -> None:
        self._root = root
        self._max_depth = max_depth
        self._keys_only = keys_only
        self._nodes = 0

    def write(self, schema: Json) -> str:
        """The type of values that `schema` describes; `Any` where it does not say."""
        self._nodes = 0
        return self._union(schema, _Place()).write()

    def _union(self, schema: Json, place: _Place) -> _Union:
        union = _Union()
        self._nodes += 1
        if not isinstance(schema, dict) or place.level >= MAX_LEVELS or self._nodes > MAX_NODES:
            union.add_type("Any")
            return union
        inner = replace(place, level=place.level + 1)
        if "$ref" in schema:
            return self._referenced(schema["$ref"], inner)
        if schema.get("nullable") is True:
            union.add_type("None")
        if "const" in schema or isinstance(schema.get("enum"), list):
            self._add_values(schema, union)
            return union
        alternatives = schema.get("anyOf") or schema.get("oneOf")
        if isinstance(alternatives, list):
            for alternative in alternatives:
                union.merge(self._union(alternative, inner))
            return union
        if isinstance(schema.get("allOf"), list):
            union.merge(self._union(self._merged(schema, inner), inner))
            return union
        for kind in list(_kinds_of(schema)) or [None]:
            union.add_type(self._plain(kind, schema, inner))
        return union

    def _referenced(self, reference: Json, place: _Place) -> _Union:
        target = follow_reference(reference, self._root)
        if isinstance(target, dict) and reference not in place.references:
            return self._union(target, replace(place, references=(*place.references, reference)))
        # A cycle, or nothing there: the bare kind is all that can be said.
        union = _Union()
        kinds = list(_kinds_of(target)) if isinstance(target, dict) else []
        union.add_type({"object": "dict", "array": "list"}.get(kinds[0], "Any") if kinds else "Any")
        return union

    def _add_values(self, schema: JsonSchema, union: _Union) -> None:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        for value in values:
            if value is None:
                union.add_type("None")
            elif isinstance(value, dict | list | float):
                union.add_type(type(value).__name__)
            else:
                literal = write_literal(value)
                if len(literal) > MAX_LITERAL_CHARACTERS:
                    union.add_type(type(value).__name__)
                else:
                    union.add_literal(literal)

    def _merged(self, schema: JsonSchema, place: _Place) -> JsonSchema:
        """All parts of an `allOf` as one schema, as far as keys and kinds go."""
        merged: JsonSchema = {key: value for key, value in schema.items() if key != "allOf"}
        properties: JsonSchema = dict(_object_of(schema.get("properties")))
        required: list[Json] = list(_list_of(schema.get("required")))
        for part in schema["allOf"]:
            resolved = part
            if isinstance(part, dict) and part.get("$ref") not in (None, *place.references):
                resolved = follow_reference(part["$ref"], self._root)
            if not isinstance(resolved, dict) or "$ref" in resolved:
                continue
            properties.update(_object_of(resolved.get("properties")))
            required += _list_of(resolved.get("required"))
            merged = {**resolved, **merged}
        merged.pop("allOf", None)
        if properties:
            merged |= {"properties": properties, "required": required}
        return merged

    def _plain(self, kind: Json, schema: JsonSchema, place: _Place) -> str:
        if kind == "array":
            return self._list(schema, place)
        if kind == "object":
            return self._dict(schema, place)
        return _PLAIN_TYPES.get(kind, "Any") if isinstance(kind, str) else "Any"

    def _list(self, schema: JsonSchema, place: _Place) -> str:
        items = _Union()
        for item in _list_of(schema.get("prefixItems")):
            items.merge(self._union(item, place))
        if isinstance(schema.get("items"), dict):
            items.merge(self._union(schema["items"], place))
        written = items.write()
        return "list" if written == "Any" else f"list[{written}]"

    def _dict(self, schema: JsonSchema, place: _Place) -> str:
        properties = _object_of(schema.get("properties"))
        if not properties:
            values = schema.get("additionalProperties")
            if not isinstance(values, dict) or not values:
                return "dict"
            written = self._union(values, place).write()
            return "dict" if written == "Any" else f"dict[str, {written}]"
        if place.depth >= self._max_depth or any(key.endswith("?") for key in properties):
            return "dict"
        if not self._keys_only and len(properties) > MAX_NODES:
            return "dict"
        required = {key for key in _list_of(schema.get("required")) if isinstance(key, str)}
        inner = replace(place, depth=place.depth + 1)
        pairs = []
        shown = islice(properties.items(), MAX_KEYS if self._keys_only else None)
        for key, value in shown:
            pair = write_literal(key if key in required else f"{key}?")
            if not self._keys_only:
                pair += f": {self._union(value, inner).write()}"
            pairs.append(pair)
        if len(pairs) < len(properties):
            pairs.append("...")
        return "{" + ", ".join(pairs) + "}"


def write_literal(value: Json) -> str:
    """A JSON value as a Python expression, without characters that do not print."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False) if value.isprintable() else ascii(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(write_literal, value)) + "]"
    if isinstance(value, dict):
        pairs = (f"{write_literal(key)}: {write_literal(item)}" for key, item in value.items())
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, float) and not math.isfinite(value):
        # No JSON, but some sources send it; there is no literal for "not a number".
        return "..." if math.isnan(value) else f"{'-' if value < 0 else ''}1e999"
    return repr(value)


def _kinds_of(schema: JsonSchema) -> Iterator[Json]:
    kind = schema.get("type")
    if isinstance(kind, list):
        yield from kind
    elif kind is not None:
        yield kind
    elif "properties" in schema or "additionalProperties" in schema:
        yield "object"
    elif "items" in schema or "prefixItems" in schema:
        yield "array"


def _object_of(value: Json) -> JsonSchema:
    return value if isinstance(value, dict) else {}


def _list_of(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
