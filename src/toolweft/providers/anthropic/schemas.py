"""Which schemas the vendor takes where, and how others are made to fit. Pure functions."""

import json
from collections.abc import Mapping
from typing import Final

from toolweft.core.json import Json, JsonObject, JsonSchema

__all__ = ("fit_output_schema", "is_recursive")

_TYPES: Final = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})
_FORMATS: Final = frozenset(
    {
        *("date-time", "time", "date", "duration", "email"),
        *("hostname", "uri", "ipv4", "ipv6", "uuid"),
    }
)
# As deep as a schema is followed; a deeper one is not sent in the vendor's form.
_MAX_DEPTH: Final = 60
_PLAIN: Final = (str, int, float, bool, type(None))


class _DoesNotFitError(Exception):
    """The schema says something that the vendor's form cannot."""


def is_recursive(schema: JsonSchema) -> bool:
    """Whether a schema refers to itself, also through others; by local references."""
    return _meets_itself(schema, schema, frozenset(), 0)


def fit_output_schema(schema: JsonSchema) -> JsonSchema | None:
    """The schema in the subset of the vendor's structured output; None where it does not fit.

    Limits that the subset lacks (lengths, ranges, patterns) become words of the description: the
    answer is to be checked against the whole schema by whoever asked.

    Source: the vendor's SDK, which does the same to schemas of its users.
    """
    if is_recursive(schema):
        return None
    try:
        return _fit(schema, 0)
    except _DoesNotFitError:
        return None


def _meets_itself(node: Json, root: JsonSchema, open_refs: frozenset[str], depth: int) -> bool:
    # So deep that it may as well have no end.
    if depth > _MAX_DEPTH:
        return True
    if isinstance(node, list):
        return any(_meets_itself(item, root, open_refs, depth + 1) for item in node)
    if not isinstance(node, dict):
        return False
    reference = node.get("$ref")
    if isinstance(reference, str):
        if reference in open_refs or reference == "#":
            return True
        target = _resolve(reference, root)
        if _meets_itself(target, root, open_refs | {reference}, depth + 1):
            return True
    # Definitions count where they are used.
    return any(
        _meets_itself(child, root, open_refs, depth + 1)
        for key, child in node.items()
        if key not in {"$defs", "definitions", "enum", "const", "default", "examples"}
    )


def _resolve(reference: str, root: JsonSchema) -> Json:
    if not reference.startswith("#/"):
        return None
    node: Json = root
    for part in reference[2:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(node, dict) or key not in node:
            return None
        node = node[key]
    return node


def _fit(schema: Json, depth: int) -> JsonSchema:
    if not isinstance(schema, dict) or depth > _MAX_DEPTH:
        raise _DoesNotFitError
    left = dict(schema)
    fitted: JsonObject = {}
    for key in ("$defs", "definitions"):
        if isinstance(definitions := left.pop(key, None), dict):
            fitted[key] = {name: _fit(inner, depth + 1) for name, inner in definitions.items()}
    if "$ref" in left:
        fitted["$ref"] = left["$ref"]
        return fitted
    left.pop("$schema", None)
    for key in ("title", "description"):
        if isinstance(left.get(key), str):
            fitted[key] = left.pop(key)
    _fit_kind(left, fitted, depth)
    if left:
        words = ", ".join(f"{key}: {_render(value)}" for key, value in left.items())
        told = fitted.get("description")
        fitted["description"] = f"{told}\n\n{{{words}}}" if told else f"{{{words}}}"
    return fitted


def _fit_kind(left: JsonObject, fitted: JsonObject, depth: int) -> None:
    """Move what says which values are meant from `left` to `fitted`."""
    kind = left.pop("type", None)
    if _fit_literals(left, fitted):
        return
    for key, as_key in (("anyOf", "anyOf"), ("oneOf", "anyOf"), ("allOf", "allOf")):
        if isinstance(variants := left.pop(key, None), list):
            fitted[as_key] = [_fit(variant, depth + 1) for variant in variants]
            return
    if isinstance(kind, list):
        fitted["anyOf"] = [_fit({**left, "type": one}, depth + 1) for one in kind]
        left.clear()
        return
    if kind not in _TYPES:
        raise _DoesNotFitError
    fitted["type"] = kind
    if kind == "object":
        _fit_object(left, fitted, depth)
    elif kind == "array":
        _fit_array(left, fitted, depth)
    elif kind == "string" and left.get("format") in _FORMATS:
        fitted["format"] = left.pop("format")


def _fit_literals(left: JsonObject, fitted: JsonObject) -> bool:
    values = left.get("enum")
    if isinstance(values, list) and values and all(isinstance(v, _PLAIN) for v in values):
        fitted["enum"] = left.pop("enum")
        return True
    if "const" in left and isinstance(left["const"], _PLAIN):
        fitted["const"] = left.pop("const")
        return True
    return False


def _fit_object(left: JsonObject, fitted: JsonObject, depth: int) -> None:
    properties = left.pop("properties", {})
    others = left.pop("additionalProperties", None)
    # An object with any keys cannot be said; one that merely does not forbid others is closed.
    if isinstance(others, Mapping) or (others is True and not properties):
        raise _DoesNotFitError
    if not isinstance(properties, dict) or (not properties and others is None):
        raise _DoesNotFitError
    fitted["properties"] = {name: _fit(inner, depth + 1) for name, inner in properties.items()}
    fitted["additionalProperties"] = False
    if isinstance(left.get("required"), list):
        fitted["required"] = left.pop("required")


def _fit_array(left: JsonObject, fitted: JsonObject, depth: int) -> None:
    if "items" not in left:
        raise _DoesNotFitError
    fitted["items"] = _fit(left.pop("items"), depth + 1)
    if left.get("minItems") in {0, 1}:
        fitted["minItems"] = left.pop("minItems")


def _render(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
