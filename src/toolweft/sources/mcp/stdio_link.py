"""The stdio transport: one JSON message a line, straight from and to the child's pipes.

No task stands between the pipes and the session, so a call costs two task switches less than
with queues, and a large message is read in time linear to its size. What is not a message is
skipped and counted; a response that cannot be handed over fails its own call, not the connection.
"""

import logging
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from types import TracebackType
from typing import Self

import anyio
import mcp_types as types
from mcp.client import Transport
from mcp.shared.message import SessionMessage

from toolweft.sources.mcp.depth import TooDeepError, mend_deep
from toolweft.sources.mcp.faults import build_fault
from toolweft.sources.mcp.halves import mend_halves
from toolweft.sources.mcp.lines import LineBuffer, OversizedLine, find_response_id
from toolweft.sources.mcp.process import ServerProcess, open_process
from toolweft.sources.options import StdioServerOptions

__all__ = ("StdioLink", "open_stdio_link")

log = logging.getLogger(__name__)

_READ_BYTES = 256 * 1024
# A cancellation notice is a courtesy: a server that reads nothing must not hold its caller.
_NOTICE_TIMEOUT_S = 0.2
_SHOWN_NOISE_CHARACTERS = 120


class _Reader:
    """Messages from the server's stdout, as the session's read stream."""

    def __init__(self, server: ServerProcess, *, options: StdioServerOptions) -> None:
        self._stdout = server.stdout
        self._options = options
        self._buffer = LineBuffer(max_line_bytes=options.max_message_bytes)
        self._ready: list[SessionMessage] = []
        self.ended = anyio.Event()
        self.noise_lines = 0
        self.first_noise = ""
        # An answer was dropped and nobody knows whose: whoever waits for it must not wait on.
        self._is_lost = False

    async def receive(self) -> SessionMessage:
        while not self._ready:
            try:
                chunk = await self._read()
            except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError):
                self.ended.set()
                raise anyio.EndOfStream from None
            parsed = (self._parse(line) for line in self._buffer.feed(chunk))
            self._ready = [message for message in parsed if message is not None][::-1]
            self._give_up_on_flood()
        return self._ready.pop()

    async def aclose(self) -> None:
        """Nothing to do: the pipe belongs to the process."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _read(self) -> bytes:
        if self._is_lost:
            raise anyio.EndOfStream
        return await self._stdout.receive(_READ_BYTES)

    def _parse(self, line: bytes | OversizedLine) -> SessionMessage | None:
        if isinstance(line, OversizedLine):
            return self._refuse(line)
        try:
            return _read_message(line)
        except ValueError:
            return self._mend(line) if line.strip() else None

    def _mend(self, line: bytes) -> SessionMessage | None:
        """A message of which only a part cannot be read, without that part."""
        try:
            mended = mend_deep(mend_halves(line))
            if mended is not line:
                return _read_message(mended)
        except TooDeepError as exc:
            return self._skip(line, str(exc))
        except ValueError:
            pass
        return self._skip(line, "the answer is no JSON-RPC response")

    def _give_up_on_flood(self) -> None:
        """A line above the cap that is no message and does not end: nothing can follow it."""
        flood = self._buffer.unfinished
        if flood is not None and not self._is_lost and not flood.head.lstrip().startswith(b"{"):
            cap = self._options.max_message_bytes
            self._note_noise(f"a line without end, above the cap of {cap:,} bytes")
            self._is_lost = True

    def _refuse(self, line: OversizedLine) -> SessionMessage | None:
        cap = self._options.max_message_bytes
        request_id = find_response_id(line.head, line.tail)
        if request_id is None:
            self._note_noise(f"a line of {line.size_bytes:,} bytes, above the cap of {cap:,}")
            self._is_lost = line.head.lstrip().startswith(b"{") and b'"method"' not in line.head
            return None
        fault = build_fault(
            "too_large", f"the answer has {line.size_bytes:,} bytes, the cap is {cap:,}"
        )
        return SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=request_id, error=fault))

    def _skip(self, line: bytes, reason: str) -> SessionMessage | None:
        request_id = find_response_id(line[:256], line[-256:])
        if request_id is None or b'"method"' in line[:256]:
            self._note_noise(line[:_SHOWN_NOISE_CHARACTERS].decode("utf-8", "replace").strip())
            return None
        fault = build_fault("malformed", reason)
        return SessionMessage(types.JSONRPCError(jsonrpc="2.0", id=request_id, error=fault))

    def _note_noise(self, text: str) -> None:
        self.noise_lines += 1
        if self.noise_lines == 1:
            self.first_noise = text
            log.warning("source.stdout_noise", extra={"source": self._options.name})


class _Writer:
    """Messages to the server's stdin, as the session's write stream."""

    def __init__(self, server: ServerProcess) -> None:
        self._stdin = server.stdin
        # Whole messages only, whoever sends at the same time.
        self._turn = anyio.Lock(fast_acquire=True)

    async def send(self, item: SessionMessage, /) -> None:
        text = item.message.model_dump_json(by_alias=True, exclude_unset=True)
        data = f"{text}\n".encode()
        if isinstance(item.message, types.JSONRPCNotification):
            with anyio.move_on_after(_NOTICE_TIMEOUT_S):
                await self._write(data)
        else:
            await self._write(data)

    async def aclose(self) -> None:
        """Nothing to do: the pipe belongs to the process."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _write(self, data: bytes) -> None:
        async with self._turn:
            try:
                await self._stdin.send(data)
            except OSError as exc:
                raise anyio.BrokenResourceError from exc


class StdioLink:
    """The pipes of one running server."""

    def __init__(self, server: ServerProcess, *, options: StdioServerOptions) -> None:
        self._server = server
        self._reader = _Reader(server, options=options)
        self._writer = _Writer(server)

    @property
    def transport(self) -> Transport:
        """The two streams."""
        return nullcontext((self._reader, self._writer))

    @property
    def noise_lines(self) -> int:
        """Lines on stdout that were no messages, so far."""
        return self._reader.noise_lines

    async def wait_ended(self) -> None:
        """Return when stdout ends, or the process dies while someone else keeps it open."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._watch_exit)
            await self._reader.ended.wait()
            tasks.cancel_scope.cancel()

    def explain(self) -> str:
        """Exit code and noise on stdout, as far as there are any."""
        parts = []
        code = self._server.exit_code
        # An exit after we closed its stdin says nothing about the server.
        if self._reader.ended.is_set() and code is not None:
            parts.append(_render_exit(code))
        noise = self._reader.noise_lines
        if noise:
            parts.append(
                f"{noise} line(s) on its stdout were no JSON-RPC, the first: "
                f"{self._reader.first_noise!r}"
            )
        return "; ".join(parts)

    def last_words(self) -> str:
        """The end of its stderr."""
        tail = self._server.stderr_tail()
        return f"last lines on its stderr:\n{tail}" if tail else ""

    async def _watch_exit(self) -> None:
        await self._server.wait_exit()
        self._reader.ended.set()


@asynccontextmanager
async def open_stdio_link(options: StdioServerOptions) -> AsyncIterator[StdioLink]:
    """Start the server and link to it; end it on leaving.

    Raises:
        SourceUnavailable: it cannot be started.
    """
    async with open_process(options) as server:
        yield StdioLink(server, options=options)


def _read_message(line: bytes) -> SessionMessage:
    return SessionMessage(types.jsonrpc_message_adapter.validate_json(line, by_name=False))


def _render_exit(code: int) -> str:
    if code >= 0:
        return f"it exited with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"it was killed by {name}"
