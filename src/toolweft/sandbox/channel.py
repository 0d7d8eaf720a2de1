"""The host's end of a guest's channel: bytes to frames, with every size capped before it is read.

Whatever breaks the protocol breaks the channel for good; what frames mean is the run's business.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Protocol

import anyio

from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.guest.media import MAX_MEDIA_BYTES
from toolweft.sandbox.guest.wire import (
    Frame,
    FrameDecoder,
    FrameError,
    FrameKind,
    encode_start,
)

__all__ = ("CLOSED", "Channel", "Receiver", "frames_of_run")

# The fault of a channel that nobody broke.
CLOSED = "closed by the host"

_MAX_HEAD_BYTES = 4096
_MAX_FAULT_BYTES = 64 * 1024
_MAX_BYTES_PER_CHARACTER = 4
# A transport copies what its socket does not take at once, so it gets large bodies piece by piece.
_PIECE_BYTES = 256 * 1024
_FRAMES_OF_START = {FrameKind.READY: (0, 0), FrameKind.DEAD: (0, 4096)}
_FRAMES_WHILE_IDLE: dict[FrameKind, tuple[int, int]] = {}


def frames_of_run(limits: ProgramLimits) -> dict[FrameKind, tuple[int, int]]:
    """What a guest may send during a run: the largest head and body of each kind."""
    return {
        FrameKind.CALL: (_MAX_HEAD_BYTES, limits.max_argument_bytes),
        FrameKind.CANCEL: (0, 0),
        FrameKind.OUTPUT: (0, limits.kept_characters * _MAX_BYTES_PER_CHARACTER),
        FrameKind.OUTPUT_OVER: (0, 0),
        FrameKind.DONE: (
            _MAX_HEAD_BYTES,
            limits.max_value_bytes + MAX_MEDIA_BYTES + _MAX_FAULT_BYTES,
        ),
    }


class Receiver(Protocol):
    """Who understands frames: the start of a session, or a run."""

    def frame_received(self, frame: Frame) -> None:
        """Take one frame.

        Raises:
            FrameError: it makes no sense here.
        """
        ...

    def channel_lost(self) -> None:
        """No frame will follow."""
        ...


class Channel(asyncio.Protocol):
    """One guest's connection."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver: Receiver | None = receiver
        self._decoder = FrameDecoder(_FRAMES_OF_START)
        self._transport: asyncio.Transport | None = None
        # What the transport did not get yet, because it has enough.
        self._outgoing: deque[memoryview] = deque()
        self._is_paused = False
        self._writable = anyio.Event()
        self._writable.set()
        # Why the channel ended; None while it works, "" where the guest just went away.
        self.fault: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether frames can still pass."""
        return self.fault is None

    def attach(self, receiver: Receiver, frames: Mapping[FrameKind, tuple[int, int]]) -> None:
        """Give the frames that follow to another receiver."""
        self._receiver = receiver
        self._decoder.allow(frames)

    def detach(self) -> None:
        """Expect no frame: one that comes breaks the channel."""
        self._receiver = None
        self._decoder.allow(_FRAMES_WHILE_IDLE)

    def send(
        self,
        kind: FrameKind,
        *,
        number: int = 0,
        head: Mapping[str, Any] | None = None,
        body: bytes = b"",
    ) -> int:
        """Send one frame and tell its size in bytes."""
        if self._transport is None or self.fault is not None:
            return 0
        start = encode_start(kind, number=number, head=head, body_bytes=len(body))
        if self._writable.is_set() and len(body) <= _PIECE_BYTES:
            self._transport.write(start + body)
        else:
            self._outgoing += (memoryview(start), memoryview(body))
            self._pump(self._transport)
        return len(start) + len(body)

    async def writable(self) -> None:
        """Return once the guest has taken most of what was sent."""
        # Waiting for what is so already would still cost a turn of the loop.
        if not self._writable.is_set():
            await self._writable.wait()

    def pause_reading(self) -> None:
        """Read nothing until `resume_reading`, so that the guest has to wait."""
        if self._transport is not None and self.fault is None:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read again."""
        if self._transport is not None and self.fault is None:
            self._transport.resume_reading()

    def close(self) -> None:
        """Close the connection; idempotent."""
        self._lose(CLOSED)

    def break_off(self, fault: str) -> None:
        """Close the connection because of what the guest sent."""
        self._lose(fault)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Decode what came and pass complete frames on."""
        if self.fault is not None:
            return
        try:
            for frame in self._decoder.feed(data):
                self._deliver(frame)
        except FrameError as fault:
            self._lose(str(fault))

    def connection_lost(self, exc: Exception | None) -> None:
        """The guest went away."""
        del exc
        self._lose("")

    def pause_writing(self) -> None:
        """The guest reads too slowly."""
        self._is_paused = True
        if self._writable.is_set():
            self._writable = anyio.Event()

    def resume_writing(self) -> None:
        """The guest has caught up."""
        self._is_paused = False
        if self._transport is not None and self.fault is None:
            self._pump(self._transport)

    def _pump(self, transport: asyncio.Transport) -> None:
        """Write until the transport has enough; `pause_writing` says so from inside `write`."""
        while self._outgoing and not self._is_paused:
            data = self._outgoing.popleft()
            if len(data) > _PIECE_BYTES:
                self._outgoing.appendleft(data[_PIECE_BYTES:])
            transport.write(data[:_PIECE_BYTES])
        if self._outgoing or self._is_paused:
            if self._writable.is_set():
                self._writable = anyio.Event()
        else:
            self._writable.set()

    def _deliver(self, frame: Frame) -> None:
        if self._receiver is None:
            raise FrameError(f"{frame.kind.name} frame outside of a run")
        self._receiver.frame_received(frame)

    def _lose(self, fault: str) -> None:
        if self.fault is not None:
            return
        self.fault = fault
        self._outgoing.clear()
        self._writable.set()
        if self._transport is not None:
            self._transport.abort()
        if self._receiver is not None:
            self._receiver.channel_lost()
