"""Keeps what leads to the host out of the way of packages while their code is imported.

That code may write to or close whatever low descriptor it finds, or never return. Used by the
zygote before it is ready.
"""

import fcntl
import os
import resource
import select
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

__all__ = ("die_with_host", "move_away")

# Loops over descriptors often end at 255 or below; few processes have a limit below 1,024.
_USUAL_LIMIT = 1024
_ROOM = 24


def move_away(fd: int) -> int:
    """The same open file at a high number, closed at an exec; as it was where none is free."""
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = _USUAL_LIMIT if soft == resource.RLIM_INFINITY else min(soft, _USUAL_LIMIT)
    with suppress(OSError):
        moved = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, max(limit - _ROOM, fd + 1))
        os.close(fd)
        return moved
    return fd


@contextmanager
def die_with_host(control_fd: int) -> Iterator[None]:
    """Be killed where the host closes its end of the socket, whatever runs here at that moment.

    The kernel signals it by itself: a thread that watches could not be there when guests are
    cloned, and the death of a parent is told when its thread ends. Nothing may be sent meanwhile
    by the host, since that would be signalled too. Where the kernel cannot, the host's own kill at
    an orderly end has to do.
    """
    flags = fcntl.fcntl(control_fd, fcntl.F_GETFL)
    with suppress(OSError):
        fcntl.fcntl(control_fd, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(control_fd, fcntl.F_SETSIG, signal.SIGKILL)
        fcntl.fcntl(control_fd, fcntl.F_SETFL, flags | os.O_ASYNC)
    is_over = select.poll()
    is_over.register(control_fd, 0)
    if is_over.poll(0):
        # It had ended before there was anything to signal it.
        os._exit(1)
    yield
    fcntl.fcntl(control_fd, fcntl.F_SETFL, flags)
