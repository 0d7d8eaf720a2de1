"""Calls of a source that is still starting wait for it instead of failing."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio

from toolweft.core.calls import ToolCall, ToolResult
from toolweft.core.clock import Clock
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
        clock: in whose time the deadlines of calls are.
    """

    def __init__(
        self,
        road: _Road,
        *,
        settle: Callable[[SourceName], Awaitable[None]],
        holder: SnapshotHolder,
        clock: Clock,
    ) -> None:
        self._road = road
        self._settle = settle
        self._holder = holder
        self._clock = clock

    async def call(self, call: ToolCall) -> ToolResult:
        """Make one call, once its source has settled or its time is up."""
        snapshot = self._holder.snapshot
        if snapshot.find(call.tool) is None:
            for status in snapshot.sources.values():
                if status.state == "starting" and _belongs(call.tool, status):
                    with anyio.move_on_after(call.deadline_s - self._clock.monotonic_s()):
                        await self._settle(status.name)
        return await self._road.call(call)


def _belongs(tool: str, status: SourceStatus) -> bool:
    return tool.startswith((f"{status.python_name}.", f"{status.name}.", f"{status.name}__"))
