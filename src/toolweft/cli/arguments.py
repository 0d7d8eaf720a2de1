"""Tool arguments from the command line: `--args JSON`, or `key=value` read by the tool's schema.

Pure: text and a schema in, plain JSON out. The road validates the result.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from toolweft.cli.errors import UsageFault
from toolweft.core.json import Json, JsonObject, JsonSchema

__all__ = ("parse_arguments",)

_ALL_TYPES = frozenset({"null", "boolean", "integer", "number", "string", "array", "object"})
# References and branches inside one another are followed so far; what lies deeper is anything.
_MAX_DEPTH = 8
_NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})


def parse_arguments(
    pairs: Sequence[str],
    *,
    object_text: str | None,
    schema: JsonSchema,
    parameters: Mapping[str, str] = _NO_PARAMETERS,
) -> JsonObject:
    """The arguments of a call.

    Args:
        pairs: `key=value`; a value is read as JSON where it parses and the schema wants its type,
            else it is the text itself. `key:=JSON` is always JSON.
        object_text: a JSON object; `pairs` are added to it and win.
        schema: the tool's input schema.
        parameters: Python spelling of a parameter -> original name, where they differ; either is
            understood, the original first.

    Raises:
        UsageFault: a pair without `=`, or text that is not JSON where it must be.
    """
    properties = schema.get("properties")
    known = properties if isinstance(properties, dict) else {}

    def original(key: str) -> str:
        return key if key in known else parameters.get(key, key)

    arguments = _parse_object(object_text) if object_text is not None else {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key.strip(":"):
            raise UsageFault(
                f"the argument {pair!r} is not key=value",
                hint="write key=value, key:=JSON, or --args '{\"key\": ...}'",
            )
        if key.endswith(":") and key not in known:
            key = original(key[:-1])
            arguments[key] = _parse_json(text, place=key)
        else:
            key = original(key)
            arguments[key] = _read_value(text, schema=known.get(key), root=schema)
    return arguments


def _parse_object(text: str) -> JsonObject:
    value = _parse_json(text, place="--args")
    if not isinstance(value, dict):
        raise UsageFault(
            f"--args is not a JSON object: {text[:80]!r}",
            hint="give named arguments: --args '{\"key\": ...}'",
        )
    return value


def _parse_json(text: str, *, place: str) -> Json:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except json.JSONDecodeError as exc:
        raise UsageFault(
            f"{place}: not JSON at line {exc.lineno}, column {exc.colno}: {exc.msg}",
            hint=f"it begins {text[:40]!r}; quote it for the shell with '...'",
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise UsageFault(
            f"{place}: not JSON: {exc}", hint="NaN, Infinity and endless nesting are not JSON"
        ) from exc


def _read_value(text: str, *, schema: Json, root: JsonSchema) -> Json:
    wanted = _types_of_schema(schema, root=root, depth=_MAX_DEPTH)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text
    return value if wanted & _types_of(value) else text


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _types_of_schema(schema: Json, *, root: JsonSchema, depth: int) -> frozenset[str]:
    """The JSON types a property allows; all of them where the schema does not say."""
    if not isinstance(schema, dict) or depth == 0:
        return _ALL_TYPES
    allowed = _types_by_itself(schema)
    target = _find_reference(schema.get("$ref"), root)
    if target is not None:
        allowed &= _types_of_schema(target, root=root, depth=depth - 1)
    for keyword in ("anyOf", "oneOf", "allOf"):
        branches = schema.get(keyword)
        if not isinstance(branches, list) or not branches:
            continue
        of_branches = [_types_of_schema(b, root=root, depth=depth - 1) for b in branches]
        combine = frozenset.intersection if keyword == "allOf" else frozenset.union
        allowed &= combine(*of_branches)
    return allowed


def _types_by_itself(schema: JsonObject) -> frozenset[str]:
    """What `type`, `const` and `enum` allow."""
    said = schema.get("type")
    values = schema["enum"] if isinstance(schema.get("enum"), list) else []
    values = [schema["const"]] if "const" in schema else values
    if isinstance(said, str):
        types = {said}
    elif isinstance(said, list):
        types = {str(item) for item in said}
    else:
        types = {name for value in values for name in _types_of(value)}
    return frozenset(types | ({"integer"} if "number" in types else set())) or _ALL_TYPES


def _find_reference(reference: Json, root: JsonSchema) -> Json:
    """What a reference into the same schema points at; None for anything else."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found: Json = root
    for step in reference[2:].split("/"):
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(found, dict) or name not in found:
            return None
        found = found[name]
    return found


def _types_of(value: Json) -> frozenset[str]:
    """The names JSON Schema has for the type of a value: an integer is a number too."""
    match value:
        case None:
            return frozenset({"null"})
        case bool():
            return frozenset({"boolean"})
        case int():
            return frozenset({"integer", "number"})
        case float():
            return frozenset({"integer", "number"} if value.is_integer() else {"number"})
        case str():
            return frozenset({"string"})
        case list():
            return frozenset({"array"})
        case _:
            return frozenset({"object"})
