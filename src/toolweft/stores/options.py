"""Where the ledger lives."""

from dataclasses import dataclass

__all__ = ("LedgerOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOptions:
    """An SQLAlchemy database address; SQLite by default."""

    # "sqlite:///PATH", or "sqlite://" for memory (tests).
    url: str
    # SQLite's `synchronous`: "NORMAL" survives a killed process, "FULL" a power loss too.
    synchronous: str = "NORMAL"
    # Events waiting for the writer; more than this and calls fail with `ledger_unavailable`.
    max_queued: int = 100_000
