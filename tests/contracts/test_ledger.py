"""What every ledger promises, whatever it writes to."""

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias
from uuid import uuid4

import anyio
import pytest
import sqlalchemy
from tests.stores.events import EVERY_KIND, call_finished, call_started
from tests.stores.sinks import BreakableSink

from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import Event
from toolweft.core.ports import Ledger
from toolweft.stores import LedgerOptions, SqlLedger
from toolweft.stores.connect import create_ledger_engine
from toolweft.stores.rows import COLUMNS, Row, to_row
from toolweft.stores.schema import LedgerTables
from toolweft.stores.sink import SqlSink
from toolweft.testing import FakeClock
from toolweft.testing.ledger import MemoryLedger

POSTGRES_URL = os.environ.get(
    "TOOLWEFT_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
)


class Bench:
    """One kind of ledger, with a way to look into it and to break it."""

    def __init__(self, ledger: Ledger, *, is_sql: bool) -> None:
        self.ledger = ledger
        self.is_sql = is_sql

    def rows(self) -> list[Row]:
        """What is committed, in order."""
        raise NotImplementedError

    def break_it(self, reason: str) -> None:
        raise NotImplementedError

    async def mend(self) -> None:
        raise NotImplementedError


class MemoryBench(Bench):
    def __init__(self) -> None:
        self.memory = MemoryLedger()
        super().__init__(self.memory, is_sql=False)

    def rows(self) -> list[Row]:
        return [to_row(event) for event in self.memory.events]

    def break_it(self, reason: str) -> None:
        self.memory.failure = reason

    async def mend(self) -> None:
        self.memory.failure = None


class SqlBench(Bench):
    def __init__(self, options: LedgerOptions) -> None:
        self.options = options
        clock = FakeClock()
        self.sink = BreakableSink(SqlSink(options, clock=clock))
        self.sql = SqlLedger(options, clock=clock, open_sink=lambda: self.sink)
        super().__init__(self.sql, is_sql=True)

    def rows(self) -> list[Row]:
        events = LedgerTables(self.options.table_prefix).events
        columns = [events.c[name] for name in COLUMNS]
        with create_ledger_engine(self.options, read_only=True).connect() as connection:
            found = connection.execute(sqlalchemy.select(*columns).order_by(events.c.id)).all()
        return [tuple(row) for row in found]

    def break_it(self, reason: str) -> None:
        self.sink.failure = reason

    async def mend(self) -> None:
        self.sink.failure = None
        await wait_until_it_writes(self.ledger)


async def wait_until_it_writes(ledger: Ledger) -> None:
    with anyio.fail_after(10):
        while True:
            try:
                await ledger.flush()
            except LedgerUnavailable:
                await anyio.sleep(0.01)
            else:
                return


Open: TypeAlias = Callable[[], AbstractAsyncContextManager[Bench]]


@pytest.fixture
def postgres_prefix() -> Iterator[str]:
    try:
        engine = sqlalchemy.create_engine(POSTGRES_URL, connect_args={"connect_timeout": 3})
        engine.connect().close()
    except (sqlalchemy.exc.OperationalError, ModuleNotFoundError) as exc:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"no PostgreSQL at {POSTGRES_URL!r}: {exc}")
    prefix = f"test_{uuid4().hex[:12]}_"
    yield prefix
    tables = LedgerTables(prefix)
    with engine.begin() as connection:
        tables.searches.drop(connection, checkfirst=True)
        tables.events.drop(connection, checkfirst=True)
        tables.versions.drop(connection, checkfirst=True)
    engine.dispose()


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgresql", marks=pytest.mark.network)])
def open_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    kind = request.param
    url, prefix = f"sqlite:///{tmp_path}/state/ledger.db", ""
    if kind == "postgresql":
        url, prefix = POSTGRES_URL, request.getfixturevalue("postgres_prefix")
    options = LedgerOptions(url=url, table_prefix=prefix, retry_s=0.001)

    @asynccontextmanager
    async def open_it() -> AsyncIterator[Bench]:
        if kind == "memory":
            yield MemoryBench()
            return
        bench = SqlBench(options)
        async with bench.sql:
            await bench.sql.flush()
            yield bench

    return open_it


async def test_recorded_events_are_committed_in_order(open_bench: Open) -> None:
    async with open_bench() as bench:
        for event in EVERY_KIND:
            bench.ledger.record(event)
        await bench.ledger.flush()

        assert bench.rows() == [to_row(event) for event in EVERY_KIND]


async def test_an_awaited_event_is_committed_when_the_wait_ends(open_bench: Open) -> None:
    async with open_bench() as bench:
        bench.ledger.record(call_started("call_1"))
        await bench.ledger.commit(call_started("call_2"))

        assert bench.rows() == [to_row(call_started("call_1")), to_row(call_started("call_2"))]


async def test_many_waiters_at_once_each_get_their_commit(open_bench: Open) -> None:
    async with open_bench() as bench:
        with anyio.fail_after(20):
            async with anyio.create_task_group() as tasks:
                for number in range(200):
                    tasks.start_soon(bench.ledger.commit, call_started(f"call_{number}"))

        assert len(bench.rows()) == 200


async def test_what_is_queued_is_committed_on_close(open_bench: Open) -> None:
    async with open_bench() as bench:
        for number in range(3_000):
            bench.ledger.record(call_started(f"call_{number}"))

    assert len(bench.rows()) == 3_000


async def test_nothing_is_promised_while_nothing_can_be_written(open_bench: Open) -> None:
    async with open_bench() as bench:
        bench.break_it("the disk is full")
        with pytest.raises(LedgerUnavailable, match="the disk is full"):
            await bench.ledger.commit(call_started("call_1"))
        with pytest.raises(LedgerUnavailable, match="the disk is full"):
            bench.ledger.record(call_started("call_2"))
        with pytest.raises(LedgerUnavailable, match="the disk is full"):
            await bench.ledger.commit(call_started("call_3"))
        with pytest.raises(LedgerUnavailable, match="the disk is full"):
            await bench.ledger.flush()

        assert bench.rows() == []


async def test_it_writes_again_once_it_can(open_bench: Open) -> None:
    async with open_bench() as bench:
        bench.break_it("the disk is full")
        with pytest.raises(LedgerUnavailable):
            await bench.ledger.commit(call_started("call_1"))
        await bench.mend()
        await bench.ledger.commit(call_started("call_2"))
        bench.ledger.record(call_finished("call_2"))
        await bench.ledger.flush()

        assert bench.rows() == [to_row(call_started("call_2")), to_row(call_finished("call_2"))]


@pytest.mark.parametrize("name", ["\ud800", "a\0b", "ä" * 5_000, "'; DROP TABLE ledger_events"])
async def test_a_hostile_name_does_not_stop_the_writer(open_bench: Open, name: str) -> None:
    event: Event = call_started(tool=name)
    async with open_bench() as bench:
        await bench.ledger.commit(event)
        await bench.ledger.commit(call_finished())

        assert bench.rows() == [to_row(event), to_row(call_finished())]


async def test_it_says_what_a_committed_event_survives(open_bench: Open) -> None:
    async with open_bench() as bench:
        if bench.is_sql:
            assert bench.ledger.durability in {"process kill", "power loss"}
        else:
            assert bench.ledger.durability.startswith("nothing")
