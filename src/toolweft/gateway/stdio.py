"""Serves one client over standard input and output.

While it serves, only protocol messages reach the real standard output: descriptor 1 points at
standard error and descriptor 0 at the null device, for this process and for its children. Reading
waits for the descriptor and not in a thread, so that a signal can end it at any time.
"""

import fcntl
import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import anyio
import anyio.to_thread
import mcp_types
from anyio.lowlevel import checkpoint
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.server.lowlevel import Server
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from toolweft.core.json import Json
from toolweft.gateway.lines import LineSplitter
from toolweft.gateway.options import MAX_MESSAGE_BYTES
from toolweft.gateway.signals import stop_on_signal

__all__ = ("serve_stdio",)

_READ_BYTES = 64 * 1024


async def serve_stdio(server: Server[Json]) -> None:
    """Serve until the client closes its end, or SIGINT or SIGTERM arrives."""
    with _claimed_descriptors() as (read_fd, write_fd):
        await serve_descriptors(server, read_fd=read_fd, write_fd=write_fd)


async def serve_descriptors(server: Server[Json], *, read_fd: int, write_fd: int) -> None:
    """Serve over two descriptors until the reading one ends."""
    # No buffer: a client that does not read its answers is not read from either.
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_read_messages, read_fd, to_server, to_client.clone())
        async with anyio.create_task_group() as until_over:
            until_over.start_soon(stop_on_signal, tasks.cancel_scope.cancel)
            until_over.start_soon(_write_messages, write_fd, from_server, tasks.cancel_scope)
            await server.run(from_client, to_client, server.create_initialization_options())
            until_over.cancel_scope.cancel()
        tasks.cancel_scope.cancel()


async def _read_messages(
    fd: int,
    to_server: MemoryObjectSendStream[SessionMessage | Exception],
    to_client: MemoryObjectSendStream[SessionMessage],
) -> None:
    splitter = LineSplitter(max_line_bytes=MAX_MESSAGE_BYTES)
    async with to_server, to_client:
        while chunk := await _read(fd):
            for line in splitter.feed(chunk):
                if line is None:
                    await to_client.send(_refusal(f"a message is above {MAX_MESSAGE_BYTES} bytes"))
                    continue
                try:
                    message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
                except ValidationError:
                    await to_client.send(_refusal("a line is not a JSON-RPC message"))
                    continue
                await to_server.send(SessionMessage(message))


async def _write_messages(
    fd: int, from_server: MemoryObjectReceiveStream[SessionMessage], scope: anyio.CancelScope
) -> None:
    async with from_server:
        async for item in from_server:
            text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
            try:
                await _write(fd, text.encode() + b"\n")
            except BrokenPipeError:
                # The client is gone, and with it the reason for all that runs.
                scope.cancel()
                return


def _refusal(reason: str) -> SessionMessage:
    error = mcp_types.ErrorData(code=mcp_types.PARSE_ERROR, message=reason)
    return SessionMessage(mcp_types.JSONRPCError(jsonrpc="2.0", id=None, error=error))


async def _read(fd: int) -> bytes:
    try:
        await anyio.wait_readable(fd)
    except PermissionError:
        # A regular file cannot be waited for, and need not be.
        await checkpoint()
    return os.read(fd, _READ_BYTES)


async def _write(fd: int, data: bytes) -> None:
    # What fits an empty pipe page is written at once; the rest may block, so a thread does it.
    if len(data) <= select.PIPE_BUF:
        try:
            await anyio.wait_writable(fd)
        except PermissionError:
            await checkpoint()
        _write_all(fd, data)
    else:
        # Only a client that stopped reading holds the thread; leave it then, it dies with us.
        await anyio.to_thread.run_sync(_write_all, fd, data, abandon_on_cancel=True)


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]


@contextmanager
def _claimed_descriptors() -> Iterator[tuple[int, int]]:
    """Private duplicates of standard input and output, which point elsewhere meanwhile."""
    # Duplicates above the standard range, closed in children.
    read_fd = fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3)
    write_fd = fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3)
    null_fd = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.dup2(null_fd, 0)
        os.dup2(2, 1)
        yield read_fd, write_fd
    finally:
        # What was printed meanwhile goes where it was meant to go, not on the wire.
        if sys.stdout is not None:
            sys.stdout.flush()
        os.dup2(read_fd, 0)
        os.dup2(write_fd, 1)
        for fd in (read_fd, write_fd, null_fd):
            os.close(fd)
