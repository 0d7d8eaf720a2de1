"""Calls of a source that is starting or down wait for it, or have it started once more.

So does the first call of one whose tools are only remembered: it is held against what the source
lists now, never against what it listed once.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio

from toolweft.core.calls import ToolCall, ToolResult
from toolweft.core.countdown import Countdown
from toolweft.core.ids import SourceName
from toolweft.core.ports import SnapshotHolder
from toolweft.core.snapshot import SourceStatus

__all__ = ("PatientRoad",)


class _Road(Protocol):
    """Makes calls; whatever goes wrong is in the result."""

    async def call(self, call: ToolCall) -> ToolResult: ...


class PatientRoad:
    """A road in front of which calls wait for the source they name.

    A source ends its start by itself, so nobody waits longer than its start time-out.

    Args:
        road: makes the calls.
        settle: returns once a source has settled.
        holder: knows how sources are spelled in Python.
    """

    def __init__(
        self,
        road: _Road,
        *,
        settle: Callable[[SourceName], Awaitable[None]],
        holder: SnapshotHolder,
    ) -> None:
        self._road = road
        self._settle = settle
        self._holder = holder

    async def call(self, call: ToolCall) -> ToolResult:
        """Make one call, once its source has settled or its time is up."""
        snapshot = self._holder.snapshot
        tool = snapshot.find(call.tool)
        if tool is not None:
            status = snapshot.sources.get(tool.definition.namespace)
            is_remembered = status is not None and status.state in {"idle", "starting"}
            # A refusal that is certain starts nothing.
            may_be_called = tool.status == "available" and call.caller.type in tool.callers
            if tool.status == "unavailable" or (is_remembered and may_be_called):
                await self._wait_for(tool.definition.namespace, call.countdown)
        else:
            for status in snapshot.sources.values():
                if status.state == "starting" and _belongs(call.tool, status):
                    await self._wait_for(status.name, call.countdown)
        return await self._road.call(call)

    async def _wait_for(self, source: SourceName, countdown: Countdown) -> None:
        with anyio.CancelScope() as scope, countdown.drive(scope, anyio.current_time):
            await self._settle(source)


def _belongs(tool: str, status: SourceStatus) -> bool:
    return tool.startswith((f"{status.python_name}.", f"{status.name}.", f"{status.name}__"))
