"""SIGINT, SIGTERM and SIGHUP as a reason to stop in order."""

import asyncio
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import anyio

__all__ = ("stop_on_signal",)


async def stop_on_signal(stop: Callable[[], object]) -> None:
    """Wait for the first signal that asks to stop, call `stop` and return.

    Outside the main thread signals belong to someone else, so it returns at once.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    wanted = _wanted_signals()
    try:
        with anyio.open_signal_receiver(*wanted) as signals:
            async for _ in signals:
                stop()
                return
    except NotImplementedError:
        # The event loop of Windows takes no signals.
        with _caught(wanted) as arrived:
            await arrived.wait()
            stop()


def _wanted_signals() -> list[signal.Signals]:
    wanted = [signal.SIGINT, signal.SIGTERM]
    # Not on Windows. Under nohup a closed terminal is no reason to stop.
    hang_up = getattr(signal, "SIGHUP", None)
    if hang_up is not None and signal.getsignal(hang_up) is not signal.SIG_IGN:
        wanted.append(hang_up)
    return wanted


@contextmanager
def _caught(wanted: Sequence[signal.Signals]) -> Iterator[anyio.Event]:
    """An event that any of the signals sets, by handlers of the process."""
    loop = asyncio.get_running_loop()
    arrived = anyio.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        # Between any two instructions of this thread, so the loop has to be woken.
        loop.call_soon_threadsafe(arrived.set)

    before = {number: signal.signal(number, note) for number in wanted}
    try:
        yield arrived
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
