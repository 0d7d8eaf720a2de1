"""Serves one client over standard input and output.

While it serves, only protocol messages reach the real standard output: descriptor 1 points at
standard error and descriptor 0 at the null device, for this process and for its children.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import mcp_types
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.shared.message import SessionMessage
from pydantic import ValidationError

from toolweft.gateway.descriptors import (
    claim_standard_descriptors,
    is_gone,
    read_some,
    write_all,
)
from toolweft.gateway.lines import LineSplitter
from toolweft.gateway.options import MAX_MESSAGE_BYTES
from toolweft.gateway.outstanding import Outstanding
from toolweft.gateway.signals import stop_on_signal

__all__ = ("StdioServer", "serve_descriptors", "serve_stdio")

log = logging.getLogger(__name__)

# For requests that were piped in (`toolweft serve < requests`); a client that shuts its server
# down waits about as long before it sends a signal.
_LAST_ANSWERS_S = 2.0


class StdioServer(Protocol):
    """Whatever answers one client: our own server, or one that is somewhere else."""

    async def run(
        self,
        read_stream: MemoryObjectReceiveStream[SessionMessage | Exception],
        write_stream: MemoryObjectSendStream[SessionMessage],
        initialization_options: Any,
        /,
    ) -> None:
        """Answer until the client has said its last."""
        ...

    def create_initialization_options(self) -> Any:
        """What `run` is given beside the streams."""
        ...


async def serve_stdio(server: StdioServer) -> None:
    """Serve until the client closes its end, or SIGINT or SIGTERM arrives."""
    with claim_standard_descriptors() as (read_fd, write_fd):
        await serve_descriptors(server, read_fd=read_fd, write_fd=write_fd)


async def serve_descriptors(
    server: StdioServer,
    *,
    read_fd: int,
    write_fd: int,
    last_answers_s: float = _LAST_ANSWERS_S,
) -> None:
    """Serve over two descriptors until the reading one ends.

    Args:
        server: from `build_server`, or a `Forwarder`.
        read_fd: where requests come from, one a line.
        write_fd: where answers go.
        last_answers_s: what was asked before the end is answered within this, while somebody reads.
    """
    # No buffer: a client that does not read its answers is not read from either.
    to_server, from_client = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    to_client, from_server = anyio.create_memory_object_stream[SessionMessage](0)
    outstanding = Outstanding()
    reader = _Reader(to_server=to_server, to_client=to_client.clone(), outstanding=outstanding)

    async def read() -> None:
        async with to_server, reader.to_client:
            await reader.read_all(read_fd)
            if not is_gone(write_fd):
                with anyio.move_on_after(last_answers_s):
                    await outstanding.wait_until_none()

    async def write() -> None:
        try:
            await _write_messages(write_fd, from_server, outstanding)
        except BrokenPipeError:
            # The client is gone, and with it the reason for all that runs.
            tasks.cancel_scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_on_signal, tasks.cancel_scope.cancel)
        tasks.start_soon(read)
        tasks.start_soon(write)
        await server.run(from_client, to_client, server.create_initialization_options())
        tasks.cancel_scope.cancel()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    """Lines to messages for the server; what is no message is answered at once."""

    to_server: MemoryObjectSendStream[SessionMessage | Exception]
    to_client: MemoryObjectSendStream[SessionMessage]
    outstanding: Outstanding

    async def read_all(self, fd: int) -> None:
        splitter = LineSplitter(max_line_bytes=MAX_MESSAGE_BYTES)
        while chunk := await read_some(fd):
            for line in splitter.feed(chunk):
                await self._pass_on(line)

    async def _pass_on(self, line: bytes | None) -> None:
        if line is None:
            await self.to_client.send(_refusal(f"a message is above {MAX_MESSAGE_BYTES} bytes"))
            return
        try:
            message = mcp_types.jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValidationError:
            refusal = _refusal("a line is not a JSON-RPC message", request_id=_read_id(line))
            await self.to_client.send(refusal)
            return
        self.outstanding.arrived(message)
        await self.to_server.send(SessionMessage(message))


async def _write_messages(
    fd: int, from_server: MemoryObjectReceiveStream[SessionMessage], outstanding: Outstanding
) -> None:
    async with from_server:
        async for item in from_server:
            await write_all(fd, _encode(item.message) + b"\n")
            outstanding.sent(item.message)


def _encode(message: mcp_types.JSONRPCMessage) -> bytes:
    try:
        return message.model_dump_json(by_alias=True, exclude_unset=True).encode()
    except ValueError:
        # A lone surrogate somewhere: one answer must not end the server for all that follow.
        log.exception("gateway.message_unsendable")
        data = message.model_dump(mode="python", by_alias=True, exclude_unset=True)
        return json.dumps(data, default=str, ensure_ascii=False).encode("utf-8", "replace")


def _refusal(reason: str, *, request_id: str | int | None = None) -> SessionMessage:
    error = mcp_types.ErrorData(code=mcp_types.PARSE_ERROR, message=reason)
    return SessionMessage(mcp_types.JSONRPCError(jsonrpc="2.0", id=request_id, error=error))


def _read_id(line: bytes) -> str | int | None:
    """The id of a request that cannot be taken, so that whoever sent it need not wait."""
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        return None
    found = message.get("id") if isinstance(message, dict) else None
    is_sendable = isinstance(found, str) and found.isascii() and "method" in message
    return found if is_sendable or (type(found) is int and "method" in message) else None
