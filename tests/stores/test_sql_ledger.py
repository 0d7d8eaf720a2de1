import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import anyio
import pytest
from anyio import to_thread
from tests.stores.events import call_finished, call_started, run_started
from tests.stores.sinks import BreakableSink, MemorySink

from toolweft.core.errors import LedgerUnavailable
from toolweft.stores import LedgerOptions, SqlLedger
from toolweft.stores.location import is_memory, read_path, say_durability
from toolweft.testing import FakeClock


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "folders" / "ledger.db"


def options_for(path: Path, **fields: float) -> LedgerOptions:
    return LedgerOptions(url=f"sqlite:///{path}", **{"retry_s": 0.001, **fields})


def open_ledger(path: Path, clock: FakeClock, **fields: float) -> SqlLedger:
    return SqlLedger(options_for(path, **fields), clock=clock)


def with_sink(sink: BreakableSink, **fields: float) -> SqlLedger:
    options = LedgerOptions(url="sqlite://", **{"retry_s": 0.001, **fields})
    return SqlLedger(options, clock=FakeClock(), open_sink=lambda: sink)


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def count(path: Path) -> int:
    with connected(path) as connection:
        return int(connection.execute("SELECT count(*) FROM ledger_events").fetchone()[0])


async def wait_for_failure(ledger: SqlLedger) -> LedgerUnavailable:
    """Why the ledger cannot write, once it has noticed."""
    with anyio.fail_after(10):
        while True:
            try:
                await ledger.flush()
            except LedgerUnavailable as error:
                return error
            await anyio.sleep(0.01)


async def test_a_late_ledger_is_opened_by_the_first_event_or_on_demand() -> None:
    opened: list[str] = []

    def open_sink(name: str) -> BreakableSink:
        opened.append(name)
        return BreakableSink(MemorySink())

    def late(name: str) -> SqlLedger:
        options = LedgerOptions(url="sqlite://")
        sink = partial(open_sink, name)
        return SqlLedger(options, clock=FakeClock(), open_sink=sink, is_late=True)

    async with late("unused"):
        pass
    assert opened == []
    async with late("used") as ledger:
        assert opened == []
        await ledger.commit(call_started())
        assert opened == ["used"]
    async with late("wanted") as ledger:
        ledger.want()
        await ledger.flush()
    assert opened == ["used", "wanted"]


async def test_missing_folders_and_the_file_are_made_for_their_owner_alone(
    path: Path, clock: FakeClock
) -> None:
    async with open_ledger(path, clock) as ledger:
        await ledger.commit(call_started())

        modes = [stat.S_IMODE(p.stat().st_mode) for p in (path.parent.parent, path.parent)]
        assert modes == [0o700, 0o700]
        for file in path.parent.iterdir():
            assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_a_place_that_cannot_be_written_fails_at_once(
    tmp_path: Path, clock: FakeClock
) -> None:
    file = tmp_path / "file"
    file.touch()

    with pytest.raises(LedgerUnavailable, match="cannot be written") as caught:
        async with open_ledger(file / "ledger.db", clock):
            pass

    assert str(file) in caught.value.message
    assert caught.value.hint is not None


async def test_readers_do_not_block_the_writer(path: Path, clock: FakeClock) -> None:
    async with open_ledger(path, clock) as ledger:
        await ledger.commit(call_started())
        with connected(path) as reader:
            mode = reader.execute("PRAGMA journal_mode").fetchone()[0]
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM ledger_events").fetchone()
            await ledger.commit(call_finished())

    assert mode == "wal"


async def test_a_ledger_opened_again_goes_on_where_it_ended(path: Path, clock: FakeClock) -> None:
    for _ in range(3):
        async with open_ledger(path, clock) as ledger:
            await ledger.commit(call_started())

    assert count(path) == 3


async def test_two_ledgers_write_one_new_file(path: Path, clock: FakeClock) -> None:
    async with open_ledger(path, clock) as one, open_ledger(path, clock) as other:
        for _ in range(20):
            await one.commit(call_started())
            await other.commit(call_started())

    assert count(path) == 40


async def test_a_ledger_of_a_newer_toolweft_is_not_touched(path: Path, clock: FakeClock) -> None:
    async with open_ledger(path, clock) as ledger:
        await ledger.flush()
    with connected(path) as connection:
        connection.execute("UPDATE ledger_versions SET version = 999")

    async with open_ledger(path, clock) as ledger:
        with pytest.raises(LedgerUnavailable, match="schema version 999"):
            await ledger.commit(call_started())

    assert count(path) == 0


