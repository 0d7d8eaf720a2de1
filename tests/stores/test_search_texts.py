import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from tests.search.learning.happenings import ANN, BEN, START, at, searched, used
from tests.stores.events import call_started

from toolweft.core.errors import LedgerUnavailable
from toolweft.stores import LedgerOptions, SqlLedger, SqlLedgerReader, forget_searches
from toolweft.stores.sink import SqlSink
from toolweft.testing import FakeClock

SECRET = "salary of the neighbour"  # pragma: allowlist secret
AFTER = at(1_000)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def options(path: Path) -> LedgerOptions:
    return LedgerOptions(url=f"sqlite:///{path}", keep_search_text=True)


def stored_bytes(path: Path) -> bytes:
    """Everything in the ledger's files, the write-ahead log too."""
    return b"".join(file.read_bytes() for file in list_files(path))


def list_files(path: Path) -> list[Path]:
    return sorted(path.parent.iterdir())


@pytest.fixture
def notes(path: Path) -> None:
    """A file of somebody else where the ledger should be."""
    path.write_text("these are my notes " * 100, encoding="utf-8")


async def write(options: LedgerOptions, *queries: str) -> None:
    async with SqlLedger(options, clock=FakeClock(now=START)) as ledger:
        for number, query in enumerate(queries):
            for event in used(query, f"s.t{number}", when=10 * number):
                ledger.record(event)


@pytest.mark.promise("learning.off")
@pytest.mark.parametrize("keeps", [False, True])
async def test_a_text_stands_in_the_files_only_where_it_is_to_be_kept(
    path: Path, keeps: bool
) -> None:
    options = LedgerOptions(url=f"sqlite:///{path}", keep_search_text=keeps)
    async with SqlLedger(options, clock=FakeClock()) as ledger:
        for event in used(SECRET, "hr.get_salary"):
            ledger.record(event)
        await ledger.flush()

        stored = stored_bytes(path)
    assert b"hr.get_salary" in stored
    assert (SECRET.encode() in stored) == keeps
    assert (SECRET.encode() in stored_bytes(path)) == keeps


@pytest.mark.promise("learning.forget")
async def test_forgotten_texts_are_gone_from_the_files_and_events_stay(
    path: Path, options: LedgerOptions
) -> None:
    await write(options, SECRET, "open issues")

    assert SECRET.encode() in stored_bytes(path)
    assert await forget_searches(options) == 2
    assert SECRET.encode() not in stored_bytes(path)
    assert await SqlLedgerReader(options).used_queries(9) == []
    assert (await SqlLedgerReader(options).totals(principal=None))["calls"] == 2
    assert await forget_searches(options) == 0


async def test_one_principals_texts_are_forgotten_alone(options: LedgerOptions) -> None:
    async with SqlLedger(options, clock=FakeClock(now=START)) as ledger:
        for event in [*used("of ann", "a.b", who=ANN), *used("of ben", "a.c", who=BEN)]:
            ledger.record(event)

    assert await forget_searches(options, principal=ANN) == 1
    assert await SqlLedgerReader(options).used_queries(9) == [("of ben", "a.c")]


async def test_texts_can_be_forgotten_while_the_ledger_is_open(
    path: Path, options: LedgerOptions
) -> None:
    async with SqlLedger(options, clock=FakeClock(now=START)) as ledger:
        await ledger.commit(searched((SECRET, ["a.b"])))
        assert await forget_searches(options) == 1
        await ledger.commit(call_started())

        assert SECRET.encode() not in stored_bytes(path)


async def test_forgetting_makes_no_ledger_where_there_is_none(
    path: Path, options: LedgerOptions
) -> None:
    assert await forget_searches(options) == 0
    assert list_files(path) == []


@pytest.mark.usefixtures("notes")
async def test_a_file_that_is_no_ledger_cannot_be_made_to_forget(options: LedgerOptions) -> None:
    with pytest.raises(LedgerUnavailable, match="cannot be written"):
        await forget_searches(options)


def make_old_ledger(path: Path) -> None:
    """A ledger as it was before texts of searches were kept."""
    sink = SqlSink(LedgerOptions(url=f"sqlite:///{path}"), clock=FakeClock())
    sink.write([call_started()])
    sink.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE ledger_searches")


async def test_an_older_ledger_holds_no_texts_until_it_is_opened_to_keep_some(
    path: Path, options: LedgerOptions
) -> None:
    make_old_ledger(path)

    assert await SqlLedgerReader(options).used_queries(9) == []
    assert await forget_searches(options) == 0
    await write(options, "open issues")
    assert await SqlLedgerReader(options).used_queries(9) == [("open issues", "s.t0")]


async def test_a_toolweft_that_knows_no_texts_still_takes_the_ledger(
    path: Path, options: LedgerOptions
) -> None:
    await write(options, "open issues")
    with closing(sqlite3.connect(path)) as connection:
        versions = connection.execute("SELECT version FROM ledger_versions").fetchall()

    # The first version there was; a higher one makes it refuse.
    assert versions == [(1,)]


async def test_old_texts_go_day_by_day_while_the_ledger_stays_open(
    path: Path, options: LedgerOptions
) -> None:
    clock = FakeClock(now=START)
    async with SqlLedger(options, clock=clock) as ledger:
        search = searched((SECRET, ["a.b"]))
        await ledger.commit(search)
        clock.advance(timedelta(days=89).total_seconds())
        await ledger.commit(call_started("call_1"))
        reader = SqlLedgerReader(options)
        before = await reader.used(since=START, until=AFTER, max_events=9)
        clock.advance(timedelta(days=2).total_seconds())
        await ledger.commit(call_started("call_2"))
        after = await reader.used(since=START, until=AFTER, max_events=9)

    assert before[0] == search
    assert list(after) == []


async def test_pairs_of_query_and_tool_come_newest_first_and_once(
    options: LedgerOptions,
) -> None:
    await write(options, "first", "second", "third")
    async with SqlLedger(options, clock=FakeClock(now=START)) as ledger:
        for event in [
            *used("first", "s.t0", when=500),
            *used("failed", "s.t9", status="denied", when=600),
        ]:
            ledger.record(event)
    reader = SqlLedgerReader(options)

    assert await reader.used_queries(9) == [
        ("first", "s.t0"),
        ("third", "s.t2"),
        ("second", "s.t1"),
    ]
    assert await reader.used_queries(1) == [("first", "s.t0")]


async def test_reading_back_walks_no_more_than_it_gives(path: Path, options: LedgerOptions) -> None:
    await write(options, "open issues")
    with closing(sqlite3.connect(path)) as connection:
        plans = [
            str(connection.execute(f"EXPLAIN QUERY PLAN {query}").fetchall())
            for query in (
                "SELECT min(event_id) FROM ledger_searches WHERE at_us BETWEEN 5 AND 9",
                "SELECT * FROM ledger_events WHERE id >= 5 AND kind IN ('call_started', "
                "'search_done') AND at_us < 9 ORDER BY id DESC LIMIT 9",
            )
        ]

    assert "USING INDEX ledger_searches_by_time" in plans[0]
    assert "USING INTEGER PRIMARY KEY (rowid>?)" in plans[1]
