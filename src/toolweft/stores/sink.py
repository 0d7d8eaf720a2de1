"""Writes events with SQLAlchemy Core. Importing this module imports SQLAlchemy: threads only.

One connection, used by the writer's thread alone and opened again after each failure.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, insert
from sqlalchemy.exc import SQLAlchemyError

from toolweft.core.clock import Clock
from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event
from toolweft.stores.connect import create_ledger_engine, describe_failure
from toolweft.stores.location import is_memory
from toolweft.stores.options import LedgerOptions
from toolweft.stores.rows import COLUMNS, to_row
from toolweft.stores.schema import LedgerTables, prepare_tables

__all__ = ("SqlSink",)


class SqlSink:
    """A database that takes events."""

    def __init__(self, options: LedgerOptions, *, clock: Clock) -> None:
        self._options = options
        self._clock = clock
        self._tables = LedgerTables(options.table_prefix)
        self._connection: Connection | None = None
        self._insert = ""

    def write(self, events: Sequence[Event]) -> None:
        """Commit all events in one transaction; with none, try whether it could be done.

        Raises:
            LedgerUnavailable: nothing was written.
        """
        try:
            connection = self._connection or self._open()
            with connection.begin():
                if events:
                    connection.exec_driver_sql(self._insert, [to_row(event) for event in events])
        except (SQLAlchemyError, OSError, ImportError) as exc:
            self.close(keep_memory=True)
            raise describe_failure(exc, self._options) from exc

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
        # Compiled once: rows then go to the driver as they are.
        self._insert = str(values.compile(dialect=engine.dialect))
        self._connection = connection
        return connection
