"""What is done again and again while programs may run."""

import anyio

from toolweft.programs.pool import ContainerPool
from toolweft.programs.runs import RunTable

__all__ = ("reap", "watch_memory")

# Often enough that an expired container does not linger, seldom enough to cost nothing.
_REAP_EVERY_S = 5.0
# How far beyond their memory limit containers may get in between.
_WEIGH_EVERY_S = 0.25


async def reap(pool: ContainerPool, runs: RunTable) -> None:
    """End containers whose time is up and forget old runs, until cancelled."""
    while True:
        await anyio.sleep(_REAP_EVERY_S)
        await pool.close_expired()
        runs.forget_old()


async def watch_memory(pool: ContainerPool) -> None:
    """End what is too much where all containers hold more than they may, until cancelled."""
    while True:
        await anyio.sleep(_WEIGH_EVERY_S)
        await pool.keep_memory()
