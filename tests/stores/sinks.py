"""A sink that a test can break, hold up and look into."""

import threading
from collections.abc import Sequence

from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event
from toolweft.stores.writer import EventSink


class MemorySink:
    """Keeps what is committed, transaction by transaction."""

    def __init__(self) -> None:
        self.transactions: list[list[Event]] = []

    def write(self, events: Sequence[Event]) -> None:
        if events:
            self.transactions.append(list(events))

    def close(self) -> None:
        self.transactions.append([])


class BreakableSink:
    """Passes on to another sink, unless a test broke it."""

    def __init__(self, inner: EventSink) -> None:
        self.inner = inner
        self.failure: str | None = None
        self.error: Exception | None = None
        # Cleared: the writer stands still before it writes.
        self.may_write = threading.Event()
        self.may_write.set()
        # Set each time the writer arrives at a write.
        self.arrived = threading.Event()
        self.recovered = threading.Event()

    def write(self, events: Sequence[Event]) -> None:
        self.arrived.set()
        self.may_write.wait(10)
        if self.error is not None:
            raise self.error
        if self.failure is not None:
            raise LedgerUnavailable(self.failure, hint="mend it")
        self.inner.write(events)

    def close(self) -> None:
        self.inner.close()
