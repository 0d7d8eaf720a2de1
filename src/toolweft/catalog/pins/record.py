"""What of a definition is accepted, as plain JSON, and the hash of it.

The order of keys and white space between them do not count; every other character does, hidden
ones too. Texts are not normalised, and 1 is not 1.0, as they are not the same JSON.
"""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from hashlib import sha256
from typing import Final

from toolweft.core.errors import InvalidDefinition
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json, JsonObject, encode_canonical
from toolweft.core.tools import ToolDefinition

__all__ = (
    "PIN_VERSION",
    "hash_definition",
    "iterate_texts",
    "place_below",
    "record_definition",
    "record_fields",
)

# Of the form that is hashed: another form gets another number, and old pins are seen to be old.
PIN_VERSION: Final = "v1:sha256:"
# What is said beside name, description and schemas has no other bound.
_MAX_BYTES: Final = 1024 * 1024
# Fields that are no part of it, or are taken by themselves. The time-out of a service's tools is
# the user's.
_NOT_TOLD: Final = frozenset(
    {
        "allowed_callers",
        "definition_hash",
        "input_schema",
        "name",
        "namespace",
        "other_fields",
        "timeout_s",
    }
)
_EMPTY: Final = ToolDefinition(name=ToolName(""), namespace=SourceName(""))
_DEFAULTS: Final = {
    key: getattr(_EMPTY, key) for key in ToolDefinition.__dataclass_fields__ if key not in _NOT_TOLD
}
# Those that are read from `other_fields` where there are any.
_READ: Final = frozenset({"hints", "input_examples"})


def record_definition(definition: ToolDefinition) -> JsonObject:
    """All that a source says of a tool; what it leaves out is left out."""
    record = record_fields(definition)
    for key, value in _read(definition.other_fields).items():
        # Under the names the source gives them, unless one of ours is taken.
        record[key if key not in record else f"other_fields.{key}"] = value
    return record


def record_fields(definition: ToolDefinition) -> JsonObject:
    """What a definition has fields of its own for."""
    record: JsonObject = {"name": definition.name, "input_schema": definition.input_schema}
    for key, default in _DEFAULTS.items():
        value = getattr(definition, key)
        if value != default and not (key in _READ and definition.other_fields):
            record[key] = _plain(value)
    if definition.allowed_callers is not None:
        record["allowed_callers"] = sorted(definition.allowed_callers)
    return record


def hash_definition(definition: ToolDefinition, definition_hash: str) -> str:
    """The hash of a definition that pins it.

    Args:
        definition: as its source gave it.
        definition_hash: over its name, description and schemas.

    Raises:
        InvalidDefinition: what it holds beside these is too large.
    """
    record = record_fields(definition)
    for key in ("name", "description", "input_schema", "output_schema"):
        record.pop(key, None)
    text = encode_canonical({"definition": definition_hash, "fields": record})
    data = f"{text}{definition.other_fields}".encode("utf-8", "surrogatepass")
    if len(data) > _MAX_BYTES:
        raise InvalidDefinition(
            f"what is said of {definition.name!r} beside its schemas is larger than "
            f"{_MAX_BYTES} bytes"
        )
    return f"{PIN_VERSION}{sha256(data).hexdigest()}"


def iterate_texts(value: Json, path: str = "$") -> Iterator[tuple[str, str]]:
    """Every text in plain JSON with its place: keys too, at the place of what they name."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, below in value.items():
            place = place_below(path, key)
            yield place, key
            yield from iterate_texts(below, place)
    elif isinstance(value, list):
        for position, below in enumerate(value):
            yield from iterate_texts(below, f"{path}[{position}]")


def place_below(path: str, key: str) -> str:
    """The place of what a key names; a key with strange characters shows them."""
    plain = key.isascii() and key.replace("-", "_").isidentifier()
    return f"{path}.{key}" if plain else f"{path}[{key!a}]"


def _read(other_fields: str) -> JsonObject:
    try:
        read: JsonObject = json.loads(other_fields) if other_fields else {}
    except RecursionError:
        return {"other_fields": other_fields}
    return read


def _plain(value: object) -> Json:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if is_dataclass(value):
        told = {field.name: getattr(value, field.name) for field in fields(value)}
        return {key: item for key, item in told.items() if item is not None}
    return value
