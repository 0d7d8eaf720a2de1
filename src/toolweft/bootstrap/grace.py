"""What a gateway's first requests wait for."""

from typing import Final, Protocol

from toolweft.core.clock import Clock

__all__ = ("GRACE_S", "Grace")

# Most servers have listed their tools by then.
GRACE_S: Final = 2.0


class _Sources(Protocol):
    @property
    def is_settled(self) -> bool: ...

    async def settle(self, timeout_s: float) -> None: ...


class Grace:
    """Lets requests wait for servers that are still starting: all of them together for two seconds.

    The time begins with the first request. After it a server that hangs holds nobody up.

    Args:
        sources: are starting.
        clock: counts the time.
    """

    def __init__(self, sources: _Sources, *, clock: Clock) -> None:
        self._sources = sources
        self._clock = clock
        self._ends_s: float | None = None

    async def wait(self) -> None:
        """Return when every server has listed its tools or failed, or the time is up."""
        if self._sources.is_settled:
            return
        now_s = self._clock.monotonic_s()
        if self._ends_s is None:
            self._ends_s = now_s + GRACE_S
        await self._sources.settle(max(0.0, self._ends_s - now_s))
