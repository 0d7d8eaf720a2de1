"""A ledger that shows every event it took to somebody else.

Knows neither what is recorded where nor what the observer does with it.
"""

import logging
from collections.abc import Callable

from toolweft.core.events import Event
from toolweft.core.ports import Ledger

__all__ = ("ObservedLedger",)

log = logging.getLogger(__name__)


class ObservedLedger:
    """Records in another ledger; what that one took is shown, an awaited event once committed.

    Args:
        inner: where events are recorded.
        observe: sees each event; quick, and whatever it raises is logged and no more.
    """

    def __init__(self, inner: Ledger, *, observe: Callable[[Event], None]) -> None:
        self._inner = inner
        self._observe = observe

    @property
    def durability(self) -> str:
        """What a committed event survives: "process kill" or "power loss"."""
        return self._inner.durability

    def record(self, event: Event) -> None:
        """Queue an event; it is written as soon as the writer is free.

        Raises:
            LedgerUnavailable: the writer cannot write; nothing is shown.
        """
        self._inner.record(event)
        self._show(event)

    async def commit(self, event: Event) -> None:
        """Write an event and return once it is committed.

        Raises:
            LedgerUnavailable: the writer cannot write; nothing is shown.
        """
        await self._inner.commit(event)
        self._show(event)

    async def flush(self) -> None:
        """Return once every event recorded before is committed.

        Raises:
            LedgerUnavailable: the writer cannot write.
        """
        await self._inner.flush()

    def _show(self, event: Event) -> None:
        try:
            self._observe(event)
        except Exception:
            # A record is a promise; who looks on must not break it.
            log.exception("ledger.observer_failed", extra={"event": type(event).__name__})
