"""Results as the guest of a run gets them: JSON text, and bytes beside it. Pure."""

import json

from toolweft.core.calls import Blob, Failure, ToolResult
from toolweft.core.json import Json
from toolweft.core.ports import GuestBlob, GuestReply

__all__ = ("encode_reply", "encode_value", "reply_of")


def reply_of(result: ToolResult) -> GuestReply:
    """A result as the guest gets it: JSON text with its blobs beside it."""
    if result.failure is not None:
        return GuestReply(failure=result.failure)
    if result.is_error:
        failure = Failure(code="tool_error", message=str(result.value)[:2_000])
        return GuestReply(failure=failure)
    if result.encoded:
        return GuestReply(payload=result.encoded)
    return encode_reply(result.value)


def encode_reply(value: Json) -> GuestReply:
    """A value as the guest gets it; blobs may be it, or items of it."""
    if isinstance(value, Blob):
        return GuestReply(blobs=(_guest_blob(None, value),))
    if not isinstance(value, list):
        return GuestReply(payload=encode_value(value))
    blobs = [_guest_blob(i, item) for i, item in enumerate(value) if isinstance(item, Blob)]
    plain = [None if isinstance(item, Blob) else item for item in value]
    return GuestReply(payload=encode_value(plain), blobs=tuple(blobs))


def _guest_blob(position: int | None, blob: Blob) -> GuestBlob:
    return GuestBlob(position=position, media_type=blob.media_type, data=blob.data)


def encode_value(value: Json) -> bytes:
    """A value without blobs as JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace")
