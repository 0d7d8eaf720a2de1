"""Pieces of messages as the Messages API writes them: text, images, results of tools."""

from base64 import b64encode
from collections.abc import Iterable
from typing import Final

from toolweft.core.calls import Blob, TextContent
from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelResult

__all__ = ("encode_content", "encode_result")

# What the vendor shows to a model as an image.
_IMAGES: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_PDF: Final = "application/pdf"
_NOTHING: Final = "(empty result)"
_NOTHING_FOUND: Final = "No matching tools."


def encode_content(
    content: Iterable[TextContent | Blob], *, takes_images: bool = True
) -> list[JsonObject]:
    """Text and images as blocks, in order; empty texts, which the vendor refuses, are left out."""
    blocks: list[JsonObject] = []
    for piece in content:
        if isinstance(piece, TextContent):
            if piece.text.strip():
                blocks.append({"type": "text", "text": piece.text})
        else:
            blocks.append(_encode_blob(piece, takes_images=takes_images))
    return blocks


def encode_result(
    result: ModelResult,
    *,
    call_id: str,
    referable: frozenset[str],
    is_for_program: bool,
    takes_images: bool = True,
) -> JsonObject:
    """One answer to a call.

    Args:
        result: the answer.
        call_id: of the call as it went out.
        referable: hidden tools that it may reveal; other names of `revealed` are dropped, since the
            vendor refuses a reference to a tool that is gone.
        is_for_program: a program at the vendor waits for it, and takes text alone.
        takes_images: images go as images.

    Returns:
        A tool_result. What reveals tools holds nothing but references: the vendor writes the
        definitions in their place.
    """
    encoded: JsonObject = {"type": "tool_result", "tool_use_id": call_id}
    names = dict.fromkeys(name for name in result.revealed if name in referable)
    if is_for_program:
        encoded["content"] = _join_text(result)
    elif names and not result.is_error:
        encoded["content"] = [{"type": "tool_reference", "tool_name": name} for name in names]
    else:
        blocks = encode_content(result.content, takes_images=takes_images)
        # An empty list is refused.
        nothing = _NOTHING_FOUND if result.revealed else _NOTHING
        encoded["content"] = blocks or [{"type": "text", "text": nothing}]
    if result.is_error:
        encoded["is_error"] = True
    return encoded


def _join_text(result: ModelResult) -> str:
    return "\n".join(
        piece.text if isinstance(piece, TextContent) else _describe_blob(piece)
        for piece in result.content
    )


def _encode_blob(blob: Blob, *, takes_images: bool) -> JsonObject:
    kind = "image" if blob.media_type in _IMAGES else "document"
    if not takes_images or (kind == "document" and blob.media_type != _PDF):
        return {"type": "text", "text": _describe_blob(blob)}
    data = b64encode(blob.data).decode("ascii")
    return {
        "type": kind,
        "source": {"type": "base64", "media_type": blob.media_type, "data": data},
    }


def _describe_blob(blob: Blob) -> str:
    return f"[{blob.media_type}, {len(blob.data):,} bytes, not shown]"
