"""The table of vectors, and what is asked of it. Importing this imports SQLAlchemy: threads only.

Every function opens a connection of its own and closes it.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    LargeBinary,
    MetaData,
    String,
    Table,
    delete,
    func,
    select,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from toolweft.stores.connect import create_ledger_engine
from toolweft.stores.options import LedgerOptions
from toolweft.stores.vector_options import VectorStoreOptions

__all__ = ("clean_vectors", "load_vectors", "prepare_vectors", "save_vectors", "vector_table")

# Below what any database takes as parameters of one statement.
_KEYS_AT_ONCE = 400
# Any number; two processes that make the table at once take turns by it.
_CREATION_LOCK = 4_116_574


def vector_table(prefix: str) -> Table:
    """The table under one prefix."""
    return Table(
        f"{prefix}vectors",
        MetaData(),
        Column("model", String, primary_key=True),
        Column("key", String, primary_key=True),
        Column("vector", LargeBinary, nullable=False),
        # Microseconds since 1970.
        Column("created_at", BigInteger, nullable=False),
    )


def prepare_vectors(options: VectorStoreOptions) -> None:
    """Make the table where it is missing."""
    table = vector_table(options.table_prefix)
    by_age = Index(f"{table.name}_by_age", table.c.model, table.c.created_at)
    with _connected(options) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _CREATION_LOCK})
        connection.execute(CreateTable(table, if_not_exists=True))
        connection.execute(CreateIndex(by_age, if_not_exists=True))


def load_vectors(
    options: VectorStoreOptions, model: str, keys: Sequence[str]
) -> Mapping[str, bytes]:
    """The vectors of those keys that are known."""
    table = vector_table(options.table_prefix)
    found: dict[str, bytes] = {}
    with _connected(options, read_only=True) as connection:
        for first in range(0, len(keys), _KEYS_AT_ONCE):
            some = keys[first : first + _KEYS_AT_ONCE]
            rows = connection.execute(
                select(table.c.key, table.c.vector).where(
                    table.c.model == model, table.c.key.in_(some)
                )
            )
            # Another program may have put anything there.
            found |= {key: bytes(data) for key, data in rows if isinstance(data, bytes)}
    return found


def save_vectors(
    options: VectorStoreOptions, model: str, vectors: Mapping[str, bytes], *, at_us: int
) -> None:
    """Write vectors; one that is there already is written over, since it could not be used."""
    table = vector_table(options.table_prefix)
    # In one order, so that two processes with the same keys do not wait for each other.
    rows = [
        {"model": model, "key": key, "vector": vectors[key], "created_at": at_us}
        for key in sorted(vectors)
    ]
    with _connected(options) as connection:
        kind = postgresql if connection.dialect.name == "postgresql" else sqlite
        statement = kind.insert(table)
        statement = statement.on_conflict_do_update(
            index_elements=[table.c.model, table.c.key],
            set_={"vector": statement.excluded.vector},
        )
        connection.execute(statement, rows)


def clean_vectors(options: VectorStoreOptions, model: str) -> None:
    """Remove the oldest vectors of a model beyond the most that are kept."""
    table = vector_table(options.table_prefix)
    with _connected(options) as connection:
        own = table.c.model == model
        count = connection.scalar(select(func.count()).select_from(table).where(own)) or 0
        excess = count - options.max_vectors
        if excess <= 0:
            return
        oldest = select(table.c.key).where(own).order_by(table.c.created_at, table.c.key)
        connection.execute(delete(table).where(own, table.c.key.in_(oldest.limit(excess))))


@contextmanager
def _connected(options: VectorStoreOptions, *, read_only: bool = False) -> Iterator[Connection]:
    """A connection with a transaction, committed at the end."""
    engine = create_ledger_engine(
        LedgerOptions(url=options.url, busy_timeout_s=options.busy_timeout_s),
        read_only=read_only,
    )
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()
