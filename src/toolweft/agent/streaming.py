"""Events of work that goes on by itself, for whoever reads them."""

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Final

import anyio

from toolweft.agent.events import AgentEvent, Emit

__all__ = ("stream_events",)

# Runs and containers end within this when the reader goes away.
_END_TIMEOUT_S: Final = 30.0


async def stream_events(work: Callable[[Emit], Awaitable[None]]) -> AsyncIterator[AgentEvent]:
    """The events of one piece of work, as they happen.

    The work runs in a task of its own, so that what it opens is closed in the task that opened it:
    a reader may go away in the middle and be finalised anywhere. The work is cancelled then.

    Raises:
        Whatever the work raises, after its last event.
    """
    send, receive = anyio.create_memory_object_stream[AgentEvent](math.inf)

    def emit(event: AgentEvent) -> None:
        # The reader has gone, and the work is about to be cancelled; or the work is over, and a
        # program that it left running goes on.
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            send.send_nowait(event)

    async def run() -> None:
        with send:
            await work(emit)

    # A generator may not hold a task group across a yield: see above.
    running = asyncio.create_task(run())  # noqa: TID251 -- as said
    try:
        with receive:
            async for event in receive:
                yield event
        await running
    except BaseExceptionGroup as group:
        raise _single(group) from None
    finally:
        running.cancel()
        with anyio.move_on_after(_END_TIMEOUT_S, shield=True):
            await asyncio.wait([running])


def _single(error: BaseException) -> BaseException:
    """The one error inside nested groups of one, as task groups wrap it."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
