"""Events as flat rows, and rows as events again.

Pure, and free of SQL. Every event becomes a row that any database can hold: a hostile name or
number must not stop the writer. The texts of a search, and what a model's reply cost, are rows of
their own, for other tables.
"""

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeAlias, assert_never

from toolweft.core.calls import Caller, Principal
from toolweft.core.events import (
    AskedQuery,
    CallFinished,
    CallStarted,
    ContentUsed,
    Event,
    ModelReplied,
    RunFinished,
    RunStarted,
    SearchDone,
)

__all__ = (
    "COLUMNS",
    "MODEL_COLUMNS",
    "SEARCH_COLUMNS",
    "Cell",
    "Row",
    "parse_asked",
    "parse_event",
    "parse_time",
    "to_model_row",
    "to_row",
    "to_search_rows",
    "to_us",
)

Cell: TypeAlias = str | int | float | None
Row: TypeAlias = tuple[Cell, ...]

# The order of a row. Every kind of event fills its own columns and leaves the rest null.
COLUMNS: Final = (
    "kind",
    "at_us",  # UTC, microseconds since 1970
    "tenant",
    "user",
    "key",
    "call_id",
    "run_id",
    "caller",
    "call_index",
    "tool",
    "severity",
    "status",
    "duration_ms",
    "bytes_in",
    "bytes_out",
    "tokens_out",
    "tokens_withheld",
    "container_id",
    "backend",
    "code_sha256",
    "code_bytes",
    "limit",
    "error_type",
    "error_line",
    "wall_s",
    "active_s",
    "cpu_s",
    "peak_mem_bytes",
    "calls",
    "queries",
    "hits",
)

# One row for each query; `event_id` is the row of its event.
SEARCH_COLUMNS: Final = (
    "event_id",
    "at_us",
    "tenant",
    "user",
    "key",
    "run_id",
    "query",
    "found",  # JSON: the qualified names of the tools, best first
)

# One row for each reply of a model: what it took and cost.
MODEL_COLUMNS: Final = (
    "at_us",
    "tenant",
    "user",
    "key",
    "run_id",
    "role",
    "model",
    "status",
    "duration_ms",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_usd",
)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
# What a signed 64-bit column holds.
_MAX_INTEGER: Final = 2**63 - 1
_MAX_TEXT_CHARACTERS: Final = 1_000


def to_row(event: Event) -> Row:
    """The event's values in the order of `COLUMNS`."""
    cells = _cells(event)
    principal = event.principal
    cells["at_us"] = to_us(event.at)
    cells["tenant"] = principal.tenant
    cells["user"] = principal.user
    cells["key"] = principal.key
    return tuple([_fit(cells.get(column)) for column in COLUMNS])


def to_search_rows(event: SearchDone, event_id: int) -> list[Row]:
    """What was asked and found, in the order of `SEARCH_COLUMNS`; one row for each query."""
    principal = event.principal
    of_all: Row = (
        event_id,
        to_us(event.at),
        _fit(principal.tenant),
        _fit(principal.user),
        _fit(principal.key),
        _fit(event.run_id),
    )
    return [(*of_all, _fit_query(asked.text), json.dumps(asked.found)) for asked in event.asked]


def to_model_row(event: ModelReplied) -> Row:
    """What a reply took and cost, in the order of `MODEL_COLUMNS`."""
    principal, usage = event.principal, event.usage
    cells: Row = (
        to_us(event.at),
        principal.tenant,
        principal.user,
        principal.key,
        event.run_id,
        event.role,
        event.model,
        event.status,
        event.duration_ms,
        usage.input_tokens,
        usage.cache_read_tokens,
        usage.cache_write_tokens,
        usage.output_tokens,
        usage.reasoning_tokens,
        event.cost_usd,
    )
    return tuple(map(_fit, cells))


