"""The ledger's tables. Importing this module imports SQLAlchemy, so only threads do it, late."""

from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    insert,
    select,
    text,
)
from sqlalchemy.schema import CreateIndex, CreateTable

from toolweft.core.errors import LedgerUnavailable
from toolweft.stores.rows import COLUMNS, MODEL_COLUMNS, SEARCH_COLUMNS

__all__ = ("SCHEMA_VERSION", "LedgerTables", "prepare_tables")

# Raised whenever the tables change; a ledger written by a newer toolweft is not touched. A table
# more is no change to those who do not know it.
SCHEMA_VERSION = 1

_INTEGERS = frozenset({
    "at_us", "call_index", "bytes_in", "bytes_out", "tokens_out", "tokens_withheld", "code_bytes",
    "error_line", "peak_mem_bytes", "calls", "queries", "hits",
    "event_id", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens",
})  # fmt: skip
_FLOATS = frozenset({"duration_ms", "wall_s", "active_s", "cpu_s", "cost_usd"})
_REQUIRED = frozenset({"kind", "at_us", "tenant", "user"})
_SEARCH_REQUIRED = frozenset({"event_id", "at_us", "tenant", "user", "query", "found"})
_MODEL_REQUIRED = frozenset(MODEL_COLUMNS) - {"key", "run_id", "cost_usd"}

# Any number; two processes that open a new PostgreSQL ledger at once take turns by it.
_CREATION_LOCK = 4_116_573


class LedgerTables:
    """The tables under one prefix."""

    def __init__(self, prefix: str) -> None:
        metadata = MetaData()
        self.versions = Table(
            f"{prefix}ledger_versions",
            metadata,
            Column("version", Integer, primary_key=True, autoincrement=False),
            Column("created_at", String, nullable=False),
        )
        self.events = Table(
            f"{prefix}ledger_events",
            metadata,
            # Grows with each event: the order in which they were given.
            Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
            *_columns(COLUMNS, required=_REQUIRED),
        )
        # The texts of searches: apart, so that events hold none and these can be erased.
        self.searches = Table(
            f"{prefix}ledger_searches",
            metadata,
            Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
            *_columns(SEARCH_COLUMNS, required=_SEARCH_REQUIRED),
        )
        # What models took and cost: apart, as old ledgers have no columns for it.
        self.models = Table(
            f"{prefix}ledger_models",
            metadata,
            Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
            *_columns(MODEL_COLUMNS, required=_MODEL_REQUIRED),
        )
        # Partial, so that an event pays only for the questions it can answer.
        self.indexes = (
            _partial(self.events, "call_id", where="call_id IS NOT NULL"),
            _partial(self.events, "run_id", where="run_id IS NOT NULL"),
            _partial(self.events, "tenant", "user", "id", where="kind = 'run_started'"),
            _partial(
                self.events,
                "tenant",
                "user",
                "status",
                "tokens_out",
                "tokens_withheld",
                where="kind = 'call_finished'",
            ),
            Index(f"{prefix}ledger_searches_by_time", self.searches.c.at_us),
            Index(f"{prefix}ledger_models_by_time", self.models.c.at_us),
        )


def prepare_tables(connection: Connection, tables: LedgerTables, *, created_at: str) -> None:
    """Make the tables where they are missing; the caller commits.

    Raises:
        LedgerUnavailable: a newer toolweft wrote this ledger.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
    for table in (tables.versions, tables.events, tables.searches, tables.models):
        connection.execute(CreateTable(table, if_not_exists=True))
    for index in tables.indexes:
        connection.execute(CreateIndex(index, if_not_exists=True))
    found = connection.scalar(select(tables.versions.c.version))
    if found is None:
        connection.execute(
            insert(tables.versions), {"version": SCHEMA_VERSION, "created_at": created_at}
        )
    elif found > SCHEMA_VERSION:
        raise LedgerUnavailable(
            f"the ledger has schema version {found}; this toolweft knows {SCHEMA_VERSION}",
            hint="upgrade toolweft, or name another ledger",
        )


def _columns(names: Sequence[str], *, required: frozenset[str]) -> Iterator[Column[Any]]:
    return (Column(name, _type(name), nullable=name not in required) for name in names)


def _type(name: str) -> BigInteger | Float[float] | Text:
    if name in _INTEGERS:
        return BigInteger()
    return Float() if name in _FLOATS else Text()


def _partial(table: Table, *columns: str, where: str) -> Index:
    condition = text(where)
    kind = where.split("'")[1] if "'" in where else columns[0]
    return Index(
        f"{table.name}_by_{kind}",
        *(table.c[name] for name in columns),
        sqlite_where=condition,
        postgresql_where=condition,
    )
