"""Server-sent events out of bytes. Pure: it neither waits nor asks."""

from collections.abc import Iterator
from typing import Final

from toolweft.core.errors import ProviderError

__all__ = ("EventReader",)

# Of one event: an image may stand in it.
_MAX_EVENT_BYTES: Final = 64 * 1024**2


class EventReader:
    """Takes the bytes of one answer in order and gives the data of each event.

    A line ends at CR, LF or both and nowhere else: what else Unicode calls the end of a line may
    stand within JSON.
    """

    def __init__(self) -> None:
        self._rest: list[bytes] = []
        self._rest_bytes = 0
        self._data: list[bytes] = []
        self._data_bytes = 0
        # CR was the last byte: LF at the start of the next piece belongs to it.
        self._has_cr = False

    def add(self, piece: bytes) -> Iterator[bytes]:
        """The data of each event that these bytes complete.

        Raises:
            ProviderError: an event is above the cap.
        """
        if self._has_cr and piece.startswith(b"\n"):
            piece = piece[1:]
        if not piece:
            return
        self._has_cr = piece.endswith(b"\r")
        lines = piece.splitlines(keepends=True)
        for line in lines:
            self._rest.append(line)
            self._rest_bytes += len(line)
            if self._rest_bytes + self._data_bytes > _MAX_EVENT_BYTES:
                raise ProviderError(
                    f"an event of the answer is above the cap of {_MAX_EVENT_BYTES:,} bytes"
                )
            if line.endswith((b"\r", b"\n")):
                yield from self._end_line()

    def finish(self) -> Iterator[bytes]:
        """What an answer that is over leaves behind."""
        yield from self._end_line()
        yield from self._end_event()

    def _end_line(self) -> Iterator[bytes]:
        line = b"".join(self._rest).rstrip(b"\r\n")
        self._rest, self._rest_bytes = [], 0
        if not line:
            yield from self._end_event()
        elif line.startswith(b"data:"):
            data = line[5:].removeprefix(b" ")
            self._data.append(data)
            self._data_bytes += len(data)
        # Names and ids of events stand in their data too; comments keep the line open.

    def _end_event(self) -> Iterator[bytes]:
        data, self._data, self._data_bytes = self._data, [], 0
        if data:
            yield b"\n".join(data)
