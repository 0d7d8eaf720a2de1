"""A call as the road gives it to a source."""

from toolweft.core.calls import DIRECT, LOCAL, Caller, Principal, ToolCall
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.clock import Clock, SystemClock
from toolweft.core.countdown import Countdown
from toolweft.core.ids import CallId
from toolweft.core.json import JsonObject

__all__ = ("build_call",)


def build_call(  # noqa: PLR0913 -- all that a call may differ in
    tool: str,
    arguments: JsonObject | None = None,
    *,
    timeout_s: float = 60.0,
    caller: Caller = DIRECT,
    principal: Principal = LOCAL,
    client: CallingClient = NOBODY,
    clock: Clock | None = None,
) -> ToolCall:
    """A call of that tool, of which nothing has been checked.

    Args:
        tool: as a caller writes it.
        arguments: as a caller gives them.
        timeout_s: what it has.
        caller: who makes it.
        principal: on whose behalf.
        client: who is asked what the tool asks.
        clock: counts its time; None for the real one.
    """
    return ToolCall(
        id=CallId("call-1"),
        tool=tool,
        arguments=arguments or {},
        caller=caller,
        principal=principal,
        countdown=Countdown(timeout_s, clock=clock or SystemClock()),
        client=client,
    )
