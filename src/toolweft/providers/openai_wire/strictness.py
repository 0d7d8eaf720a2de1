"""Whether a schema lies within what OpenAI's APIs can hold an answer to."""

from typing import Final

from toolweft.core.json import Json

__all__ = ("is_strict_schema",)

_MAX_DEPTH: Final = 10
# Keywords under which schemas stand by name, in a list, or alone.
_NAMED: Final = ("properties", "$defs", "definitions")
_LISTED: Final = ("anyOf", "prefixItems")
_SINGLE: Final = ("items",)
# Keywords that "strict" refuses outright.
_REFUSED: Final = frozenset(
    {
        "allOf",
        "dependentRequired",
        "dependentSchemas",
        "else",
        "if",
        "not",
        "oneOf",
        "patternProperties",
        "then",
        "unevaluatedProperties",
    }
)


def is_strict_schema(schema: Json) -> bool:
    """Whether every object in it requires all of its properties and allows no others."""
    return (
        isinstance(schema, dict)
        and schema.get("type") == "object"
        and "anyOf" not in schema
        and _is_strict(schema, depth=1)
    )


def _is_strict(schema: Json, *, depth: int) -> bool:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH or _REFUSED & schema.keys():
        return False
    kind = schema.get("type")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    if (is_object or "properties" in schema) and not _is_closed(schema):
        return False
    inner = [
        *(part for key in _NAMED for part in schema.get(key, {}).values()),
        *(part for key in _LISTED for part in schema.get(key, ())),
        *(schema[key] for key in _SINGLE if key in schema),
    ]
    return all(_is_strict(part, depth=depth + 1) for part in inner)


def _is_closed(schema: dict[str, Json]) -> bool:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    return schema.get("additionalProperties") is False and set(properties) == set(required)
