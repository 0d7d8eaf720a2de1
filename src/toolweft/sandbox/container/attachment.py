"""A container's standard streams as one connection.

A request turns its connection into a raw stream: what is written is standard input; what comes is
standard output and standard error in pieces, each behind eight bytes that say which and how long.
Whoever takes the output is an asyncio protocol and writes to the transport as if it were alone.
"""

import asyncio
import struct
from contextlib import suppress
from typing import Protocol

import anyio

from toolweft.sandbox.container.engine import Engine, EngineError

__all__ = ("Attachment", "Taker", "attach")

_PIECE = struct.Struct(">BxxxI")
_STDERR = 2
_MAX_HEAD_BYTES = 16 * 1024
_KEPT_STDERR_BYTES = 2048
# 200 where a proxy in between has taken the word "upgrade" away.
_ACCEPTED = (101, 200)


class Taker(Protocol):
    """Who gets standard output and writes standard input."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The streams are connected; the container may not have started."""
        ...

    def data_received(self, data: bytes) -> None:
        """The container wrote this."""
        ...

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more will come."""
        ...

    def pause_writing(self) -> None:
        """The container reads too slowly."""
        ...

    def resume_writing(self) -> None:
        """It has caught up."""
        ...


class Attachment(asyncio.Protocol):
    """Speaks the request, then hands the streams to a taker."""

    def __init__(self, request: bytes, taker: Taker) -> None:
        self._request = request
        self._taker = taker
        self._transport: asyncio.BaseTransport | None = None
        self._buffer = bytearray()
        self._is_stream = False
        # Bytes that are left of the piece being read, and whether they are standard error.
        self._left = 0
        self._is_stderr = False
        self._stderr = bytearray()
        self.settled = anyio.Event()
        # Why it was refused; None where it works.
        self.fault: str | None = "the engine closed the connection"

    @property
    def stderr(self) -> str:
        """The end of what came on standard error."""
        return self._stderr.decode("utf-8", "replace").strip()

    def write(self, data: bytes) -> None:
        """Send to standard input, past the taker."""
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.write(data)

    def close(self) -> None:
        """Drop the connection; idempotent."""
        if isinstance(self._transport, asyncio.Transport):
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Read the answer first, then pieces."""
        if self._is_stream:
            self._split(data)
            return
        self._buffer += data
        head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not found:
            if len(head) > _MAX_HEAD_BYTES:
                self._refuse("the engine's answer has no end")
            return
        status = _read_status(head)
        if status not in _ACCEPTED:
            self._refuse(f"status {status} {rest[:200].decode('utf-8', 'replace')}".strip())
            return
        self._buffer.clear()
        self._is_stream = True
        self.fault = None
        assert self._transport is not None
        self._taker.connection_made(self._transport)
        self.settled.set()
        self._split(rest)

    def connection_lost(self, exc: Exception | None) -> None:
        """The container has ended, or the engine."""
        self.settled.set()
        if self._is_stream:
            self._taker.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass it on."""
        self._taker.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._taker.resume_writing()

    def _refuse(self, fault: str) -> None:
        self.fault = fault
        self.settled.set()
        self.close()

    def _split(self, data: bytes) -> None:
        """Give each piece to whom it belongs, as far as it has come."""
        rest = memoryview(data)
        while rest:
            if self._left:
                part = rest[: self._left]
                self._left -= len(part)
                rest = rest[len(part) :]
                self._take(bytes(part))
                continue
            wanted = _PIECE.size - len(self._buffer)
            self._buffer += rest[:wanted]
            rest = rest[wanted:]
            if len(self._buffer) == _PIECE.size:
                stream, self._left = _PIECE.unpack(self._buffer)
                self._is_stderr = stream == _STDERR
                self._buffer.clear()

    def _take(self, part: bytes) -> None:
        if not self._is_stderr:
            self._taker.data_received(part)
            return
        self._stderr += part
        del self._stderr[:-_KEPT_STDERR_BYTES]


async def attach(engine: Engine, container: str, taker: Taker) -> Attachment:
    """Connect the standard streams of a container that has not started yet.

    Raises:
        EngineError: the engine refused.
    """
    address = engine.address
    request = (
        f"POST {engine.prefix}/containers/{container}/attach"
        "?stream=1&stdin=1&stdout=1&stderr=1 HTTP/1.1\r\n"
        f"Host: {address.host or 'engine'}\r\n"
        "Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n"
    )
    attachment = Attachment(request.encode("ascii"), taker)
    loop = asyncio.get_running_loop()
    try:
        if address.path:
            await loop.create_unix_connection(lambda: attachment, address.path)
        else:
            await loop.create_connection(
                lambda: attachment, address.host, address.port, ssl=address.tls
            )
        await attachment.settled.wait()
    except OSError as fault:
        raise EngineError(f"the engine cannot be reached: {fault}") from fault
    except BaseException:
        attachment.close()
        raise
    if attachment.fault is not None:
        raise EngineError(f"the engine attaches to no container: {attachment.fault}")
    return attachment


def _read_status(head: bytes) -> int:
    """The number in `HTTP/1.1 101 UPGRADED`; 0 where there is none."""
    with suppress(IndexError, ValueError):
        return int(head.split(None, 2)[1])
    return 0
