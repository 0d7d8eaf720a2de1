"""Ends a call at its deadline: the caller's, or the tool's own time limit, whichever is first."""

from dataclasses import replace

import anyio

from toolweft.core.calls import ToolCall, ToolResult
from toolweft.core.clock import Clock
from toolweft.core.errors import CallTimeout
from toolweft.core.ports import Proceed
from toolweft.core.snapshot import CatalogTool

__all__ = ("Deadline",)

_RUN_HINT = (
    "the time of the run or request that made the call is over; do less at once; "
    "of a program, limits.wall_s is that time"
)


class Deadline:
    """Cancels what is behind it when the time is over, and passes the deadline on."""

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock

    async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
        """Proceed with an absolute deadline.

        Raises:
            CallTimeout: before anything was sent, where the deadline is already past; otherwise
                after what was under way has been cancelled.
        """
        now_s = self._clock.monotonic_s()
        # A coroutine that never suspends cannot be cancelled, so this comes before it.
        if now_s >= call.deadline_s:
            raise CallTimeout(
                f"{tool.qualified} was not called: its deadline is past", hint=_RUN_HINT
            )
        left_s = call.deadline_s - now_s
        deadline_s = min(call.deadline_s, now_s + tool.timeout_s)
        # The scope counts in the event loop's time, which need not be the clock's.
        with anyio.move_on_after(min(left_s, tool.timeout_s)) as scope:
            return await proceed(replace(call, deadline_s=deadline_s), tool)
        assert scope.cancelled_caught
        raise _describe_timeout(tool, left_s)


def _describe_timeout(tool: CatalogTool, left_s: float) -> CallTimeout:
    if left_s < tool.timeout_s:
        return CallTimeout(
            f"{tool.qualified} gave no answer within the {left_s:.3g} s left", hint=_RUN_HINT
        )
    return CallTimeout(
        f"{tool.qualified} gave no answer within {tool.timeout_s:g} s",
        hint=f"its own limit is timeout_s = {tool.timeout_s:g}; raise timeout_s for this tool "
        "or its source in toolweft.toml, or catalog.default_timeout_s for all without one",
    )
