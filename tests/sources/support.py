"""Starting test servers, and waiting for what sources say of themselves."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio

from toolweft.core.clock import SystemClock
from toolweft.core.discovery import DiscoveryCache
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.snapshot import SourceStatus
from toolweft.core.tools import ToolDefinition
from toolweft.sources import Memory, StdioServerOptions, StdioSource
from toolweft.sources.mcp.backoff import Backoff, Patience
from toolweft.testing import RecordingListener, build_call

SERVERS = Path(__file__).parent.parent / "fixtures" / "servers"
# Any date will do: the road enforces deadlines, sources only pass them on.
FAR_S = 1e12
# Long enough for a busy machine; nothing waits for it unless it fails.
PATIENT_S = 30.0
NEVER = Backoff(initial_s=600.0, max_s=600.0)
AT_ONCE = Backoff(initial_s=0.01, max_s=0.01)


class WaitingListener(RecordingListener):
    """Remembers everything, and can be waited for."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = anyio.Event()

    async def prepare(self, status: SourceStatus, definitions: Sequence[ToolDefinition]) -> None:
        """Do nothing: what comes is taken as it comes."""

    def source_changed(
        self, status: SourceStatus, definitions: Sequence[ToolDefinition] | None
    ) -> None:
        super().source_changed(status, definitions)
        self._changed.set()
        self._changed = anyio.Event()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(PATIENT_S):
            while not condition():
                await self._changed.wait()

    async def wait_for(self, name: str, state: str) -> SourceStatus:
        await self.wait_until(lambda: getattr(self.latest(name), "state", None) == state)
        status = self.latest(name)
        assert status is not None
        return status

    def tool_names(self, name: str) -> list[str]:
        return [definition.name for definition in self.tools(name)]


def build_memory(cache: DiscoveryCache, *, start_after: anyio.Event | None = None) -> Memory:
    """A memory of an hour; what must be started in any case starts at once."""
    if start_after is None:
        start_after = anyio.Event()
        start_after.set()
    return Memory(cache=cache, refresh_s=3600.0, start_after=start_after)


def build_stdio(
    listener: WaitingListener,
    *arguments: str,
    name: str = "plain",
    start_timeout_s: float = PATIENT_S,
    again: Backoff = NEVER,
    never_ready: Backoff = NEVER,
    **options: Any,
) -> StdioSource:
    """A test server by its file's name and arguments, not yet running."""
    script, *rest = arguments or ("plain.py",)
    options.setdefault("command", sys.executable)
    options.setdefault("args", (str(SERVERS / script), *rest))
    return StdioSource(
        StdioServerOptions(name=SourceName(name), **options),
        listener=listener,
        clock=SystemClock(),
        patience=Patience(start_timeout_s=start_timeout_s, again=again, never_ready=never_ready),
    )


async def use(source: Any, tool: str, **arguments: Any) -> Any:
    """Call a tool, within a time that only a fault exceeds."""
    with anyio.fail_after(PATIENT_S):
        call = build_call(tool, arguments, timeout_s=FAR_S)
        return await source.call_tool(ToolName(tool), call)


def is_alive(pid: int) -> bool:
    """Whether a process runs; a dead one that nobody has reaped yet does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8")
    except FileNotFoundError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"
