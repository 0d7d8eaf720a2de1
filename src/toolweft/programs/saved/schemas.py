"""The JSON Schema that one value suggests. Pure.

It promises little, because another run may answer otherwise: no key is required, and what was seen
in two kinds is anything.
"""

from collections.abc import Iterable
from functools import reduce
from typing import Final

from toolweft.core.json import Json, JsonSchema

__all__ = ("schema_of",)

_MAX_LEVELS: Final = 6
# Of a list that is longer, the first tell enough.
_MAX_ITEMS: Final = 200
# An object with more keys, or with keys that are no names, is a table of data.
_MAX_KEYS: Final = 24


def schema_of(value: Json, *, level: int = 0) -> JsonSchema:
    """A schema that the value fits."""
    match value:
        case bool():
            return {"type": "boolean"}
        case int():
            return {"type": "integer"}
        case float():
            return {"type": "number"}
        case str():
            return {"type": "string"}
        case list():
            items = _merged(schema_of(item, level=level + 1) for item in value[:_MAX_ITEMS])
            return {"type": "array", "items": items} if level < _MAX_LEVELS else {"type": "array"}
        case dict():
            return _object(value, level) if level < _MAX_LEVELS else {"type": "object"}
        case _:
            # Nothing is known of what is null this once.
            return {}


def _object(value: dict[str, Json], level: int) -> JsonSchema:
    schemas = {key: schema_of(item, level=level + 1) for key, item in value.items()}
    if len(value) > _MAX_KEYS or not all(map(str.isidentifier, value)):
        return {"type": "object", "additionalProperties": _merged(schemas.values())}
    return {"type": "object", "properties": schemas}


def _merged(schemas: Iterable[JsonSchema]) -> JsonSchema:
    listed = list(schemas)
    return reduce(_merge, listed) if listed else {}


def _merge(one: JsonSchema, other: JsonSchema) -> JsonSchema:
    if one == other:
        return one
    types = {one.get("type"), other.get("type")}
    if types == {"integer", "number"}:
        return {"type": "number"}
    if types == {"array"}:
        return {"type": "array", "items": _merge(one.get("items", {}), other.get("items", {}))}
    if types == {"object"} and "properties" in one and "properties" in other:
        left, right = one["properties"], other["properties"]
        both = {key: _merge(left[key], right[key]) for key in left if key in right}
        return {"type": "object", "properties": {**left, **right, **both}}
    return {"type": "object"} if types == {"object"} else {}
