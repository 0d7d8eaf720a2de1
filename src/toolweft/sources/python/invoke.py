"""Runs the functions of users, so that none of them holds a call that is cancelled.

It knows no tool and no JSON. A thread cannot be stopped, and an async function can swallow its
cancellation: either is left behind then, and what it returns later is dropped.
"""

import asyncio
import logging
import math
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from inspect import isawaitable
from typing import Any, TypeAlias

import anyio
import anyio.to_thread

from toolweft.core.countdown import Countdown
from toolweft.core.errors import Overloaded

__all__ = ("Invoker", "NoThread")

log = logging.getLogger(__name__)

# Sync functions that run at once, those left behind included; more wait for a thread.
_MAX_THREADS = 40
# Of the time that a call has left: one that got its thread later would hardly begin.
_WAITING_SHARE = 0.9
# What a function returned or raised.
_Ending: TypeAlias = "asyncio.Future[tuple[Any, BaseException | None]]"
# How long an async function may clean up behind itself; a cancelled run is over in half a second.
_CLEAN_UP_S = 0.25


class NoThread(Overloaded):
    """No thread became free: the function was not called."""


class Invoker:
    """Calls functions: sync ones in worker threads, async ones in tasks of their own.

    Not in tasks of a group: a group ends only after the last of its tasks, whatever that does.
    """

    def __init__(self) -> None:
        self._threads = anyio.CapacityLimiter(_MAX_THREADS)
        # Of anyio, which lets go of a thread that is abandoned; `_threads` is what limits.
        self._unlimited = anyio.CapacityLimiter(math.inf)
        # Threads whose calls are not over.
        self._awaited = 0
        # Were cancelled and go on all the same.
        self._left: set[asyncio.Task[Any]] = set()

    async def call(
        self,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        *,
        is_async: bool,
        name: str,
        countdown: Countdown,
    ) -> Any:
        """What the function returns, awaited where it is awaitable; it raises what that raises.

        Args:
            function: of the user.
            arguments: by keyword.
            is_async: whether it is called in the event loop.
            name: of the tool, for messages.
            countdown: what the call has left.

        Raises:
            NoThread: all of them were taken for most of that time.
        """
        if is_async:
            return await self._wait_for(function(**arguments), name)
        returned = await self._call_in_thread(function, arguments, name=name, countdown=countdown)
        return await self._wait_for(returned, name) if isawaitable(returned) else returned

    async def close(self) -> None:
        """Cancel what was left behind once more; it is not waited for beyond its time."""
        left = set(self._left)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_CLEAN_UP_S)

    async def _call_in_thread(
        self,
        function: Callable[..., Any],
        arguments: Mapping[str, Any],
        *,
        name: str,
        countdown: Countdown,
    ) -> Any:
        hold = await self._take_thread(name, countdown)
        loop = asyncio.get_running_loop()
        # Taken by the thread that begins, or by the call that gives it up before.
        begun = threading.Lock()

        def run() -> Any:
            if not begun.acquire(blocking=False):
                return None
            try:
                return function(**arguments)
            finally:
                # The loop may have ended meanwhile.
                with suppress(RuntimeError):
                    loop.call_soon_threadsafe(self._threads.release_on_behalf_of, hold)

        self._awaited += 1
        try:
            return await anyio.to_thread.run_sync(
                run, abandon_on_cancel=True, limiter=self._unlimited
            )
        finally:
            self._awaited -= 1
            if begun.acquire(blocking=False):
                self._threads.release_on_behalf_of(hold)

    async def _take_thread(self, name: str, countdown: Countdown) -> object:
        """What the thread is given back with."""
        hold = object()
        try:
            self._threads.acquire_on_behalf_of_nowait(hold)
        except anyio.WouldBlock:
            pass
        else:
            return hold
        patience = countdown.within(countdown.left_s() * _WAITING_SHARE)
        with anyio.CancelScope() as scope, patience.drive(scope, anyio.current_time):
            await self._threads.acquire_on_behalf_of(hold)
            return hold
        abandoned = max(0, self._threads.borrowed_tokens - self._awaited)
        raise NoThread(
            f"{name} was not called: all {_MAX_THREADS} threads are taken, {abandoned} of them"
            " by functions that go on though their calls are over",
            hint="call it later; give what these functions wait for a time limit, or make them"
            " async: a thread cannot be stopped",
        )

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
