"""The texts of searches: erased, and read back as events. Imports SQLAlchemy: threads only."""

from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from itertools import islice

from sqlalchemy import ColumnElement, Connection, Table, delete, func, inspect, select, true
from sqlalchemy.exc import SQLAlchemyError

from toolweft.core.calls import Principal
from toolweft.core.events import AskedQuery, Event
from toolweft.core.uses import UsePairing
from toolweft.stores.connect import create_ledger_engine, describe_failure
from toolweft.stores.location import is_sqlite, read_path
from toolweft.stores.options import LedgerOptions
from toolweft.stores.rows import parse_asked, parse_event
from toolweft.stores.schema import LedgerTables

__all__ = ("erase_all_searches", "erase_searches", "pair_used", "select_used")

_KINDS = ("call_started", "call_finished", "search_done")


def erase_searches(
    connection: Connection,
    tables: LedgerTables,
    *,
    before_us: int | None = None,
    principal: Principal | None = None,
) -> int:
    """Delete texts, and say how many; the caller commits.

    Args:
        connection: one that may write.
        tables: of the ledger.
        before_us: only older ones.
        principal: only of this tenant and user.
    """
    if connection.dialect.name == "sqlite":
        # Otherwise a deleted text stays in the file until its place is needed.
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    columns = tables.searches.c
    where: ColumnElement[bool] = true()
    if before_us is not None:
        where &= columns.at_us < before_us
    if principal is not None:
        where &= (columns.tenant == principal.tenant) & (columns.user == principal.user)
    return connection.execute(delete(tables.searches).where(where)).rowcount


def erase_all_searches(options: LedgerOptions, principal: Principal | None) -> int:
    """Delete texts over a connection of its own, and say how many.

    Raises:
        LedgerUnavailable: it cannot be written.
    """
    path = read_path(options.url)
    if path is not None and not path.exists():
        return 0
    tables = LedgerTables(options.table_prefix)
    try:
        engine = create_ledger_engine(options)
        with engine.begin() as connection:
            if not inspect(connection).has_table(tables.searches.name):
                return 0
            erased = erase_searches(connection, tables, principal=principal)
        if is_sqlite(options.url):
            with closing(engine.raw_connection()) as raw:
                # The texts stand in the write-ahead log too.
                raw.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except (SQLAlchemyError, OSError, ImportError) as exc:
        raise describe_failure(exc, options) from exc
    return erased


def pair_used(events: Sequence[Event], *, most: int) -> list[tuple[str, str]]:
    """Queries and the tools that were called after them, each pair once, newest first."""
    pairing = UsePairing()
    uses = [use for event in events if (use := pairing.observe(event)) is not None]
    pairs = dict.fromkeys((use.query, use.tool) for use in reversed(uses))
    return list(islice(pairs, most))


def select_used(
    connection: Connection, tables: LedgerTables, *, since_us: int, until_us: int, most: int
) -> Sequence[Event]:
    """Searches whose text is kept, and the calls since the first of them; oldest first.

    Args:
        connection: one that reads.
        tables: of the ledger.
        since_us: no search before this.
        until_us: nothing from this time on.
        most: events at most; the oldest are left out.
    """
    events, searches = tables.events, tables.searches
    if not inspect(connection).has_table(searches.name):
        return []
    kept = searches.c.at_us.between(since_us, until_us - 1)
    first = connection.scalar(select(func.min(searches.c.event_id)).where(kept))
    if first is None:
        return []
    rows = connection.execute(
        select(events)
        .where(events.c.id >= first, events.c.kind.in_(_KINDS), events.c.at_us < until_us)
        .order_by(events.c.id.desc())
        .limit(most)
    ).mappings()
    oldest_first = list(rows)[::-1]
    if not oldest_first:
        return []
    asked = _select_asked(
        connection, searches, kept & (searches.c.event_id >= oldest_first[0]["id"])
    )
    return [parse_event(dict(row), asked=asked.get(row["id"], ())) for row in oldest_first]


def _select_asked(
    connection: Connection, searches: Table, where: ColumnElement[bool]
) -> dict[int, list[AskedQuery]]:
    """Row of the event -> what was asked and found, in order."""
    asked: dict[int, list[AskedQuery]] = defaultdict(list)
    query = select(searches).where(where).order_by(searches.c.id)
    for row in connection.execute(query).mappings():
        asked[row["event_id"]].append(parse_asked(dict(row)))
    return asked
