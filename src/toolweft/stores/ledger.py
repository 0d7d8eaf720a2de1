"""The ledger in an SQL database: SQLite by default, PostgreSQL by address.

Queues events for the one thread that writes them. This module imports no database package; the
thread does, while everything else starts or behind it.
"""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

import anyio
from anyio import to_thread

from toolweft.core.clock import Clock
from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import CallStarted, Event, RunStarted
from toolweft.stores.location import prepare_file, read_path, say_durability
from toolweft.stores.options import LedgerOptions
from toolweft.stores.writer import EventSink, GroupWriter, Waiter

__all__ = ("SqlLedger",)

# Writing what is left must not keep a closing process for ever.
_CLOSE_TIMEOUT_S: Final = 15.0


class SqlLedger:
    """Records events; an async context manager. Everything queued is committed when it closes."""

    def __init__(
        self,
        options: LedgerOptions,
        *,
        clock: Clock,
        open_sink: Callable[[], EventSink] | None = None,
        is_late: bool = False,
    ) -> None:
        """A ledger that is not open yet.

        Args:
            options: where it is.
            clock: for what is erased with time.
            open_sink: in place of the database; called in the writer's thread.
            is_late: opened by the first event or by `want`, and not while everything else starts.
        """
        self._options = options
        self._clock = clock
        self._is_late = is_late
        self._writer = GroupWriter(open_sink or self._open_sink, retry_s=options.retry_s)

    async def __aenter__(self) -> Self:
        """Start the writer; unless it is late it opens the database while everything else starts.

        Raises:
            LedgerUnavailable: the file cannot be written.
        """
        path = read_path(self._options.url)
        if path is not None:
            await to_thread.run_sync(prepare_file, path)
        self._writer.start()
        if not self._is_late:
            self._writer.want()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Commit what is queued and end the writer."""
        with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
            await to_thread.run_sync(self._writer.stop, abandon_on_cancel=True)

    @property
    def durability(self) -> str:
        """What a committed event survives: "process kill" or "power loss"."""
        return say_durability(self._options.url, synchronous=self._options.synchronous)

    def want(self) -> None:
        """Open the database now, in the background."""
        self._writer.want()

    def record(self, event: Event) -> None:
        """Queue an event; it is written as soon as the writer is free.

        While nothing can be written, the end of what was already entered is still accepted, so
        that nothing is missing once it can.

        Raises:
            LedgerUnavailable: the writer cannot write, or too many events wait for it.
        """
        writer = self._writer
        if writer.failure is not None and (
            writer.is_over or isinstance(event, CallStarted | RunStarted)
        ):
            raise _copy(writer.failure)
        self._check_room()
        self._writer.put(event)

    async def commit(self, event: Event) -> None:
        """Write an event and return once it is committed.

        Raises:
            LedgerUnavailable: the writer cannot write, and the event is not kept; or it took too
                long, and the event `may_be_written` later.
        """
        self._check_room()
        await self._wait(event)

    async def flush(self) -> None:
        """Return once every event recorded before is committed.

        Raises:
            LedgerUnavailable: the writer cannot write.
        """
        await self._wait(None)

    async def _wait(self, event: Event | None) -> None:
        if self._writer.failure is not None:
            raise _copy(self._writer.failure)
        loop = asyncio.get_running_loop()
        waiter = Waiter(loop, loop.create_future())
        self._writer.put(event, waiter)
        timeout_s = self._options.commit_timeout_s
        with anyio.move_on_after(timeout_s):
            await waiter.future
            return
        late = LedgerUnavailable(
            f"the ledger did not commit within {timeout_s:g} s",
            hint="its disk or database is very slow; move the ledger to a quicker one",
        )
        late.may_be_written = event is not None
        raise late

    def _check_room(self) -> None:
        if self._writer.waiting >= self._options.max_queued:
            raise LedgerUnavailable(
                f"{self._writer.waiting:,} events wait for the ledger's writer",
                hint="its disk or database is too slow; wait a little, or raise ledger.max_queued",
            )

    def _open_sink(self) -> EventSink:
        # Runs in the writer's thread: importing SQLAlchemy takes longer than everything else here.
        from toolweft.stores.sink import SqlSink

        return SqlSink(self._options, clock=self._clock)


def _copy(failure: LedgerUnavailable) -> LedgerUnavailable:
    """A new error of the same words, because each raise adds its own frames."""
    return LedgerUnavailable(failure.message, hint=failure.hint)
