"""Newline-delimited messages out of a byte stream, with a cap. Pure.

Cost is linear in the bytes fed, however they are cut: a line is scanned once.
"""

import re
from dataclasses import dataclass

__all__ = ("LineBuffer", "OversizedLine", "find_response_id")

# How much of an oversized line is kept at each end: the id of a response stands there.
_EDGE_BYTES = 256

_ID = rb'"id"\s*:\s*(\d{1,18}|"[^"\\]{1,64}")'
_VERSION = rb'"jsonrpc"\s*:\s*"2\.0"'
_ID_FIRST = re.compile(rb"\s*\{\s*(?:" + _VERSION + rb"\s*,\s*)?" + _ID + rb"\s*,")
_ID_LAST = re.compile(rb",\s*" + _ID + rb"\s*(?:,\s*" + _VERSION + rb"\s*)?\}\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class OversizedLine:
    """What is left of a line above the cap."""

    head: bytes
    tail: bytes
    size_bytes: int


class LineBuffer:
    """Collects chunks and gives back whole lines, without their newline.

    Args:
        max_line_bytes: a longer line is dropped as it comes in, down to its two ends.
    """

    def __init__(self, *, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._pending = bytearray()
        self._size_bytes = 0
        self._head = b""

    @property
    def unfinished(self) -> OversizedLine | None:
        """A line that is above the cap and has not ended yet."""
        if self._size_bytes <= self._max_line_bytes:
            return None
        return OversizedLine(
            head=self._head, tail=bytes(self._pending), size_bytes=self._size_bytes
        )

    def feed(self, chunk: bytes) -> list[bytes | OversizedLine]:
        """The lines that `chunk` completes, in order."""
        *ends, rest = chunk.split(b"\n")
        lines: list[bytes | OversizedLine] = []
        for end in ends:
            self._append(end)
            lines.append(self._take())
        self._append(rest)
        return lines

    def _append(self, piece: bytes) -> None:
        self._size_bytes += len(piece)
        self._pending += piece
        if self._size_bytes <= self._max_line_bytes:
            return
        if not self._head:
            self._head = bytes(self._pending[:_EDGE_BYTES])
        del self._pending[:-_EDGE_BYTES]

    def _take(self) -> bytes | OversizedLine:
        line: bytes | OversizedLine = bytes(self._pending)
        if self._size_bytes > self._max_line_bytes:
            line = OversizedLine(
                head=self._head, tail=bytes(self._pending), size_bytes=self._size_bytes
            )
        self._pending.clear()
        self._size_bytes = 0
        self._head = b""
        return line


def find_response_id(head: bytes, tail: bytes) -> int | str | None:
    """The id of a response whose text cannot be parsed, from its two ends; None if not there.

    Serialisers write it before the result or after it, so both places are tried.
    """
    found = _ID_FIRST.match(head) or _ID_LAST.search(tail)
    if found is None:
        return None
    text = found.group(1)
    return int(text) if text.isdigit() else text[1:-1].decode("utf-8", "replace")
