"""A ledger in a list, for tests that ask what was recorded."""

from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event

__all__ = ("MemoryLedger",)


class MemoryLedger:
    """Keeps events in the order given.

    Attributes:
        events: everything recorded, committed or not.
        committed: the events somebody awaited.
        failure: set it, and nothing can be written until it is None again.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.committed: list[Event] = []
        self.failure: str | None = None

    @property
    def durability(self) -> str:
        """What a committed event survives."""
        return "nothing: kept in memory"

    def record(self, event: Event) -> None:
        """Keep an event.

        Raises:
            LedgerUnavailable: `failure` is set.
        """
        self._check()
        self.events.append(event)

    async def commit(self, event: Event) -> None:
        """Keep an event that somebody waits for.

        Raises:
            LedgerUnavailable: `failure` is set.
        """
        self.record(event)
        self.committed.append(event)

    async def flush(self) -> None:
        """Nothing is ever pending.

        Raises:
            LedgerUnavailable: `failure` is set.
        """
        self._check()

    def _check(self) -> None:
        if self.failure is not None:
            raise LedgerUnavailable(self.failure, hint="set failure to None")
