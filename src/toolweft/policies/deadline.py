"""Ends a call at its deadline: the caller's, or the tool's own time limit, whichever is first."""

from dataclasses import replace

import anyio

from toolweft.core.calls import ToolCall, ToolResult
from toolweft.core.errors import CallTimeout
from toolweft.core.ports import Proceed
from toolweft.core.snapshot import CatalogTool

__all__ = ("Deadline",)

_RUN_HINT = (
    "the time of the run or request that made the call is over; do less at once; "
    "of a program, limits.wall_s is that time"
)


class Deadline:
    """Cancels what is behind it when the time is over, and passes on what is left.

    Time in which a call waits for a person counts for neither limit.
    """

    async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
        """Proceed with a countdown of the call's own.

        Raises:
            CallTimeout: before anything was sent, where nothing is left; otherwise after what was
                under way has been cancelled.
        """
        left_s = call.countdown.left_s()
        # A coroutine that never suspends cannot be cancelled, so this comes before it.
        if left_s <= 0:
            raise CallTimeout(
                f"{tool.qualified} was not called: its deadline is past", hint=_RUN_HINT
            )
        own = call.countdown.within(tool.timeout_s)
        with anyio.CancelScope() as scope, own.drive(scope, anyio.current_time):
            return await proceed(replace(call, countdown=own), tool)
        assert scope.cancelled_caught
        # In this order: where the caller's is the one that is over, it is not the later one.
        own_left_s = own.left_s()
        if call.countdown.left_s() <= own_left_s:
            raise CallTimeout(
                f"{tool.qualified} gave no answer within the {left_s:.3g} s left", hint=_RUN_HINT
            )
        raise CallTimeout(
            f"{tool.qualified} gave no answer within {tool.timeout_s:g} s",
            hint=f"its own limit is timeout_s = {tool.timeout_s:g}; raise timeout_s for this tool "
            "or its source in toolweft.toml, or catalog.default_timeout_s for all without one",
        )
