"""Reads a ledger's tables. Importing this module imports SQLAlchemy: threads only.

Every question is answered by an index; each opens a connection of its own and gives it back.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    RowMapping,
    Table,
    case,
    func,
    inspect,
    literal,
    select,
    true,
)
from sqlalchemy.exc import SQLAlchemyError

from toolweft.core.calls import Principal
from toolweft.core.events import Event
from toolweft.core.json import Json, JsonObject
from toolweft.stores.connect import create_ledger_engine, describe_failure
from toolweft.stores.location import read_path
from toolweft.stores.options import LedgerOptions
from toolweft.stores.rows import parse_time
from toolweft.stores.schema import LedgerTables
from toolweft.stores.searches import select_used

__all__ = ("read_models", "read_run", "read_runs", "read_totals", "read_used")

_RUN_STARTED: Final = (
    "run_id", "tenant", "user", "container_id", "backend", "code_sha256", "code_bytes",
)  # fmt: skip
_RUN_FINISHED: Final = ("status", "limit", "error_type", "error_line")
_STATS: Final = (
    "wall_s", "active_s", "cpu_s", "peak_mem_bytes", "calls", "bytes_in", "bytes_out",
    "tokens_withheld",
)  # fmt: skip
_CALL_STARTED: Final = (
    "call_id", "run_id", "caller", "call_index", "tool", "severity", "bytes_in",
)  # fmt: skip
_CALL_FINISHED: Final = ("status", "duration_ms", "bytes_out", "tokens_out", "tokens_withheld")
_TOKENS: Final = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
)  # fmt: skip
# PostgreSQL sums integers into decimals.
_COUNTS: Final = ("requests", "failures", "unpriced", *_TOKENS)
_TOTALS: Final = ("calls", "failures", "tokens_out", "tokens_withheld")


def read_runs(
    options: LedgerOptions, principal: Principal | None, limit: int
) -> Sequence[JsonObject]:
    """The latest runs, newest first."""
    with _open(options) as (connection, events):
        if events is None:
            return []
        started = _fetch(
            connection,
            events,
            (_is_kind(events, "run_started")) & _is_of(events, principal),
            newest=limit,
        )
        ids = [row["run_id"] for row in started]
        ended = _fetch(
            connection, events, events.c.run_id.in_(ids) & (_is_kind(events, "run_finished"))
        )
    end_of = {row["run_id"]: row for row in ended}
    return [_render_run(row, end_of.get(row["run_id"])) for row in started]


def read_run(options: LedgerOptions, run_id: str) -> JsonObject | None:
    """One run with its calls."""
    with _open(options) as (connection, events):
        if events is None:
            return None
        of_run = _fetch(connection, events, events.c.run_id == run_id)
        calls = [row for row in of_run if row["kind"] == "call_started"]
        ids = select(events.c.call_id).where(
            events.c.run_id == run_id, _is_kind(events, "call_started")
        )
        ended = _fetch(
            connection, events, events.c.call_id.in_(ids) & (_is_kind(events, "call_finished"))
        )
    row_of = {row["kind"]: row for row in of_run}
    if "run_started" not in row_of:
        return None
    end_of = {row["call_id"]: row for row in ended}
    calls.sort(key=lambda row: (row["call_index"] or 0, row["id"]))
    run = _render_run(row_of["run_started"], row_of.get("run_finished"))
    return {**run, "calls": [_render_call(row, end_of.get(row["call_id"])) for row in calls]}


def read_totals(options: LedgerOptions, principal: Principal | None) -> Mapping[str, Json]:
    """Counts and sums over all calls that ended."""
    with _open(options) as (connection, events):
        if events is None:
            return dict.fromkeys(_TOTALS, 0)
        query = select(
            func.count().label("calls"),
            func.sum(case((events.c.status == "ok", 0), else_=1)).label("failures"),
            func.sum(events.c.tokens_out).label("tokens_out"),
            func.sum(events.c.tokens_withheld).label("tokens_withheld"),
        ).where((_is_kind(events, "call_finished")) & _is_of(events, principal))
        row = connection.execute(query).mappings().one()
    return {name: int(row[name] or 0) for name in _TOTALS}


def read_used(
    options: LedgerOptions, *, since_us: int, until_us: int, most: int
) -> Sequence[Event]:
    """Searches whose text is kept, and the calls since the first of them; oldest first."""
    with _open(options) as (connection, events):
        if events is None:
            return []
        tables = LedgerTables(options.table_prefix)
        return select_used(connection, tables, since_us=since_us, until_us=until_us, most=most)


def read_models(
    options: LedgerOptions,
    principal: Principal | None,
    *,
    run_id: str | None,
    since_us: int,
    until_us: int,
) -> Sequence[JsonObject]:
    """What each model took and cost in each role; the dearest first, those without prices last."""
    with _open(options) as (connection, events):
        models = LedgerTables(options.table_prefix).models
        # A ledger of before has none.
        if events is None or not inspect(connection).has_table(models.name):
            return []
        columns = models.c
        where = columns.at_us.between(since_us, until_us - 1) & _is_of(models, principal)
        if run_id is not None:
            where &= columns.run_id == run_id
        cost = func.sum(columns.cost_usd)
        query = (
            select(
                columns.model,
                columns.role,
                func.count().label("requests"),
                func.sum(case((columns.status == "ok", 0), else_=1)).label("failures"),
                *(func.sum(columns[name]).label(name) for name in _TOKENS),
                cost.label("cost_usd"),
                func.sum(case((columns.cost_usd.is_(None), 1), else_=0)).label("unpriced"),
            )
            .where(where)
            .group_by(columns.model, columns.role)
            .order_by(func.coalesce(cost, -1.0).desc(), columns.model, columns.role)
        )
        rows = connection.execute(query).mappings().all()
    return [{**row, **{name: int(row[name]) for name in _COUNTS}} for row in rows]


@contextmanager
def _open(options: LedgerOptions) -> Iterator[tuple[Connection, Table | None]]:
    """A connection, and the events; no events where nothing was ever recorded."""
    table = LedgerTables(options.table_prefix).events
    path = read_path(options.url)
    if path is not None and not path.exists():
        # Opening it would make an empty file.
        options = LedgerOptions(url="sqlite://")
    try:
        with create_ledger_engine(options, read_only=True).connect() as connection:
            is_there = inspect(connection).has_table(table.name)
            yield connection, table if is_there else None
    except (SQLAlchemyError, OSError, ImportError) as exc:
        raise describe_failure(exc, options, verb="read") from exc


def _fetch(
    connection: Connection,
    events: Table,
    where: ColumnElement[bool],
    *,
    newest: int | None = None,
) -> Sequence[RowMapping]:
    """The rows that match, oldest first; or the newest so many, newest first."""
    query = select(events).where(where).order_by(events.c.id)
    if newest is not None:
        # A sum, because for the bare column SQLite would rather walk the table backwards.
        query = select(events).where(where).order_by((events.c.id + 0).desc()).limit(newest)
    return connection.execute(query).mappings().all()


def _is_kind(events: Table, kind: str) -> ColumnElement[bool]:
    # Written into the statement: a partial index answers only a condition it can see.
    return events.c.kind == literal(kind, literal_execute=True)


def _is_of(events: Table, principal: Principal | None) -> ColumnElement[bool]:
    if principal is None:
        return true()
    return (events.c.tenant == principal.tenant) & (events.c.user == principal.user)


def _render_run(started: RowMapping, finished: RowMapping | None) -> JsonObject:
    run = {name: started[name] for name in _RUN_STARTED}
    run["at"] = _render_time(started)
    run["finished_at"] = None if finished is None else _render_time(finished)
    for name in _RUN_FINISHED:
        run[name] = None if finished is None else finished[name]
    run["stats"] = None if finished is None else {name: finished[name] for name in _STATS}
    return run


def _render_call(started: RowMapping, finished: RowMapping | None) -> JsonObject:
    call = {name: started[name] for name in _CALL_STARTED}
    call["execution_id"] = call["tool_id"] = call["run_id"]
    call["at"] = _render_time(started)
    for name in _CALL_FINISHED:
        call[name] = None if finished is None else finished[name]
    return call


def _render_time(row: RowMapping) -> str:
    return parse_time(row["at_us"]).isoformat()
