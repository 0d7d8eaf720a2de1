"""Reading and writing the descriptors of a client, on any system.

Where the event loop can wait for a descriptor it does, so that a signal can end a wait at any
time. Windows cannot, so there a thread waits, which is left behind at the end: it dies with the
process.
"""

import asyncio
import errno
import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import anyio
import anyio.to_thread
from anyio.lowlevel import checkpoint

__all__ = ("claim_standard_descriptors", "is_gone", "read_some", "write_all")

_READ_BYTES = 64 * 1024
_STANDARD_ERROR = 2
# What fits an empty pipe page never blocks; 0 where that is not promised.
_NEVER_BLOCKS_BYTES: int = getattr(select, "PIPE_BUF", 0)
_LOOP_WAITS = sys.platform != "win32"


async def read_some(fd: int) -> bytes:
    """The next bytes of a descriptor; empty at its end."""
    if not _LOOP_WAITS:
        return await _read_in_thread(fd)
    try:
        await anyio.wait_readable(fd)
    except PermissionError:
        # A regular file cannot be waited for, and need not be.
        await checkpoint()
    return os.read(fd, _READ_BYTES)


async def write_all(fd: int, data: bytes) -> None:
    """Write everything.

    Raises:
        BrokenPipeError: nobody can read it.
    """
    if len(data) <= _NEVER_BLOCKS_BYTES:
        try:
            await anyio.wait_writable(fd)
        except PermissionError:
            await checkpoint()
        _write(fd, data)
    else:
        # Only a client that stopped reading holds the thread; leave it then, it dies with us.
        await anyio.to_thread.run_sync(_write, fd, data, abandon_on_cancel=True)


def is_gone(write_fd: int) -> bool:
    """Whether nobody can read what would be written; False where the system does not tell."""
    if not hasattr(select, "poll"):
        return False
    poll = select.poll()
    poll.register(write_fd, 0)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


@contextmanager
def claim_standard_descriptors() -> Iterator[tuple[int, int]]:
    """Private duplicates of standard input and output, which point elsewhere meanwhile."""
    read_fd, write_fd = _duplicate(0), _duplicate(1)
    null_fd = os.open(os.devnull, os.O_RDONLY)
    try:
        os.dup2(null_fd, 0)
        os.dup2(2, 1)
        yield read_fd, write_fd
    finally:
        # What was printed meanwhile goes where it was meant to go, not on the wire.
        with suppress(AttributeError, OSError, ValueError):
            sys.stdout.flush()
        os.dup2(read_fd, 0)
        os.dup2(write_fd, 1)
        for fd in (read_fd, write_fd, null_fd):
            os.close(fd)


def _duplicate(fd: int) -> int:
    """A duplicate above the standard range, closed in children."""
    low: list[int] = []
    try:
        while (copy := os.dup(fd)) <= _STANDARD_ERROR:
            low.append(copy)
    finally:
        for taken in low:
            os.close(taken)
    # The default, but for standard descriptors on Windows.
    os.set_inheritable(copy, False)  # noqa: FBT003  its only argument
    return copy


async def _read_in_thread(fd: int) -> bytes:
    loop = asyncio.get_running_loop()
    chunk: asyncio.Future[bytes] = loop.create_future()

    def settle(data: bytes, fault: OSError | None) -> None:
        if chunk.done():
            return
        if fault is None:
            chunk.set_result(data)
        else:
            chunk.set_exception(fault)

    def read() -> None:
        data, fault = b"", None
        try:
            data = os.read(fd, _READ_BYTES)
        except OSError as error:
            fault = error
        # The loop may have ended meanwhile.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, data, fault)

    # Not one of the pool's: those keep the process from ending while they wait.
    threading.Thread(target=read, name="toolweft-read", daemon=True).start()
    return await chunk


def _write(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    try:
        while rest:
            rest = rest[os.write(fd, rest) :]
    except OSError as error:
        if error.errno == errno.EINVAL and not _LOOP_WAITS:
            # How Windows says that nobody reads any more.
            raise BrokenPipeError from error
        raise
