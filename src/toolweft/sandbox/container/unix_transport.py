"""Requests over a socket of this machine, by streams that may be given up at any moment.

The usual ones, anyio's, fail in the event loop where a wait is cancelled just as something comes:
the engine answers that a container has ended when nobody wants to know it any more.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore2
import httpx2

__all__ = ("UnixTransport",)


class UnixTransport(httpx2.AsyncHTTPTransport):
    """Sends each request on a connection of its own, which costs nothing on this machine.

    Args:
        path: of the socket.
    """

    def __init__(self, path: str) -> None:
        super().__init__(trust_env=False)
        self._pool = httpcore2.AsyncConnectionPool(
            uds=path, max_keepalive_connections=0, network_backend=_Backend()
        )


class _Backend(httpcore2.AsyncNetworkBackend):
    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        try:
            with anyio.fail_after(timeout):
                return _Stream(*await asyncio.open_unix_connection(path))
        except TimeoutError as fault:
            raise httpcore2.ConnectTimeout(str(fault)) from fault
        except OSError as fault:
            raise httpcore2.ConnectError(str(fault)) from fault

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class _Stream(httpcore2.AsyncNetworkStream):
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(
        self,
        max_bytes: int,
        timeout: float | None = None,
    ) -> bytes:
        try:
            with anyio.fail_after(timeout):
                return await self._reader.read(max_bytes)
        except TimeoutError as fault:
            raise httpcore2.ReadTimeout(str(fault)) from fault
        except OSError as fault:
            raise httpcore2.ReadError(str(fault)) from fault

    async def write(
        self,
        buffer: bytes,
        timeout: float | None = None,
    ) -> None:
        try:
            with anyio.fail_after(timeout):
                self._writer.write(buffer)
                await self._writer.drain()
        except TimeoutError as fault:
            raise httpcore2.WriteTimeout(str(fault)) from fault
        except OSError as fault:
            raise httpcore2.WriteError(str(fault)) from fault

    async def aclose(self) -> None:
        self._writer.transport.abort()

    def get_extra_info(self, info: str) -> Any:
        # Nothing is ever kept, so nobody asks whether it is still good.
        return None
