"""What bytes are by how they begin, where nobody says it. Pure."""

from typing import Final

__all__ = ("find_media_type",)

# No UTF-8 begins with the first two, and nobody's text with the last.
_BEGINNINGS: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"%PDF-", "application/pdf"),
)
# A text may begin as these do, but holds no zero; an image has one in its sizes or colours.
_ZERO_WITHIN_BYTES: Final = 1024


def find_media_type(data: bytes) -> str | None:
    """The media type of an image or a PDF; None for anything else.

    Args:
        data: the first bytes, or all of them.
    """
    for beginning, media_type in _BEGINNINGS:
        if data.startswith(beginning):
            return media_type
    found = None
    if data.startswith((b"GIF87a", b"GIF89a")):
        found = "image/gif"
    elif data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        found = "image/webp"
    return found if b"\0" in data[:_ZERO_WITHIN_BYTES] else None
