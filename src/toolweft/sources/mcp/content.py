"""What stands in raw results, above all of `tools/call`. Pure; nothing in it is trusted."""

import base64
import binascii
import json
from collections.abc import Callable, Collection

import mcp_types as types

from toolweft.core.calls import MISSING, Blob, Content, LinkContent, RawResult, TextContent
from toolweft.core.json import Json, JsonObject

__all__ = ("MAX_PAGES", "explain_cut", "read_result", "read_ttl", "without_stamp")

# Of a list behind its first one; a list that is longer is cut off.
MAX_PAGES = 1000
_BINARY = "application/octet-stream"
# What holds longer than a year holds for ever, as far as anybody here will know.
_MAX_TTL_MS = 366 * 24 * 3600 * 1000


def read_result(raw: JsonObject) -> RawResult:
    """What the server answered, block by block and in order.

    Blocks of unknown type become their JSON text, so that nothing is lost.
    """
    blocks = raw.get("content")
    content = tuple(_read_block(b) for b in blocks) if isinstance(blocks, list) else ()
    structured = raw.get("structuredContent")
    # Some servers write null for "none"; only beside nothing else is it the answer itself.
    if structured is None and (content or "structuredContent" not in raw):
        structured = MISSING
    return RawResult(
        structured=structured, content=content, is_error=raw.get("isError", False) is True
    )


def _read_block(block: Json) -> Content:
    if isinstance(block, dict):
        read = _READERS.get(str(block.get("type")))
        content = read(block) if read is not None else None
        if content is not None:
            return content
    return TextContent(json.dumps(block, ensure_ascii=False, separators=(",", ":")))


def _read_text(block: JsonObject) -> Content | None:
    text = block.get("text")
    return TextContent(text) if isinstance(text, str) else None


def _read_media(block: JsonObject) -> Content | None:
    return _read_blob(block.get("data"), block.get("mimeType"))


def _read_resource(block: JsonObject) -> Content | None:
    resource = block.get("resource")
    if not isinstance(resource, dict):
        return None
    if isinstance(resource.get("text"), str):
        return TextContent(resource["text"])
    return _read_blob(resource.get("blob"), resource.get("mimeType"))


def _read_link(block: JsonObject) -> Content | None:
    uri, name, media_type = block.get("uri"), block.get("name"), block.get("mimeType")
    if not isinstance(uri, str):
        return None
    return LinkContent(
        uri=uri,
        name=name if isinstance(name, str) else None,
        media_type=media_type if isinstance(media_type, str) else None,
    )


def _read_blob(data: Json, media_type: Json) -> Blob | None:
    if not isinstance(data, str):
        return None
    try:
        # Some encoders break lines. What else is no base64 would be left out without a word.
        decoded = base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
    return Blob(data=decoded, media_type=media_type if isinstance(media_type, str) else _BINARY)


_READERS: dict[str, Callable[[JsonObject], Content | None]] = {
    "text": _read_text,
    "image": _read_media,
    "audio": _read_media,
    "resource": _read_resource,
    "resource_link": _read_link,
}


def read_ttl(page: JsonObject) -> float | None:
    """Seconds that a page holds, at most a year; None where it does not say."""
    ttl_ms = page.get("ttlMs")
    if isinstance(ttl_ms, bool) or not isinstance(ttl_ms, int | float) or not ttl_ms >= 0:
        return None
    # Before anything is computed with it: a server may send a number that floats do not have.
    return min(ttl_ms, _MAX_TTL_MS) / 1000


def explain_cut(cursor: str, *, seen: Collection[str]) -> str:
    """Why nothing is read behind a page; "" where it is.

    Args:
        cursor: of the next page.
        seen: the cursors of the pages before, without the first, which has none.
    """
    count = len(seen) + 1
    if cursor in seen:
        return f"cursor {cursor!r:.80} again after {count} pages"
    if len(seen) >= MAX_PAGES:
        return f"it goes on after {count} pages, and no more are read"
    return ""


def without_stamp(raw: JsonObject) -> JsonObject:
    """The result without the name of the server, which would pass for ours."""
    meta = raw.get("_meta")
    if not isinstance(meta, dict) or types.SERVER_INFO_META_KEY not in meta:
        return raw
    kept = {key: value for key, value in meta.items() if key != types.SERVER_INFO_META_KEY}
    raw = {key: value for key, value in raw.items() if key != "_meta"}
    return {**raw, "_meta": kept} if kept else raw
