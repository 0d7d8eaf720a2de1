"""Bytes to lines, with a cap. Pure."""

from collections.abc import Iterator

__all__ = ("LineSplitter",)


class LineSplitter:
    """Cuts a stream of bytes at its newlines; never holds more than one line."""

    def __init__(self, *, max_line_bytes: int) -> None:
        self._max_line_bytes = max_line_bytes
        self._rest = bytearray()
        self._is_skipping = False

    def feed(self, chunk: bytes) -> Iterator[bytes | None]:
        """The lines that end in this chunk, without newline; None for one above the cap.

        Blank lines are left out. A line above the cap is dropped as it arrives.
        """
        *ended, rest = chunk.split(b"\n")
        for part in ended:
            line = self._take(part)
            if line is None or line.strip():
                yield line
        if not self._is_skipping:
            self._rest += rest
            if len(self._rest) > self._max_line_bytes:
                self._rest.clear()
                self._is_skipping = True

    def _take(self, part: bytes) -> bytes | None:
        if self._is_skipping:
            self._is_skipping = False
            return None
        line = bytes(self._rest + part)
        self._rest.clear()
        return line if len(line) <= self._max_line_bytes else None
