"""Where the ledger lives."""

from dataclasses import dataclass
from typing import Literal

__all__ = ("LedgerOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOptions:
    """An SQLAlchemy database address; SQLite by default."""

    # "sqlite:///PATH", or "sqlite://" for memory (tests); "postgresql+psycopg://USER@HOST/NAME".
    url: str
    # SQLite's `synchronous`: "NORMAL" survives a killed process, "FULL" a power loss too.
    synchronous: Literal["NORMAL", "FULL"] = "NORMAL"
    # Events waiting for the writer; more than this and calls fail with `ledger_unavailable`.
    max_queued: int = 100_000
    # A call that awaits its entry gives up after this.
    commit_timeout_s: float = 10.0
    # Between two attempts of a writer that cannot write.
    retry_s: float = 0.5
    # How long another process may hold the database before an attempt counts as failed.
    busy_timeout_s: float = 2.0
    # Before every table's name; lets several ledgers share one database.
    table_prefix: str = ""
    # Keep what was searched for and found, beside the events; needed to learn from use.
    keep_search_text: bool = False
    # Such texts are deleted when older than this, whether or not new ones are kept.
    keep_search_days: int = 90
