"""Servers that ask, and clients that remember what they were asked."""

import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from tests.sources.support import AT_ONCE, NEVER, PATIENT_S, SERVERS, WaitingListener

from toolweft.core.calls import LOCAL, Principal
from toolweft.core.client import Ask, CallingClient, Progress
from toolweft.core.clock import SystemClock
from toolweft.core.errors import AskRefused
from toolweft.core.ids import SourceName, ToolName
from toolweft.sources import HttpServerOptions, HttpSource, Memory, StdioServerOptions, StdioSource
from toolweft.sources.mcp.backoff import Patience
from toolweft.testing import build_call

EVERYTHING = {
    "elicitation": {"form": {}, "url": {}},
    "sampling": {"tools": {}},
    "roots": {"listChanged": True},
}
SAMPLED = {
    "role": "assistant",
    "content": {"type": "text", "text": "Paris"},
    "model": "m",
    "stopReason": "endTurn",
}


class AskedClient:
    """Answers everything, and remembers it.

    Args:
        name: what it answers forms with.
        answer: in place of its own answers.
    """

    def __init__(
        self,
        name: str = "Ada",
        *,
        capabilities: dict[str, Any] | None = None,
        answer: Callable[[Ask], Awaitable[dict[str, Any]]] | None = None,
        log_level: str | None = None,
        wants_progress: bool = False,
        meta: dict[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.capabilities = EVERYTHING if capabilities is None else capabilities
        self.log_level = log_level
        self.wants_progress = wants_progress
        self.meta = meta or {}
        self.asks: list[Ask] = []
        self.withdrawn: list[Ask] = []
        self.progress: list[Progress] = []
        self.lines: list[tuple[str, Any, str | None]] = []
        # Set, and never again, when the first question came, and when one was taken back.
        self.asked = anyio.Event()
        self.taken_back = anyio.Event()
        self._answer = answer

    async def ask(self, ask: Ask) -> dict[str, Any]:
        self.asks.append(ask)
        self.asked.set()
        try:
            await anyio.lowlevel.checkpoint()
            return await self._answer(ask) if self._answer else self.own_answer(ask)
        except anyio.get_cancelled_exc_class():
            self.withdrawn.append(ask)
            self.taken_back.set()
            raise

    def own_answer(self, ask: Ask) -> dict[str, Any]:
        if ask.kind == "sampling":
            return SAMPLED
        if ask.kind == "roots":
            return {"roots": [{"uri": f"file:///home/{self.name}", "name": "home"}]}
        if ask.params.get("mode") == "url":
            return {"action": "accept"}
        return {"action": "accept", "content": {"name": self.name, "age": 36}}

    def report(self, progress: Progress) -> None:
        self.progress.append(progress)

    def log(self, level: str, data: Any, *, logger: str | None = None) -> None:
        self.lines.append((level, data, logger))


async def never(ask: Ask) -> dict[str, Any]:
    """A person who does not answer."""
    await anyio.sleep_forever()
    raise AssertionError


async def refuse(ask: Ask) -> dict[str, Any]:
    """A person who did not answer in time."""
    raise AskRefused("nobody answered in time", hint="call again")


@asynccontextmanager
async def http_server(revision: str) -> AsyncIterator[str]:
    """The asking server in a child process, and its address."""
    command = [sys.executable, str(SERVERS / "asking.py"), "http", revision]
    async with await anyio.open_process(command) as process:
        assert process.stdout is not None
        line = b""
        with anyio.fail_after(PATIENT_S):
            while not line.endswith(b"\n"):
                line += await process.stdout.receive()
        try:
            yield f"http://127.0.0.1:{int(line)}/mcp"
        finally:
            if process.returncode is None:
                process.kill()


@asynccontextmanager
async def asking_source(
    transport: str,
    revision: str,
    listener: WaitingListener,
    *,
    memory: Memory | None = None,
    **options: Any,
) -> AsyncIterator[StdioSource | HttpSource]:
    """A source of the asking server, run and ready."""
    more: dict[str, Any] = {
        "listener": listener,
        "clock": SystemClock(),
        "patience": Patience(start_timeout_s=PATIENT_S, again=AT_ONCE, never_ready=NEVER),
        "memory": memory,
    }
    name = SourceName("bank")
    if transport == "stdio":
        args = (str(SERVERS / "asking.py"), "stdio", revision)
        given = StdioServerOptions(name=name, command=sys.executable, args=args, **options)
        async with running(StdioSource(given, **more), listener) as source:
            yield source
        return
    async with http_server(revision) as url:
        web = HttpSource(HttpServerOptions(name=name, url=url, **options), **more)
        async with running(web, listener) as source:
            yield source


@asynccontextmanager
async def running(source: Any, listener: WaitingListener) -> AsyncIterator[Any]:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(source.run)
        with anyio.fail_after(PATIENT_S):
            await source.reporter.settled.wait()
        assert source.reporter.status.state in {"ready", "idle"}, source.reporter.status.reason
        yield source
        tasks.cancel_scope.cancel()


async def call(
    source: Any,
    tool: str,
    client: CallingClient,
    arguments: dict[str, Any] | None = None,
    *,
    principal: Principal = LOCAL,
) -> Any:
    """One call's structured result, or its text where it failed."""
    with anyio.fail_after(PATIENT_S):
        made = build_call(tool, arguments, timeout_s=PATIENT_S, client=client, principal=principal)
        result = await source.call_tool(ToolName(tool), made)
    return result.content[0].text if result.is_error else result.structured
