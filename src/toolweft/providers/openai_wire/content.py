"""Contents of messages as OpenAI's APIs take them."""

import json
from base64 import b64encode
from collections.abc import Iterable
from typing import Final

from toolweft.core.calls import Blob, TextContent

__all__ = ("data_url", "describe_blob", "is_image", "join_text", "render_error")

_IMAGE_TYPES: Final = frozenset({"image/png", "image/jpeg", "image/webp", "image/gif"})


def is_image(blob: Blob) -> bool:
    """Whether the APIs take it as an image."""
    return blob.media_type in _IMAGE_TYPES


def data_url(blob: Blob) -> str:
    """The bytes as an address of their own."""
    return f"data:{blob.media_type};base64,{b64encode(blob.data).decode('ascii')}"


def describe_blob(blob: Blob) -> str:
    """What stands in place of bytes that a message cannot carry."""
    return f"[{blob.media_type}, {len(blob.data)} bytes]"


def join_text(content: Iterable[TextContent | Blob]) -> str:
    """Every piece in one text, a line break between two; bytes by what they are."""
    return "\n".join(
        piece.text if isinstance(piece, TextContent) else describe_blob(piece) for piece in content
    )


def render_error(text: str) -> str:
    """A failed result as JSON: the APIs have no field that says so."""
    return json.dumps({"error": text}, ensure_ascii=False)
