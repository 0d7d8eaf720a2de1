"""Who wants a server, who waits for it, and since when nobody does.

Between the calls of a server and the task that owns it. Knows nothing of connections.
"""

from types import TracebackType
from typing import Literal

import anyio

from toolweft.core.clock import Clock

__all__ = ("Demand",)

# A server that just failed is not started again for each of a thousand calls.
_AGAIN_S = 5.0


class Demand:
    """One server's demand; entered for each call.

    Args:
        clock: measures how long nobody called.
        idle_stop_s: how long that may be; None: for ever.
    """

    def __init__(self, *, clock: Clock, idle_stop_s: float | None) -> None:
        self._clock = clock
        self._idle_stop_s = idle_stop_s
        self._state: Literal["down", "starting", "live"] = "down"
        self._wanted = anyio.Event()
        # Set, and replaced, when the attempt under way ended well or badly.
        self._outcome = anyio.Event()
        self._failed_at_s: float | None = None
        self._in_use = 0
        self._last_use_s = clock.monotonic_s()

    def __enter__(self) -> None:
        self._in_use += 1

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._in_use -= 1
        self._last_use_s = self._clock.monotonic_s()

    async def wait_idle(self) -> None:
        """Return once nobody has called for too long."""
        limit_s = self._idle_stop_s
        if limit_s is None:
            await anyio.sleep_forever()
            return
        # The end of a call sets no alarm, so that calls cost nothing; this looks again instead.
        while (left_s := limit_s - self._idle_s()) > 0:  # noqa: ASYNC110 (as just said)
            await anyio.sleep(left_s)

    def want(self) -> None:
        """Ask for the server without waiting for it."""
        self._wanted.set()

    async def wait_wanted(self) -> None:
        """Return once somebody asked since this returned last; for the owner."""
        await self._wanted.wait()
        self._wanted = anyio.Event()

    async def wait_wanted_until(self, latest: anyio.Event) -> None:
        """As `wait_wanted`, but return when that is set at the latest."""
        async with anyio.create_task_group() as tasks:
            for event in (self._wanted, latest):
                tasks.start_soon(_end_after, event, tasks.cancel_scope)
        self._wanted = anyio.Event()

    async def ensure_live(self) -> None:
        """Have the server started where it is down; return once it is live or has failed.

        Returns at once where it failed a moment ago.
        """
        if self._state == "live":
            return
        failed_at_s = self._failed_at_s
        if self._state == "down":
            if failed_at_s is not None and self._clock.monotonic_s() - failed_at_s < _AGAIN_S:
                return
            self.want()
        await self._outcome.wait()

    def starting(self) -> None:
        """An attempt to start it begins."""
        self._state = "starting"

    def live(self) -> None:
        """It can be called."""
        self._failed_at_s = None
        self._last_use_s = self._clock.monotonic_s()
        self._end_attempt("live")

    def resting(self) -> None:
        """It was stopped because nobody called it."""
        self._state = "down"

    def failed(self) -> None:
        """It could not be started, or died."""
        self._failed_at_s = self._clock.monotonic_s()
        self._end_attempt("down")

    def _idle_s(self) -> float:
        return 0.0 if self._in_use else self._clock.monotonic_s() - self._last_use_s

    def _end_attempt(self, state: Literal["down", "live"]) -> None:
        self._state = state
        self._outcome.set()
        self._outcome = anyio.Event()


async def _end_after(event: anyio.Event, scope: anyio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
