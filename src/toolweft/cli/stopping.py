"""Ends a command's work in order where the process is asked to end, and then ends by that signal.

An interruption (SIGINT) needs none of this: the event loop itself cancels what it runs.
Called by commands that have something to put away.
"""

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from queue import SimpleQueue
from types import FrameType
from typing import Final, Generic, TypeVar

import anyio

__all__ = ("Stoppable", "ending_signals")

Answer = TypeVar("Answer")

# SIGHUP is not on Windows.
_NAMES: Final = ("SIGTERM", "SIGHUP")
# Work that has not ended by then never will: code that blocks the loop, or swallows its end.
_PATIENCE_S: Final = 10.0


class Stoppable(Generic[Answer]):
    """Work that SIGTERM and SIGHUP cancel, so that whatever it opened is closed.

    A second signal ends the process at once, and so do ten seconds after the first.

    Args:
        work: what an event loop of its own runs.
    """

    def __init__(self, work: Callable[[], Awaitable[Answer]]) -> None:
        self._work = work
        self._number: signal.Signals | None = None

    async def run(self) -> Answer | None:
        """What the work gives; None where a signal ended it."""
        loop = asyncio.get_running_loop()
        with anyio.CancelScope() as scope:

            def stop(number: signal.Signals) -> None:
                self._number = number
                loop.call_soon_threadsafe(scope.cancel)

            with _caught(stop):
                return await self._work()
        return None

    def end_process(self) -> None:
        """End this process by the signal that came, as if nobody had caught it; else do nothing."""
        if self._number is None:
            return
        with suppress(OSError):
            sys.stdout.flush()
        signal.raise_signal(self._number)


@contextmanager
def _caught(stop: Callable[[signal.Signals], object]) -> Iterator[None]:
    numbers = ending_signals()
    came = SimpleQueue[int]()

    # Not the loop's own handlers: those wait for a loop that a tool may hold.
    def handle(number: int, _frame: FrameType | None) -> None:
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)
        came.put(number)
        stop(signal.Signals(number))

    # Started ahead, as a handler may stand in the middle of anything, the start of a thread too.
    threading.Thread(target=_lose_patience, args=(came,), daemon=True).start()
    for number in numbers:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def _lose_patience(came: SimpleQueue[int]) -> None:
    number = came.get()
    time.sleep(_PATIENCE_S)
    os.kill(os.getpid(), number)


def ending_signals() -> Sequence[signal.Signals]:
    """Those that ask this process to end and that nobody has caught or ignored so far."""
    # Outside the main thread signals belong to someone else.
    if threading.current_thread() is not threading.main_thread():
        return ()
    known = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    # What is ignored, as SIGHUP under nohup, is no reason to stop.
    return [number for number in known if signal.getsignal(number) is signal.SIG_DFL]
