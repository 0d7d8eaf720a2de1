"""Containers that are ready and have run nothing, each for one session and never for another."""

import logging
from collections import deque
from collections.abc import Awaitable, Callable

import anyio

from toolweft.core.errors import SandboxError
from toolweft.sandbox.container.session import ContainerSession

__all__ = ("Pool",)

log = logging.getLogger(__name__)


class Pool:
    """Keeps `size` sessions ready; what is taken is made anew in the background."""

    def __init__(self, make: Callable[[], Awaitable[ContainerSession]], *, size: int) -> None:
        self._make = make
        self._size = size
        self._ready: deque[ContainerSession] = deque()
        self._wanted = anyio.Event()

    def __len__(self) -> int:
        return len(self._ready)

    def take(self) -> ContainerSession | None:
        """One that is ready; None where there is none."""
        self._wanted.set()
        while self._ready:
            session = self._ready.popleft()
            # Somebody else may have ended it in the engine.
            if session.is_alive:
                return session
        return None

    async def fill(self) -> None:
        """Fill up whenever one was taken, until cancelled."""
        while True:
            self._wanted = anyio.Event()
            await self._fill_up()
            await self._wanted.wait()

    async def close(self) -> None:
        """End those that are left."""
        while self._ready:
            await self._ready.popleft().close()

    async def _fill_up(self) -> None:
        while len(self._ready) < self._size:
            try:
                self._ready.append(await self._make())
            except SandboxError as fault:
                # Whoever needs one next makes it alone, hears why it fails, and wakes this again.
                log.warning("sandbox.pool_not_filled", extra={"reason": fault.message})
                return
