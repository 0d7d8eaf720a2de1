"""Runs the functions of users, so that none of them holds a call that is cancelled.

It knows no tool and no JSON. A thread cannot be stopped, and an async function can swallow its
cancellation: either is left behind then, and what it returns later is dropped.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from inspect import isawaitable
from typing import Any, TypeAlias

import anyio
import anyio.to_thread

__all__ = ("Invoker",)

log = logging.getLogger(__name__)

# Sync functions that run at once; more wait for a thread.
_MAX_THREADS = 40
# What a function returned or raised.
_Ending: TypeAlias = "asyncio.Future[tuple[Any, BaseException | None]]"
# How long an async function may clean up behind itself; a cancelled run is over in half a second.
_CLEAN_UP_S = 0.25


class Invoker:
    """Calls functions: sync ones in worker threads, async ones in tasks of their own.

    Not in tasks of a group: a group ends only after the last of its tasks, whatever that does.
    """

    def __init__(self) -> None:
        self._threads = anyio.CapacityLimiter(_MAX_THREADS)
        # Were cancelled and go on all the same.
        self._left: set[asyncio.Task[Any]] = set()

    async def call(
        self,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        *,
        is_async: bool,
        name: str,
    ) -> Any:
        """What the function returns, awaited where it is awaitable; it raises what that raises.

        Args:
            function: of the user.
            arguments: by keyword.
            is_async: whether it is called in the event loop.
            name: of the tool, for the log.
        """
        if is_async:
            return await self._wait_for(function(**arguments), name)
        returned = await anyio.to_thread.run_sync(
            partial(function, **arguments), abandon_on_cancel=True, limiter=self._threads
        )
        return await self._wait_for(returned, name) if isawaitable(returned) else returned

    async def close(self) -> None:
        """Cancel what was left behind once more; it is not waited for beyond its time."""
        left = set(self._left)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CLEAN_UP_S)

    async def _wait_for(self, awaitable: Awaitable[Any], name: str) -> Any:
        # Filled by the task itself: waiting for the task would take two more turns of the loop, and
        # awaited directly it would take the cancellation for its own, and keep it.
        ending: _Ending = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(_run(awaitable, ending))  # noqa: TID251 -- see the class
        try:
            value, error = await ending
        except asyncio.CancelledError:
            task.cancel()
            try:
                with anyio.CancelScope(shield=True):
                    await asyncio.wait({task}, timeout=_CLEAN_UP_S)
            finally:
                self._leave(task, name)
            raise
        if error is not None:
            raise error
        return value

    def _leave(self, task: asyncio.Task[Any], name: str) -> None:
        if not task.done():
            log.warning("tool.cancellation_ignored", extra={"tool": name, "waited_s": _CLEAN_UP_S})
            self._left.add(task)
            task.add_done_callback(self._left.discard)


async def _run(awaitable: Awaitable[Any], ending: _Ending) -> None:
    """Await it and pass on how it ended; raising here, SystemExit would end the event loop."""
    value, error = None, None
    try:
        value = await awaitable
    except (Exception, SystemExit, asyncio.CancelledError) as exc:
        error = exc
    if not ending.done():
        ending.set_result((value, error))
