"""Opens a ledger's database. Importing this module imports SQLAlchemy: threads only."""

import sqlite3
import time
from typing import Protocol

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.pool import NullPool

from toolweft.core.errors import LedgerUnavailable
from toolweft.stores.location import is_memory, is_sqlite
from toolweft.stores.options import LedgerOptions

__all__ = ("create_ledger_engine", "describe_failure")

_LOCKED_PAUSE_S = 0.01
# Whole seconds, as libpq counts.
_CONNECT_TIMEOUT_S = 5


class _DriverConnection(Protocol):
    """As much of an SQLite connection as is used here."""

    isolation_level: str | None

    def execute(self, sql: str) -> object: ...


def create_ledger_engine(options: LedgerOptions, *, read_only: bool = False) -> Engine:
    """An engine without a pool, its dialect with positional parameters.

    Raises:
        SQLAlchemyError: the address cannot be read.
        ImportError: its driver is not installed.
    """
    if not is_sqlite(options.url):
        engine = create_engine(
            options.url,
            poolclass=NullPool,
            paramstyle="format",
            # A server that takes the connection and stays silent would hold a thread for ever.
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_S},
        )
        if read_only:
            return engine.execution_options(postgresql_readonly=True)
        return engine
    engine = create_engine(
        options.url,
        poolclass=NullPool,
        paramstyle="qmark",
        connect_args={"timeout": options.busy_timeout_s},
    )

    def prepare(connection: _DriverConnection, _record: object) -> None:
        # The driver's own transactions begin too late to be exclusive.
        connection.isolation_level = None
        if read_only:
            connection.execute("PRAGMA query_only = ON")
            return
        _use_write_ahead_log(connection, timeout_s=options.busy_timeout_s)
        connection.execute(f"PRAGMA synchronous = {options.synchronous}")

    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return engine


def _use_write_ahead_log(connection: _DriverConnection, *, timeout_s: float) -> None:
    """Turn the log on; SQLite itself does not wait here for another who does the same."""
    for _ in range(int(timeout_s / _LOCKED_PAUSE_S)):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc):
                raise
            time.sleep(_LOCKED_PAUSE_S)
        else:
            return
    connection.execute("PRAGMA journal_mode = WAL")


def describe_failure(
    error: Exception, options: LedgerOptions, *, verb: str = "written"
) -> LedgerUnavailable:
    """What went wrong, without statements and values."""
    if isinstance(error, ImportError):
        return LedgerUnavailable(
            f"the driver of the ledger is not installed: {error}",
            hint="for PostgreSQL: pip install 'toolweft[postgres]'",
        )
    reason = getattr(error, "orig", None) or error
    text = str(reason).strip().splitlines()[0] if str(reason).strip() else type(reason).__name__
    place = "in memory" if is_memory(options.url) else f"at {_without_password(options.url)!r}"
    hint = "calls go on as soon as it answers again: free space, mend permissions or locks"
    if isinstance(reason, sqlite3.DatabaseError) and "not a database" in text:
        hint = "the file is not an SQLite database; move it away or name another place"
    return LedgerUnavailable(f"the ledger {place} cannot be {verb}: {text}", hint=hint)


def _without_password(url: str) -> str:
    scheme, separator, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    user = credentials.partition(":")[0]
    return f"{scheme}{separator}{user}{at}{host}"
