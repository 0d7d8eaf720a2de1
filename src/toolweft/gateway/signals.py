"""SIGINT, SIGTERM and SIGHUP as a reason to stop in order."""

import signal
import threading
from collections.abc import Callable

import anyio

__all__ = ("stop_on_signal",)


async def stop_on_signal(stop: Callable[[], object]) -> None:
    """Wait for the first signal that asks to stop, call `stop` and return.

    Outside the main thread signals belong to someone else, so it returns at once.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    wanted = [signal.SIGINT, signal.SIGTERM]
    # Under nohup a closed terminal is no reason to stop.
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        wanted.append(signal.SIGHUP)
    with anyio.open_signal_receiver(*wanted) as signals:
        async for _ in signals:
            stop()
            return
