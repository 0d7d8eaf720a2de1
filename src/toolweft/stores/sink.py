"""Writes events with SQLAlchemy Core. Importing this module imports SQLAlchemy: threads only.

One connection, used by the writer's thread alone and opened again after each failure.
"""

import logging
import sqlite3
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, cast

from sqlalchemy import Connection, insert
from sqlalchemy.exc import SQLAlchemyError

from toolweft.core.clock import Clock
from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event, ModelReplied, SearchDone
from toolweft.stores.connect import create_ledger_engine, describe_failure
from toolweft.stores.location import is_memory, read_path
from toolweft.stores.options import LedgerOptions
from toolweft.stores.rows import (
    COLUMNS,
    MODEL_COLUMNS,
    SEARCH_COLUMNS,
    Row,
    to_model_row,
    to_row,
    to_search_rows,
    to_us,
)
from toolweft.stores.schema import LedgerTables, prepare_tables
from toolweft.stores.searches import erase_searches
from toolweft.stores.write_ahead import empty_log

__all__ = ("SqlSink",)

log = logging.getLogger(__name__)

# Texts of searches grow old while a gateway stands for months.
_ERASE_EVERY: Final = timedelta(days=1)
# Whoever reads the ledger is done in less, mostly.
_EMPTY_AGAIN: Final = timedelta(minutes=1)


class SqlSink:
    """A database that takes events."""

    def __init__(self, options: LedgerOptions, *, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._tables = LedgerTables(options.table_prefix)
        self._connection: Connection | None = None
        self._insert = self._insert_text = self._insert_reply = ""
        self._erase_at = clock.now()
        # When to empty SQLite's log of what was erased; None where nothing was.
        self._empty_at: datetime | None = None

    def write(self, events: Sequence[Event]) -> None:
        """Commit all events in one transaction; with none, try whether it could be done.

        Raises:
            LedgerUnavailable: nothing was written.
        """
        try:
            connection = self._connection or self._open()
            with connection.begin():
                if events:
                    self._insert_all(connection, events)
                if self._clock.now() >= self._erase_at:
                    self._erase_old(connection)
        except (SQLAlchemyError, OSError, ImportError) as exc:
            self.close(keep_memory=True)
            raise describe_failure(exc, self._options) from exc
        if self._empty_at is not None and self._clock.now() >= self._empty_at:
            self._empty_log(connection)

    def close(self, *, keep_memory: bool = False) -> None:
        """Give the connection back.

        Args:
            keep_memory: a database in memory stays, because it would be lost.
        """
        connection = self._connection
        if connection is None or (keep_memory and is_memory(self._options.url)):
            return
        self._connection = None
        try:
            connection.close()
            connection.engine.dispose()
        except (SQLAlchemyError, OSError):
            # It is broken already; there is nothing left to give back.
            return

    def _insert_all(self, connection: Connection, events: Sequence[Event]) -> None:
        rows: list[Row] = []
        texts: list[Row] = []
        for event in events:
            if self._options.keep_search_text and isinstance(event, SearchDone) and event.asked:
                if rows:
                    connection.exec_driver_sql(self._insert, rows)
                    rows = []
                texts += to_search_rows(event, self._insert_one(connection, event))
            else:
                rows.append(to_row(event))
        if rows:
            connection.exec_driver_sql(self._insert, rows)
        if replies := [to_model_row(event) for event in events if isinstance(event, ModelReplied)]:
            connection.exec_driver_sql(self._insert_reply, replies)
        if texts:
            connection.exec_driver_sql(self._insert_text, texts)

    def _insert_one(self, connection: Connection, event: Event) -> int:
        """Insert an event by itself, for the number of its row."""
        cells = dict(zip(COLUMNS, to_row(event), strict=True))
        key = connection.execute(insert(self._tables.events), cells).inserted_primary_key
        # One row was written, so it has a key.
        assert key is not None
        return int(key[0])

    def _erase_old(self, connection: Connection) -> None:
        now = self._clock.now()
        kept = timedelta(days=self._options.keep_search_days)
        erase_searches(connection, self._tables, before_us=to_us(now - kept))
        self._erase_at = now + _ERASE_EVERY
        if read_path(self._options.url) is not None:
            self._empty_at = now

    def _empty_log(self, connection: Connection) -> None:
        """Take erased texts out of SQLite's log; what was to be written is written by now."""
        raw = cast(sqlite3.Connection, connection.connection.driver_connection)
        try:
            # Calls wait for this thread, so it waits for nobody.
            is_empty = empty_log(raw, wait_s=0)
        except sqlite3.Error as exc:
            log.warning("ledger.log_not_emptied", extra={"reason": str(exc)})
            is_empty = False
        self._empty_at = None if is_empty else self._clock.now() + _EMPTY_AGAIN

    def _open(self) -> Connection:
        engine = create_ledger_engine(self._options)
        connection = engine.connect()
        try:
            with connection.begin():
                prepare_tables(connection, self._tables, created_at=self._clock.now().isoformat())
        except (SQLAlchemyError, LedgerUnavailable):
            connection.close()
            raise
        values = insert(self._tables.events).values(dict.fromkeys(COLUMNS))
        texts = insert(self._tables.searches).values(dict.fromkeys(SEARCH_COLUMNS))
        replies = insert(self._tables.models).values(dict.fromkeys(MODEL_COLUMNS))
        # Compiled once: rows then go to the driver as they are.
        self._insert = str(values.compile(dialect=engine.dialect))
        self._insert_text = str(texts.compile(dialect=engine.dialect))
        self._insert_reply = str(replies.compile(dialect=engine.dialect))
        self._connection = connection
        return connection
