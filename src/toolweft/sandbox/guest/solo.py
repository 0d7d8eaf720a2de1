"""A guest that has a container to itself: it prepares, locks itself down and serves its pipes.

The first process of the container and the only one. The host sent these files over standard input
and started them; see `container/parcel.py`.
"""

import asyncio
import gc
import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

from .limits import Limits
from .lockdown import SCRATCH_FOLDER, lock_down
from .runner import run_guest
from .syscalls import Kernel
from .zygote import PRELOADED

__all__ = ("main",)

# Enough for most programs; the rest is imported when asked for, where files can be read.
_FEW = ("asyncio", "collections", "datetime", "json", "math", "re", "statistics")


def main(setup_text: str) -> None:
    """Become the guest; what goes wrong before the channel works is printed to standard error."""
    setup = json.loads(setup_text)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    sys.dont_write_bytecode = True
    read_fd, write_fd = take_channel()
    kernel = Kernel()
    kernel.limit_arenas()
    _preload(PRELOADED if setup["preload_all"] else _FEW)
    limits = Limits.from_dict(setup["limits"])

    def lock() -> None:
        library = str(Path(os.__file__).parent)
        layers = setup["layers"]
        lock_down(
            kernel,
            layers,
            limits,
            readable=[library],
            proc_fd=-1,
            file_calls="change" if SCRATCH_FOLDER in layers else "none",
        )

    run_guest(lock, read_fd=read_fd, write_fd=write_fd, kernel=kernel, limits=limits)


def take_channel() -> tuple[int, int]:
    """Standard input and output as descriptors of the channel alone; nothing is left in place."""
    read_fd, write_fd = os.dup(0), os.dup(1)
    nothing = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1):
        # What a library prints by itself must not land between two frames.
        os.dup2(nothing, fd)
    os.close(nothing)
    return read_fd, write_fd


def _preload(names: tuple[str, ...]) -> None:
    for name in names:
        # An image may lack parts of the standard library; programs then miss them too.
        with suppress(ImportError):
            importlib.import_module(name)
    asyncio.run(asyncio.sleep(0))
    gc.collect()
    gc.freeze()
