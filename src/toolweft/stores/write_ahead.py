"""Empties SQLite's write-ahead log, in which deleted texts stand on. For threads only."""

import sqlite3
import time
from math import ceil
from typing import Final

__all__ = ("empty_log",)

# Between two attempts; whoever reads or writes is done in less.
_PAUSE_S: Final = 0.02


def empty_log(connection: sqlite3.Connection, *, wait_s: float) -> bool:
    """Move the log's pages into the database and cut it to nothing; False where it is in use.

    Until then the bytes of deleted rows stand in the log, and in the pages it is to overwrite.

    Args:
        connection: outside any transaction.
        wait_s: how long readers and writers may hold the log.

    Raises:
        sqlite3.Error: it cannot be written.
    """
    (timeout_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    # SQLite itself does not wait for whoever else empties the log.
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        for pause_s in (0.0, *[_PAUSE_S] * ceil(wait_s / _PAUSE_S)):
            time.sleep(pause_s)
            is_busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            if not is_busy:
                return True
    finally:
        connection.execute(f"PRAGMA busy_timeout = {timeout_ms:d}")
    return False
