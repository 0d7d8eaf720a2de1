"""The last words of a server: a ring of its stderr, and their rendering for people."""

import re
from collections.abc import Collection

from toolweft.sources.masking import mask

__all__ = ("StderrRing", "render_tail")

_RING_BYTES = 64 * 1024
# Shown in a message: the end of the ring, whole lines, within both bounds.
_SHOWN_LINES = 12
_SHOWN_CHARACTERS = 1500

# Terminal escapes first (their letters are printable), then every other control character.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")


class StderrRing:
    """Keeps the last 64 KiB of what it is given."""

    def __init__(self, *, limit_bytes: int = _RING_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._kept = bytearray()

    def append(self, chunk: bytes) -> None:
        """Add a chunk, dropping the oldest bytes beyond the limit."""
        self._kept += chunk
        del self._kept[: -self._limit_bytes]

    def to_bytes(self) -> bytes:
        """What is kept, oldest first."""
        return bytes(self._kept)


def render_tail(text: bytes, *, secrets: Collection[str] = ()) -> str:
    """The end of a server's stderr, safe to show: no escapes, no secrets, a few lines.

    Args:
        text: bytes of any kind; undecodable ones are replaced.
        secrets: values given to the server; each is shown as `***`.

    Returns:
        At most 12 lines and 1,500 characters; empty where nothing was printed.
    """
    decoded = mask(text.decode("utf-8", "replace"), secrets)
    plain = _CONTROL.sub(" ", _ESCAPE.sub("", decoded.replace("\r\n", "\n")))
    lines = [line.rstrip() for line in plain.split("\n") if line.strip()]
    return "\n".join(lines[-_SHOWN_LINES:])[-_SHOWN_CHARACTERS:]
