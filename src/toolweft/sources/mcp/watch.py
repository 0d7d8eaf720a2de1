"""Ends a process group when we are gone without having ended it: killed, or out of memory.

A shell waits for a line that we write when all is in order; the end of its input, which comes
with our death, means that it is not.
"""

import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from subprocess import DEVNULL, PIPE  # nosec B404
from typing import Final

import anyio
from anyio.abc import Process

__all__ = ("watch_group",)

log = logging.getLogger(__name__)

# A good server ends by itself when its stdin does, and has a second for it.
_SCRIPT: Final = 'trap "" HUP INT TERM; read -r line || { sleep 1; kill -s KILL -- "-$1"; }'
_END_TIMEOUT_S: Final = 1.0


@asynccontextmanager
async def watch_group(pid: int) -> AsyncIterator[None]:
    """Have a group of processes killed if this process dies inside of the block.

    Args:
        pid: of the group's leader.
    """
    # Cut off halfway, neither the watcher nor what it watches would be ended.
    with anyio.CancelScope(shield=True):
        watcher = await _start(pid)
    try:
        yield
    finally:
        if watcher is not None:
            with anyio.CancelScope(shield=True):
                await _dismiss(watcher)


async def _start(pid: int) -> Process | None:
    if os.name == "nt":
        # It has no groups of this kind.
        return None
    try:
        return await anyio.open_process(
            ["/bin/sh", "-c", _SCRIPT, "toolweft-watch", str(pid)],
            stdin=PIPE,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )
    except OSError as exc:
        log.warning("source.unwatched", extra={"reason": str(exc)})
        return None


async def _dismiss(watcher: Process) -> None:
    assert watcher.stdin is not None
    with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
        await watcher.stdin.send(b"\n")
    with anyio.move_on_after(_END_TIMEOUT_S) as patience:
        await watcher.aclose()
    if patience.cancelled_caught:
        with suppress(ProcessLookupError):
            watcher.kill()
