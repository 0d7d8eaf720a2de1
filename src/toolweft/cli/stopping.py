"""Ends a command's work in order where the process is asked to end, and then ends by that signal.

An interruption (SIGINT) needs none of this: the event loop itself cancels what it runs.
Called by commands that have something to put away.
"""

import asyncio
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Generic, TypeVar

import anyio

__all__ = ("Stoppable",)

Answer = TypeVar("Answer")

# SIGHUP is not on Windows.
_NAMES = ("SIGTERM", "SIGHUP")


class Stoppable(Generic[Answer]):
    """Work that SIGTERM and SIGHUP cancel, so that whatever it opened is closed.

    Args:
        work: what an event loop of its own runs.
    """

    def __init__(self, work: Callable[[], Awaitable[Answer]]) -> None:
        self._work = work
        self._number: signal.Signals | None = None

    async def run(self) -> Answer | None:
        """What the work gives; None where a signal ended it."""
        with anyio.CancelScope() as scope, _caught(lambda number: self._stop(scope, number)):
            return await self._work()
        return None

    def end_process(self) -> None:
        """End this process by the signal that came, as if nobody had caught it; else do nothing."""
        if self._number is None:
            return
        with suppress(OSError):
            sys.stdout.flush()
        signal.signal(self._number, signal.SIG_DFL)
        signal.raise_signal(self._number)

    def _stop(self, scope: anyio.CancelScope, number: signal.Signals) -> None:
        self._number = number
        scope.cancel()


@contextmanager
def _caught(stop: Callable[[signal.Signals], object]) -> Iterator[None]:
    loop, caught = asyncio.get_running_loop(), list[signal.Signals]()
    # The event loop of Windows takes no signals, and nothing there could be caught.
    with suppress(NotImplementedError):
        for number in _ending_signals():
            loop.add_signal_handler(number, stop, number)
            caught.append(number)
    try:
        yield
    finally:
        for number in caught:
            loop.remove_signal_handler(number)


def _ending_signals() -> Sequence[signal.Signals]:
    # Outside the main thread signals belong to someone else.
    if threading.current_thread() is not threading.main_thread():
        return ()
    known = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    # What is ignored, as SIGHUP under nohup, is no reason to stop.
    return [number for number in known if signal.getsignal(number) is signal.SIG_DFL]
