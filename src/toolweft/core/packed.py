"""Fields that hold JSON as compressed text, and give the value to whoever reads them.

For schemas, which are kept by the thousand and read seldom: parsed, one weighs ten times as much.
Nothing packed leaves the process.
"""

import zlib
from dataclasses import replace
from functools import lru_cache
from json import JSONDecoder, JSONEncoder
from typing import Any, Final, TypeVar

from toolweft.core.json import Json

__all__ = (
    "MAX_PACKED_BYTES",
    "PackedField",
    "held_text",
    "held_values",
    "pack_fields",
    "pack_json",
    "replace_packed",
)

_T = TypeVar("_T")

# Reading a text takes 30 ns a byte: a larger value, which no real schema is, stays as it is.
MAX_PACKED_BYTES: Final = 32 * 1024
# Raw, without a checksum; a window and tables that are small, as the texts are.
_WINDOW, _MEMORY, _LEVEL = -13, 6, 6
# What schemas have in common, the likeliest last: it takes a quarter off each.
_COMMON: Final = (
    b'"examples":["format":"uri""pattern":"^"minLength":1,"maxLength":"minimum":0,"maximum":100,'
    b'"$ref":"#/$defs/"$defs":{"const":"oneOf":[{"allOf":[{"not":{"enum":["exclusiveMinimum":0'
    b'"anyOf":[{"items":{"type":"object","additionalProperties":{}}"minItems":1,"type":"array"},'
    b'{"type":"null"}],"default":[]"anyOf":[{"type":"integer"},{"type":"null"}],"default":false,'
    b'"required":["result"],"title":"Output"}"properties":{"result":{"title":"Result","type":"'
    b'"anyOf":[{"type":"string"},{"type":"null"}],"default":null,"description":"","title":"'
    b'"items":{"type":"string"}},"type":"array","description":"{"type":"integer","description":"'
    b"The name of the Optional. Whether to The ID of the The path to the Number of List of "
    b'{"type":"boolean","description":"{"type":"number","description":"'
    b'"$schema":"http://json-schema.org/draft-07/schema#","additionalProperties":false}},"required"'
    b':["{"type":"object","properties":{},"$schema":"https://json-schema.org/draft/2020-12/schema"}'
    b'{"type":"object","properties":{"query":{"type":"string","description":"'
)
# Values read last. A program in a loop calls a few tools again and again.
_MAX_REMEMBERED: Final = 16

_encode: Final = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_decode: Final = JSONDecoder().raw_decode
# What is no JSON too: a function's schema holds whatever Python holds.
_tell: Final = JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=repr).encode


class _PackedJson(bytes):
    """The text of a JSON value, compressed; no value that JSON has is one."""

    __slots__ = ()


class PackedField:
    """A field of a class with slots; its value may be one of `pack_json`.

    Args:
        slot: what the class had in its place.
    """

    def __init__(self, slot: Any) -> None:
        self._slot = slot

    def __get__(self, instance: object, kind: type | None = None) -> Any:
        """The value itself; nobody may change it, since others read the same one."""
        if instance is None:
            return self
        held = self._slot.__get__(instance, kind)
        return _read(held) if type(held) is _PackedJson else held

    def __set__(self, instance: object, value: object) -> None:
        """Take a value, packed or not."""
        self._slot.__set__(instance, value)

    def held(self, instance: object) -> Any:
        """The value as it is kept."""
        return self._slot.__get__(instance)


def pack_fields(kind: type, *names: str) -> None:
    """Let some fields of a class with slots hold packed values."""
    for name in names:
        setattr(kind, name, PackedField(vars(kind)[name]))


def pack_json(value: Json, known: dict[bytes, bytes] | None = None) -> Json:
    """What a `PackedField` is given for a value: an object's text, if it is small and says it all.

    Else, as for what is no JSON, the value itself.

    Args:
        value: anything.
        known: what was packed before, by its text; it is given again, and what is new is added.
    """
    if not isinstance(value, dict):
        return value
    try:
        text = _encode(value)
        data = text.encode("utf-8", "surrogatepass")
        if len(data) > MAX_PACKED_BYTES or _decode(text)[0] != value:
            return value
    except (TypeError, ValueError, RecursionError):
        return value
    if known is None:
        return _compress(data)
    packed = known.get(data)
    if packed is None:
        packed = known[data] = _compress(data)
    return packed


def replace_packed(instance: _T, **changes: Any) -> _T:
    """`dataclasses.replace`, where packed fields that do not change stay packed."""
    kind: Any = type(instance)
    held = {name: field.held(instance) for name, field in _packed_fields(kind)}
    changed: _T = replace(instance, **(held | changes))  # type: ignore[type-var]  # a dataclass
    return changed


def held_values(instance: object) -> tuple[object, ...]:
    """The fields of a dataclass with slots as they are kept, to compare thousands of them.

    A packed value is a text, and is then equal to a text alone.
    """
    kind: Any = type(instance)
    packed = dict(_packed_fields(kind))
    return tuple(
        packed[name].held(instance) if name in packed else getattr(instance, name)
        for name in kind.__slots__
    )


def held_text(instance: object, name: str) -> bytes:
    """The JSON of a field, packed where it is kept so: the same for the same, order included."""
    kind: Any = type(instance)
    held = dict(_packed_fields(kind))[name].held(instance)
    return held if type(held) is _PackedJson else _tell(held).encode("utf-8", "surrogatepass")


@lru_cache(maxsize=16)
def _packed_fields(kind: Any) -> tuple[tuple[str, PackedField], ...]:
    return tuple((name, part) for name, part in vars(kind).items() if isinstance(part, PackedField))


def _compress(data: bytes) -> _PackedJson:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zdict=_COMMON)
    return _PackedJson(packer.compress(data) + packer.flush())


@lru_cache(maxsize=_MAX_REMEMBERED)
def _read(packed: _PackedJson) -> Json:
    data = zlib.decompressobj(_WINDOW, zdict=_COMMON).decompress(packed)
    return _decode(data.decode("utf-8", "surrogatepass"))[0]