def parse_event(
    row: Mapping[str, Any], *, asked: Iterable[AskedQuery] = ()
) -> CallStarted | CallFinished | SearchDone:
    """The event of a row, by column; of the kinds `call_started`, `call_finished`, `search_done`.

    Args:
        row: as `to_row` made it.
        asked: of a search, in order.
    """
    at = parse_time(row["at_us"])
    principal = Principal(row["tenant"], row["user"], row["key"])
    if row["kind"] == "call_started":
        caller = Caller(type=row["caller"], program_id=row["run_id"], call_index=row["call_index"])
        return CallStarted(
            at=at,
            principal=principal,
            caller=caller,
            **{name: row[name] for name in ("call_id", "tool", "severity", "bytes_in")},
        )
    if row["kind"] == "call_finished":
        names = ("call_id", "status", "duration_ms", "bytes_out", "tokens_out", "tokens_withheld")
        return CallFinished(at=at, principal=principal, **{name: row[name] for name in names})
    return SearchDone(
        at=at,
        principal=principal,
        asked=tuple(asked),
        **{name: row[name] for name in ("run_id", "queries", "hits", "duration_ms")},
    )


def parse_asked(row: Mapping[str, Any]) -> AskedQuery:
    """A query and what it found, from one of its rows."""
    return AskedQuery.of(row["query"], json.loads(row["found"]))


def to_us(at: datetime) -> int:
    """A time as rows hold it: microseconds since 1970, UTC."""
    return (at - _EPOCH) // _MICROSECOND


def parse_time(at_us: int) -> datetime:
    """The time a row holds, aware, in UTC."""
    return _EPOCH + at_us * _MICROSECOND


def _cells(event: Event) -> dict[str, Cell]:
    match event:
        case CallStarted():
            caller = event.caller
            return {
                "kind": "call_started",
                "call_id": event.call_id,
                "run_id": caller.program_id,
                "caller": caller.type,
                "call_index": caller.call_index,
                "tool": event.tool,
                "severity": event.severity,
                "bytes_in": event.bytes_in,
            }
        case CallFinished():
            return {
                "kind": "call_finished",
                "call_id": event.call_id,
                "status": event.status,
                "duration_ms": event.duration_ms,
                "bytes_out": event.bytes_out,
                "tokens_out": event.tokens_out,
                "tokens_withheld": event.tokens_withheld,
            }
        case RunStarted():
            return {
                "kind": "run_started",
                "run_id": event.run_id,
                "container_id": event.container_id,
                "backend": event.backend,
                "code_sha256": event.code_sha256,
                "code_bytes": event.code_bytes,
            }
        case RunFinished():
            return _run_finished(event)
        case SearchDone():
            return {
                "kind": "search_done",
                "run_id": event.run_id,
                "queries": event.queries,
                "hits": event.hits,
                "duration_ms": event.duration_ms,
            }
        case ModelReplied():
            return {
                "kind": "model_replied",
                "run_id": event.run_id,
                "status": event.status,
                "duration_ms": event.duration_ms,
            }
        case ContentUsed():
            return {
                "kind": "content_used",
                "call_id": event.call_id,
                "tool": event.what,
                "status": event.status,
                "duration_ms": event.duration_ms,
                "bytes_out": event.bytes_out,
            }
        case _:
            assert_never(event)


def _run_finished(event: RunFinished) -> dict[str, Cell]:
    stats = event.stats
    return {
        "kind": "run_finished",
        "run_id": event.run_id,
        "status": event.status,
        "limit": event.limit,
        "error_type": event.error_type,
        "error_line": event.error_line,
        "wall_s": stats.wall_s,
        "active_s": stats.active_s,
        "cpu_s": stats.cpu_s,
        "peak_mem_bytes": stats.peak_mem_bytes,
        "calls": stats.calls,
        "bytes_in": stats.bytes_in,
        "bytes_out": stats.bytes_out,
        "tokens_withheld": stats.tokens_withheld,
    }


def _fit_query(text: str) -> str:
    """The text with the same words in it, as every database takes it."""
    text = text[:_MAX_TEXT_CHARACTERS].replace("\0", " ")
    return text.encode("utf-8", "replace").decode()


def _fit(cell: Cell) -> Cell:
    if cell is None or type(cell) is float:
        return cell
    if isinstance(cell, str):
        if cell.isascii() and "\0" not in cell and len(cell) <= _MAX_TEXT_CHARACTERS:
            return cell
        text = cell[:_MAX_TEXT_CHARACTERS].replace("\0", "\\0")
        return text.encode("utf-8", "backslashreplace").decode()
    return max(-_MAX_INTEGER, min(_MAX_INTEGER, cell))
