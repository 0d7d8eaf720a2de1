"""One container as a session sees it: stopped, paused and measured through the engine.

A session speaks in plain calls, an engine takes its time; so each wish becomes a short task of the
backend's group.
"""

import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
from anyio.abc import TaskGroup

from toolweft.sandbox.callbacks import start_soon
from toolweft.sandbox.container.engine import Engine, EngineError
from toolweft.sandbox.container.usage import PolledUsage, Usage

__all__ = ("ContainerGuest",)

log = logging.getLogger(__name__)

# A container whose streams have ended is about to end itself.
_EXIT_TIMEOUT_S = 5.0
# How old the engine's word about processor time may be where nothing better is to be had.
_POLL_S = 0.2
_SIGNAL_STATUS = 128
_KILLED_STATUS = -9


class ContainerGuest:
    """A running container."""

    def __init__(
        self,
        *,
        container: str,
        engine: Engine,
        tasks: TaskGroup,
        usage: Usage,
        discard: Callable[[str], Coroutine[Any, Any, None]],
    ) -> None:
        """Keep what is needed.

        Args:
            container: its id.
            engine: where it runs.
            tasks: outlive every session.
            usage: its counters; closed here.
            discard: ends and removes it, whatever it is doing.
        """
        self.container = container
        self._engine = engine
        self._tasks = tasks
        self._usage = usage
        self._discard = discard
        self._wants_pause = False
        self._is_paused = False
        self._turn = anyio.Lock()
        self._is_polling = False
        self._has_ended = False
        # Of the last interrupt: set once the engine has sent it.
        self._interrupted: anyio.Event | None = None
        self.was_killed = False

    def interrupt(self) -> None:
        """Ask the program to stop."""
        self.resume()
        self._interrupted = anyio.Event()
        self._tasks.start_soon(self._interrupt, self._interrupted)

    async def settled(self) -> None:
        """Return once the last interrupt was sent, however late the engine was with it."""
        if self._interrupted is not None:
            await self._interrupted.wait()
            self._interrupted = None

    def kill(self) -> None:
        """End the container."""
        self.was_killed = True
        self._tasks.start_soon(self._signal, "SIGKILL")

    def pause(self) -> None:
        """Let it use no processor time, whatever is left running inside."""
        self._wants_pause = True
        start_soon(self._tasks, self._settle)

    def resume(self) -> None:
        """Undo `pause`."""
        if self._wants_pause:
            self._wants_pause = False
            self._tasks.start_soon(self._settle)

    def cpu_s(self) -> float:
        """Processor time since it started; the last known value once it has ended."""
        return self._usage.cpu_s()

    def limit_cpu(self, budget_s: float) -> None:
        """Have its counters read during the run; the engine's quota bounds it all the while."""
        del budget_s
        if isinstance(self._usage, PolledUsage) and not self._is_polling:
            self._is_polling = True
            self._tasks.start_soon(self._poll, self._usage)

    def peak_memory_bytes(self) -> int:
        """The most memory it ever used; 0 where nobody knows."""
        return self._usage.peak_memory_bytes()

    def memory_bytes(self) -> int:
        """What its container holds now, its scratch folder included; 0 where nobody knows."""
        return self._usage.memory_bytes()

    async def end(self, *, went_away: bool) -> int:
        """End it and let go; what is left to do in the engine happens in the background.

        Args:
            went_away: it ended by itself, so its exit status tells why.

        Returns:
            The exit status, negative for a signal.
        """
        status = _KILLED_STATUS
        if went_away:
            # Frozen, it could not even end.
            self.resume()
            status = await self._exit_status()
        self._has_ended = True
        self._usage.close()
        self._tasks.start_soon(self._discard, self.container)
        return status

    async def _exit_status(self) -> int:
        try:
            with anyio.fail_after(_EXIT_TIMEOUT_S):
                status = await self._engine.wait(self.container)
        except (EngineError, TimeoutError) as fault:
            log.warning("sandbox.container_status_unknown", extra={"reason": str(fault)})
            return 0
        return _SIGNAL_STATUS - status if status > _SIGNAL_STATUS else status

    async def _interrupt(self, sent: anyio.Event) -> None:
        try:
            await self._signal("SIGINT")
        finally:
            sent.set()

    async def _signal(self, name: str) -> None:
        await self._try(self._engine.kill(self.container, signal=name))

    async def _settle(self) -> None:
        async with self._turn:
            if self._wants_pause == self._is_paused or self._has_ended:
                return
            change = self._engine.pause if self._wants_pause else self._engine.unpause
            if await self._try(change(self.container)):
                self._is_paused = not self._is_paused

    async def _poll(self, usage: PolledUsage) -> None:
        try:
            while not (self._wants_pause or self._has_ended):
                usage.take(await self._engine.stats(self.container))
                await anyio.sleep(_POLL_S)
        except EngineError as fault:
            log.warning("sandbox.container_usage_unknown", extra={"reason": fault.message})
        finally:
            self._is_polling = False

    async def _try(self, request: Awaitable[None]) -> bool:
        try:
            await request
        except EngineError as fault:
            # A container that has just ended takes no request, and that is what was wanted.
            if not self._has_ended:
                log.warning("sandbox.container_request_failed", extra={"reason": fault.message})
            return False
        return True