NOTES = "these are my notes " * 100


@pytest.fixture
def notes(tmp_path: Path) -> Iterator[Path]:
    """A file of somebody else, which stays as it is."""
    path = tmp_path / "notes.txt"
    path.write_text(NOTES, encoding="utf-8")
    yield path
    assert path.read_text(encoding="utf-8") == NOTES


async def test_a_file_that_is_no_database_is_named(notes: Path, clock: FakeClock) -> None:
    async with open_ledger(notes, clock) as ledger:
        error = await wait_for_failure(ledger)

    assert "not a database" in error.message
    assert str(notes) in error.message
    assert "another place" in str(error.hint)


async def test_a_lock_of_another_process_ends_and_so_does_the_failure(
    path: Path, clock: FakeClock
) -> None:
    async with open_ledger(path, clock, busy_timeout_s=0.001) as ledger:
        await ledger.commit(call_started("call_1"))
        with connected(path) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerUnavailable, match="locked"):
                await ledger.commit(call_started("call_2"))
            other.execute("ROLLBACK")
        await wait_until_writing(ledger)
        await ledger.commit(call_started("call_3"))

    assert count(path) == 2


async def wait_until_writing(ledger: SqlLedger) -> None:
    with anyio.fail_after(30):
        while True:
            try:
                await ledger.flush()
            except LedgerUnavailable:
                # A loop that never rests keeps the interpreter from the writer's thread.
                await anyio.sleep(0.01)
            else:
                return


async def test_an_unknown_driver_names_what_to_install(clock: FakeClock) -> None:
    options = LedgerOptions(url="postgresql+nodriver://u:topsecret@127.0.0.1/x", retry_s=0.001)

    async with SqlLedger(options, clock=clock) as ledger:
        error = await wait_for_failure(ledger)

    assert "topsecret" not in str(error)


async def test_an_address_that_cannot_be_read_is_shown_without_its_password(
    clock: FakeClock,
) -> None:
    options = LedgerOptions(
        url="postgresql+psycopg://u:topsecret@127.0.0.1:1/x?connect_timeout=1", retry_s=0.001
    )

    async with SqlLedger(options, clock=clock) as ledger:
        error = await wait_for_failure(ledger)

    assert "u@127.0.0.1:1" in error.message
    assert "topsecret" not in str(error)


async def test_ends_of_what_was_entered_are_kept_until_they_can_be_written() -> None:
    memory = MemorySink()
    sink = BreakableSink(memory)
    async with with_sink(sink) as ledger:
        await ledger.commit(call_started())
        sink.failure = "the disk is full"
        await wait_for_failure(ledger)

        ledger.record(call_finished())
        with pytest.raises(LedgerUnavailable):
            ledger.record(call_started("call_2"))
        with pytest.raises(LedgerUnavailable):
            ledger.record(run_started())
        sink.failure = None

    assert [event for batch in memory.transactions for event in batch] == [
        call_started(),
        call_finished(),
    ]


async def wait_in_thread(sink: BreakableSink) -> None:
    with anyio.fail_after(10):
        await to_thread.run_sync(sink.arrived.wait, 10)


async def test_events_that_arrive_during_a_commit_share_the_next_one() -> None:
    memory = MemorySink()
    sink = BreakableSink(memory)
    async with with_sink(sink) as ledger:
        await ledger.flush()
        sink.may_write.clear()
        sink.arrived.clear()
        ledger.record(call_started("call_1"))
        await wait_in_thread(sink)
        for number in range(2, 50):
            ledger.record(call_started(f"call_{number}"))
        sink.may_write.set()
        await ledger.flush()

    assert [len(batch) for batch in memory.transactions if batch] == [1, 48]


async def test_more_events_than_may_wait_are_refused() -> None:
    sink = BreakableSink(MemorySink())
    async with with_sink(sink, max_queued=5) as ledger:
        await ledger.flush()
        sink.may_write.clear()
        sink.arrived.clear()
        ledger.record(call_started("call_1"))
        await wait_in_thread(sink)
        for number in range(2, 7):
            ledger.record(call_started(f"call_{number}"))

        with pytest.raises(LedgerUnavailable, match="5 events wait"):
            ledger.record(call_started("call_7"))
        with pytest.raises(LedgerUnavailable, match="5 events wait"):
            await ledger.commit(call_started("call_8"))
        sink.may_write.set()


