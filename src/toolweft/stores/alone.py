"""One process at a time in a folder. Synchronous."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

__all__ = ("alone",)

_WAIT_S: Final = 5.0
_STEP_S: Final = 0.02


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other processes of toolweft out of a folder's lock for as long as it lasts.

    Raises:
        OSError: another one has been in it for five seconds.
    """
    deadline = time.monotonic() + _WAIT_S
    if sys.platform == "win32":
        import msvcrt

        guard = folder / ".toolweft.lock.guard"
        fd = os.open(guard, os.O_RDWR | os.O_CREAT)
        try:
            _until(deadline, lambda: msvcrt.locking(fd, msvcrt.LK_NBLCK, 1))
            yield
        finally:
            with suppress(OSError):
                msvcrt.locking(fd, msvcrt.LK_UNLCK, 1)
            os.close(fd)
    else:
        import fcntl

        # The folder itself: a file would be replaced under the one who waits for it.
        fd = os.open(folder, os.O_RDONLY)
        try:
            _until(deadline, lambda: fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB))
            yield
        finally:
            os.close(fd)


def _until(deadline_s: float, attempt: Callable[[], None]) -> None:
    while True:
        try:
            attempt()
        except (BlockingIOError, PermissionError):
            if time.monotonic() > deadline_s:
                raise
            time.sleep(_STEP_S)
        else:
            return
