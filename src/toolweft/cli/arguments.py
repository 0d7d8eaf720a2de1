"""Tool arguments from the command line: `--args JSON`, or `key=value` read by the tool's schema.

Pure: text and a schema in, plain JSON out. The road validates the result.
"""

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from toolweft.cli.errors import UsageFault
from toolweft.core.json import Json, JsonObject, JsonSchema

__all__ = ("parse_arguments",)

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
            arguments[key] = _read_value(text, schema=known.get(key))
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


def _read_value(text: str, *, schema: Json) -> Json:
    wanted = _types_of_schema(schema)
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return text
    return value if not wanted or wanted & _types_of(value) else text


def _refuse_constant(name: str) -> Json:
    raise ValueError(f"{name} is not JSON")


def _types_of_schema(schema: Json) -> frozenset[str]:
    """The JSON types a property allows; empty where the schema does not say."""
    if not isinstance(schema, dict):
        return frozenset()
    said = schema.get("type")
    types = {said} if isinstance(said, str) else set(said) if isinstance(said, list) else set()
    for keyword in ("anyOf", "oneOf"):
        branches = schema.get(keyword)
        for branch in branches if isinstance(branches, list) else []:
            types |= _types_of_schema(branch)
    values = schema.get("enum")
    if not types and isinstance(values, list):
        types = {name for value in values for name in _types_of(value)}
    return frozenset(str(item) for item in types)


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