async def test_a_commit_that_takes_too_long_is_given_up() -> None:
    sink = BreakableSink(MemorySink())
    async with with_sink(sink, commit_timeout_s=0.001) as ledger:
        sink.may_write.clear()
        with pytest.raises(LedgerUnavailable, match="did not commit within") as caught:
            await ledger.commit(call_started())
        assert caught.value.may_be_written
        sink.may_write.set()


async def test_a_cancelled_wait_leaves_the_writer_alone() -> None:
    memory = MemorySink()
    sink = BreakableSink(memory)
    async with with_sink(sink) as ledger:
        await ledger.flush()
        sink.may_write.clear()
        with anyio.move_on_after(0):
            await ledger.commit(call_started())
        sink.may_write.set()
        await ledger.flush()

    assert memory.transactions[0] == [call_started()]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_writer_that_dies_of_a_fault_refuses_everything_from_then_on() -> None:
    sink = BreakableSink(MemorySink())
    async with with_sink(sink) as ledger:
        await ledger.flush()
        sink.error = RuntimeError("a fault of our own")
        with pytest.raises(LedgerUnavailable):
            await ledger.commit(call_started())
        for event in (call_started(), call_finished()):
            with pytest.raises(LedgerUnavailable, match="closed"):
                ledger.record(event)


async def test_a_closed_ledger_takes_nothing(path: Path, clock: FakeClock) -> None:
    ledger = open_ledger(path, clock)
    async with ledger:
        await ledger.commit(call_started())

    for event in (call_started(), call_finished()):
        with pytest.raises(LedgerUnavailable, match="the ledger is closed"):
            ledger.record(event)
    with pytest.raises(LedgerUnavailable, match="the ledger is closed"):
        await ledger.commit(call_started())


async def test_what_never_could_be_written_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    sink = BreakableSink(MemorySink())
    async with with_sink(sink) as ledger:
        await ledger.flush()
        sink.failure = "the disk is full"
        ledger.record(call_started())
        await wait_for_failure(ledger)
        ledger.record(call_finished())

    lost = [record for record in caplog.records if record.message == "ledger.events_lost"]
    assert [record.__dict__["events"] for record in lost] == [2]


async def test_a_ledger_in_memory_works_and_says_so(clock: FakeClock) -> None:
    async with SqlLedger(LedgerOptions(url="sqlite://"), clock=clock) as ledger:
        await ledger.commit(call_started())
        ledger.record(call_finished())
        await ledger.flush()

        assert ledger.durability == "nothing: kept in memory"


@pytest.mark.parametrize(
    ("url", "synchronous", "durability"),
    [
        ("sqlite:///x.db", "NORMAL", "process kill"),
        ("sqlite:///x.db", "FULL", "power loss"),
        ("postgresql+psycopg://h/x", "NORMAL", "power loss"),
        ("sqlite:///:memory:", "FULL", "nothing: kept in memory"),
    ],
)
def test_durability_follows_from_address_and_synchronous(
    url: str, synchronous: str, durability: str
) -> None:
    assert say_durability(url, synchronous=synchronous) == durability


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:////var/l.db", Path("/var/l.db")),
        ("sqlite:///l.db?timeout=3", Path("l.db")),
        ("sqlite+pysqlite:///l.db", Path("l.db")),
        ("sqlite://", None),
        ("postgresql://h/x", None),
    ],
)
def test_the_file_of_an_address(url: str, path: Path | None) -> None:
    assert read_path(url) == path
    assert is_memory(url) == (url == "sqlite://")


def test_importing_the_stores_imports_no_database_package() -> None:
    code = "import sys, toolweft.stores; print('sqlalchemy' in sys.modules)"
    outcome = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert outcome.stdout.strip() == "False"


KILLED = """
import os, sys
import anyio
from tests.stores.events import call_started
from toolweft.core.clock import SystemClock
from toolweft.stores import LedgerOptions, SqlLedger

async def main():
    async with SqlLedger(LedgerOptions(url=sys.argv[1]), clock=SystemClock()) as ledger:
        await ledger.commit(call_started())
        os.kill(os.getpid(), 9)

anyio.run(main)
"""


@pytest.mark.promise("ledger.survives")
def test_a_committed_event_survives_the_kill_of_its_process(path: Path) -> None:
    outcome = subprocess.run(
        [sys.executable, "-c", KILLED, f"sqlite:///{path}"],
        check=False,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONPATH": "."},
    )

    assert outcome.returncode == -9
    assert count(path) == 1
