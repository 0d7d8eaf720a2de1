"""Sees to it that no container is left: each is known here from its creation to its removal."""

import logging
from functools import partial

import anyio

from toolweft.sandbox.container.engine import Engine, EngineError

__all__ = ("Disposal",)

log = logging.getLogger(__name__)

_REMOVE_TIMEOUT_S = 20.0
_CLEANUP_TIMEOUT_S = 30.0
# Removing is heavy work for an engine; more at once only makes all of it slower.
_MAX_AT_ONCE = 4


class Disposal:
    """Everything made in one engine that has to go again."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._known: set[str] = set()
        self._turns = anyio.Semaphore(_MAX_AT_ONCE)

    def add(self, container: str) -> None:
        """Know a container from now on."""
        self._known.add(container)

    async def discard(self, container: str) -> None:
        """End and remove a container; never raises for what the engine does.

        Cancelled it still ends what it began: asked twice, an engine is at it twice.
        """
        await self._discard(container, is_shielded=True)

    async def discard_all(self) -> None:
        """End and remove every container that is left, within a deadline of its own."""
        with anyio.move_on_after(_CLEANUP_TIMEOUT_S, shield=True):
            async with anyio.create_task_group() as tasks:
                for container in tuple(self._known):
                    tasks.start_soon(partial(self._discard, container, is_shielded=False))

    async def _discard(self, container: str, *, is_shielded: bool) -> None:
        async with self._turns:
            try:
                with anyio.fail_after(_REMOVE_TIMEOUT_S, shield=is_shielded):
                    await self.engine.remove(container)
            except (EngineError, TimeoutError) as fault:
                log.warning(
                    "sandbox.container_left", extra={"container": container, "reason": str(fault)}
                )
            else:
                self._known.discard(container)
