"""What a Python function returned, as a raw result. Bytes are blobs, everything else plain JSON."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

from pydantic_core import PydanticSerializationError, to_json, to_jsonable_python

from toolweft.core.calls import Blob, Content, RawResult, TextContent
from toolweft.core.json import Json
from toolweft.core.signatures import find_media_type

__all__ = ("read_returned",)

_BINARY = (bytes, bytearray, memoryview, Blob)


def read_returned(value: Any) -> RawResult:
    """Turn a return value into a result.

    Models, dataclasses, dates, enums, sets and the like become JSON as pydantic writes them;
    NaN and infinities become null. Bytes at the top or as an item of a top-level list stay
    bytes, of an image with its media type; deeper ones become base64 text.

    Raises:
        TypeError: a value has no JSON form.
    """
    if isinstance(value, RawResult):
        return value
    if isinstance(value, _BINARY):
        return RawResult(content=(_to_blob(value),))
    if isinstance(value, Iterator | AsyncIterator):
        # Reading it here would hold up the event loop, and it may never end.
        raise TypeError(
            f"the function returned a {type(value).__name__}, which gives one item after another: "
            "a tool returns them together, as in list(...)"
        )
    if isinstance(value, list | tuple) and _holds_binary(value):
        return RawResult(content=tuple(_to_content(item) for item in value))
    return RawResult(structured=_to_plain(value))


def _holds_binary(items: Iterable[Any]) -> bool:
    # By type first: a table may have a hundred thousand rows, all of one.
    return any(issubclass(kind, _BINARY) for kind in set(map(type, items)))


def _to_plain(value: Any) -> Json:
    try:
        return to_jsonable_python(value, bytes_mode="base64", inf_nan_mode="null")
    except (PydanticSerializationError, ValueError) as exc:
        raise TypeError(f"the result is no JSON: {exc}") from exc


def _to_blob(value: bytes | bytearray | memoryview | Blob) -> Blob:
    if isinstance(value, Blob):
        return value
    data = bytes(value)
    media_type = find_media_type(data)
    return Blob(data=data) if media_type is None else Blob(data=data, media_type=media_type)


def _to_content(item: Any) -> Content:
    if isinstance(item, _BINARY):
        return _to_blob(item)
    return TextContent(item if isinstance(item, str) else to_json(_to_plain(item)).decode())
