import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from tests.stores.events import (
    ANN,
    AT,
    BOB,
    call_finished,
    call_started,
    run_finished,
    run_started,
    search_done,
)

from toolweft.core.calls import Principal
from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event
from toolweft.core.ids import RunId
from toolweft.stores import LedgerOptions, SqlLedger, SqlLedgerReader
from toolweft.testing import FakeClock

EVENTS: tuple[Event, ...] = (
    run_started("run_1"),
    call_started("call_b", run_id="run_1", index=2),
    call_started("call_a", run_id="run_1", index=1),
    call_finished("call_b", status="denied", tokens=0),
    call_finished("call_a", tokens=30),
    run_finished("run_1"),
    run_started("run_2", principal=BOB),
    call_started("call_c", run_id="run_2", principal=BOB),
    search_done(),
    call_started("call_d"),
    call_finished("call_d", tokens=7),
)


@pytest.fixture
async def reader(tmp_path: Path, clock: FakeClock) -> SqlLedgerReader:
    options = LedgerOptions(url=f"sqlite:///{tmp_path}/ledger.db")
    async with SqlLedger(options, clock=clock) as ledger:
        for one in EVENTS:
            ledger.record(one)
    return SqlLedgerReader(options)


async def test_runs_come_newest_first(reader: SqlLedgerReader) -> None:
    runs = await reader.runs(principal=None, limit=10)

    assert [run["run_id"] for run in runs] == ["run_2", "run_1"]
    assert [run["status"] for run in runs] == [None, "ok"]


async def test_only_so_many_runs_are_given(reader: SqlLedgerReader) -> None:
    assert [r["run_id"] for r in await reader.runs(principal=None, limit=1)] == ["run_2"]


@pytest.mark.parametrize(("principal", "ids"), [(ANN, ["run_1"]), (BOB, ["run_2"])])
async def test_a_principal_sees_its_own_runs(
    reader: SqlLedgerReader, principal: Principal, ids: list[str]
) -> None:
    assert [run["run_id"] for run in await reader.runs(principal=principal, limit=9)] == ids


async def test_a_run_has_its_fields_and_its_calls_in_order(reader: SqlLedgerReader) -> None:
    run = await reader.run(RunId("run_1"))

    assert run is not None
    assert run["at"] == run["finished_at"] == AT.isoformat()
    assert (run["container_id"], run["backend"], run["code_bytes"]) == ("c_1", "process/ns", 120)
    assert run["stats"]["tokens_withheld"] == 30
    assert [call["call_id"] for call in run["calls"]] == ["call_a", "call_b"]
    assert [call["status"] for call in run["calls"]] == ["ok", "denied"]
    first = run["calls"][0]
    assert (first["execution_id"], first["tool_id"], first["call_index"]) == ("run_1", "run_1", 1)
    assert (first["tool"], first["tokens_out"], first["duration_ms"]) == ("s.t", 30, 1.5)


async def test_what_has_no_end_has_no_status(reader: SqlLedgerReader) -> None:
    run = await reader.run(RunId("run_2"))

    assert run is not None
    assert (run["status"], run["stats"], run["finished_at"]) == (None, None, None)
    assert [call["status"] for call in run["calls"]] == [None]


async def test_an_unknown_run_is_none(reader: SqlLedgerReader) -> None:
    assert await reader.run(RunId("run_9")) is None


@pytest.mark.parametrize(
    ("principal", "calls", "failures", "tokens"),
    [(None, 3, 1, 37), (ANN, 3, 1, 37), (BOB, 0, 0, 0)],
)
async def test_totals_count_what_ended(
    reader: SqlLedgerReader, principal: Principal | None, calls: int, failures: int, tokens: int
) -> None:
    assert await reader.totals(principal=principal) == {
        "calls": calls,
        "failures": failures,
        "tokens_out": tokens,
        "tokens_withheld": tokens,
    }


async def test_a_ledger_that_does_not_exist_is_empty_and_stays_so(tmp_path: Path) -> None:
    path = tmp_path / "none.db"
    reader = SqlLedgerReader(LedgerOptions(url=f"sqlite:///{path}"))

    assert await reader.runs(principal=None, limit=5) == []
    assert await reader.run(RunId("run_1")) is None
    assert (await reader.totals(principal=None))["calls"] == 0
    assert not path.exists()


async def test_a_ledger_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("these are my notes " * 100, encoding="utf-8")
    reader = SqlLedgerReader(LedgerOptions(url=f"sqlite:///{path}"))

    with pytest.raises(LedgerUnavailable, match="cannot be read: file is not a database"):
        await reader.totals(principal=None)


async def test_a_ledger_in_memory_cannot_be_read() -> None:
    reader = SqlLedgerReader(LedgerOptions(url="sqlite://"))

    with pytest.raises(LedgerUnavailable, match="in memory"):
        await reader.totals(principal=None)


@pytest.fixture
def statements() -> Iterator[list[tuple[str, tuple[object, ...]]]]:
    """Every statement about events that any connection executes, with its parameters."""
    seen: list[tuple[str, tuple[object, ...]]] = []

    def note(_c: object, _u: object, statement: str, parameters: object, *_rest: object) -> None:
        if "FROM ledger_events" in statement:
            assert isinstance(parameters, tuple)
            seen.append((statement, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize("principal", [None, ANN], ids=["everybody", "one principal"])
async def test_no_question_reads_the_whole_table(
    tmp_path: Path,
    reader: SqlLedgerReader,
    statements: list[tuple[str, tuple[object, ...]]],
    principal: Principal | None,
) -> None:
    await reader.runs(principal=principal, limit=5)
    await reader.run(RunId("run_1"))
    await reader.totals(principal=principal)

    assert len(statements) == 5
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        for statement, parameters in statements:
            rows = connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            steps = [row[3] for row in rows if "ledger_events" in row[3]]
            assert steps
            assert all("INDEX" in step for step in steps), (statement, steps)
