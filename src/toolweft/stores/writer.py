"""One thread that writes events in the order given, many in one transaction.

It commits as soon as it is free and somebody waits; what nobody waits for it gathers for a moment,
because a thread that wakes for each event takes the interpreter from the calls it records.
It knows threads and waiting, not SQL; the ledger queues, a sink writes.
"""

import asyncio
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event

__all__ = ("EventSink", "GroupWriter", "Waiter")

log = logging.getLogger(__name__)

# A waiting call must not stand behind an endless transaction.
_MAX_BATCH: Final = 1_000

# How long events that nobody waits for may be gathered before they are written.
_GATHER_S: Final = 0.005


class EventSink(Protocol):
    """Where the thread writes; used by that thread alone."""

    def write(self, events: Sequence[Event]) -> None:
        """Write all events in one transaction and commit it, or none of them.

        With no events, try whether it could be done.

        Raises:
            LedgerUnavailable: with the reason; the next attempt starts afresh.
        """
        ...

    def close(self) -> None:
        """Give everything back; never raises."""
        ...


@dataclass(frozen=True, slots=True)
class Waiter:
    """Who wants to know when an event is committed: a future, and the loop it lives in."""

    # A future and its loop, because no portable way wakes a task from a thread without blocking.
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[None]


# An event without a waiter is kept until it can be written; one with a waiter is dropped when its
# attempt fails, because the waiter then acts as if it had never been. No event: a barrier.
_Entry: TypeAlias = tuple[Event | None, Waiter | None]


class GroupWriter:
    """Owns the thread and its queue."""

    def __init__(self, open_sink: Callable[[], EventSink], *, retry_s: float) -> None:
        # Called in the thread, which alone uses what it gives.
        self._open_sink = open_sink
        self._retry_s = retry_s
        self._queue: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._kept: list[Event] = []
        self._failure: LedgerUnavailable | None = None
        self._stopping = threading.Event()
        # Somebody waits, or the end has come: gather no longer.
        self._hurry = threading.Event()
        self._over = threading.Event()
        # Set for the thread to open the sink; by the end too, which alone opens nothing.
        self._called = threading.Event()
        self._is_wanted = False
        # A daemon, so that a program that forgets to close can still end.
        self._thread = threading.Thread(target=self._main, name="toolweft-ledger", daemon=True)

    @property
    def failure(self) -> LedgerUnavailable | None:
        """Why nothing can be written at the moment; None where nothing is wrong."""
        return self._failure

    @property
    def is_over(self) -> bool:
        """Whether the thread has ended."""
        return self._over.is_set()

    @property
    def waiting(self) -> int:
        """Entries not yet committed."""
        return self._queue.qsize() + len(self._kept)

    def start(self) -> None:
        """Start the thread; it waits to be wanted."""
        self._thread.start()

    def want(self) -> None:
        """Open the sink now, whatever is queued."""
        self._is_wanted = True
        self._called.set()

    def put(self, event: Event | None, waiter: Waiter | None = None) -> None:
        """Queue an event, a waiter for one, or a barrier."""
        self._queue.put((event, waiter))
        if not self._is_wanted:
            self.want()
        if waiter is not None:
            self._hurry.set()

    def stop(self) -> None:
        """Write what is queued and end; blocks until the thread is gone."""
        self._stopping.set()
        self._queue.put(None)
        self._hurry.set()
        self._called.set()
        self._thread.join()

    def _main(self) -> None:
        try:
            self._called.wait()
            if self._is_wanted:
                self._write_until_stopped(self._open_sink())
        finally:
            # Also after a fault of our own: nobody may believe that somebody still writes.
            self._failure = _closed()
            self._over.set()
            _settle([waiter for _, waiter in self._drain()[0]], self._failure)

    def _write_until_stopped(self, sink: EventSink) -> None:
        # The first attempt opens the database, before anybody waits for it.
        self._write(sink, [])
        stopping = False
        while not stopping:
            entries, stopping = self._take()
            self._write(sink, entries)
        if self._kept:
            log.error("ledger.events_lost", extra={"events": len(self._kept)})
        sink.close()

    def _take(self) -> tuple[list[_Entry], bool]:
        """The next entries, and whether they are the last; waits for them, or to try again."""
        if self._failure is not None:
            self._stopping.wait(self._retry_s)
            return self._drain()
        first = self._queue.get()
        if first is None:
            return [], True
        if first[1] is None:
            self._hurry.wait(_GATHER_S)
        # Before the queue is emptied: who sets it again has put an entry first.
        self._hurry.clear()
        rest, stopping = self._drain()
        return [first, *rest], stopping

    def _drain(self) -> tuple[list[_Entry], bool]:
        """What is queued right now, and whether the end was among it."""
        entries: list[_Entry] = []
        while len(entries) < _MAX_BATCH:
            try:
                entry = self._queue.get_nowait()
            except queue.Empty:
                break
            if entry is None:
                return entries, True
            entries.append(entry)
        return entries, False

    def _write(self, sink: EventSink, entries: Sequence[_Entry]) -> None:
        events = self._kept + [event for event, _ in entries if event is not None]
        # Both hold where the attempt ends in a fault of our own.
        failure: LedgerUnavailable | None = _closed()
        has_died = True
        try:
            sink.write(events)
        except LedgerUnavailable as exc:
            if self._failure is None:
                log.error(  # noqa: TRY400 -- the reason says it all
                    "ledger.write_failed", extra={"reason": exc.message}
                )
            failure, has_died = exc, False
            self._kept += [event for event, waiter in entries if event and waiter is None]
        else:
            if self._failure is not None:
                log.warning("ledger.write_recovered", extra={"events": len(events)})
            failure, has_died = None, False
            self._kept = []
        finally:
            self._failure = failure
            if has_died:
                # Before anybody hears of it: from here on nothing may be put in the queue.
                self._over.set()
            _settle([waiter for _, waiter in entries], failure)


def _closed() -> LedgerUnavailable:
    return LedgerUnavailable("the ledger is closed", hint="open it again")


def _settle(waiters: Sequence[Waiter | None], failure: LedgerUnavailable | None) -> None:
    """Tell every waiter how it went, with one wake-up for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for waiter in waiters:
        if waiter is not None:
            by_loop.setdefault(waiter.loop, []).append(waiter.future)
    for loop, futures in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve, futures, failure)
        except RuntimeError:
            # The loop is closed, and with it everyone who waited.
            continue


def _resolve(futures: Sequence[asyncio.Future[None]], failure: LedgerUnavailable | None) -> None:
    for future in futures:
        if future.done():
            continue
        if failure is None:
            future.set_result(None)
        else:
            future.set_exception(LedgerUnavailable(failure.message, hint=failure.hint))
