"""Vectors kept in a database, and what happens when the database is not what it should be."""

import logging
import os
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import anyio
import pytest
import sqlalchemy
from hypothesis import given, settings
from hypothesis import strategies as st

from toolweft.stores import SqlVectorStore, VectorStoreOptions
from toolweft.stores.vector_queries import vector_table
from toolweft.testing import FakeClock

POSTGRES_URL = os.environ.get(
    "TOOLWEFT_TEST_POSTGRES_URL", "postgresql+psycopg://postgres@127.0.0.1:5432/test"
)
VECTORS = {"a": b"\x00\x01\xff\x00", "b": b"1234", "c": b"5678"}


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
    with engine.begin() as connection:
        vector_table(prefix).drop(connection, checkfirst=True)
    engine.dispose()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.network)])
def options(request: pytest.FixtureRequest, tmp_path: Path) -> VectorStoreOptions:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/cache/toolweft/vectors.db"
        return VectorStoreOptions(url=url, timeout_s=30)
    prefix = request.getfixturevalue("postgres_prefix")
    return VectorStoreOptions(url=POSTGRES_URL, table_prefix=prefix, timeout_s=30)


def in_file(path: Path) -> VectorStoreOptions:
    return VectorStoreOptions(url=f"sqlite:///{path}", timeout_s=30)


async def test_what_was_saved_is_known_to_another_store(
    options: VectorStoreOptions, clock: FakeClock
) -> None:
    await SqlVectorStore(options, clock=clock).save("m", VECTORS)

    other = SqlVectorStore(options, clock=clock)
    assert await other.load("m", ["a", "c", "unknown"]) == {"a": VECTORS["a"], "c": VECTORS["c"]}


async def test_models_do_not_share_vectors(options: VectorStoreOptions, clock: FakeClock) -> None:
    store = SqlVectorStore(options, clock=clock)
    await store.save("m", VECTORS)

    assert await store.load("n", VECTORS) == {}


async def test_a_vector_saved_twice_is_the_later_one(
    options: VectorStoreOptions, clock: FakeClock
) -> None:
    store = SqlVectorStore(options, clock=clock)
    await store.save("m", VECTORS)
    await store.save("m", {"a": b"new!", "d": b"more"})

    assert await store.load("m", "abcd") == {**VECTORS, "a": b"new!", "d": b"more"}


async def test_stores_that_save_at_once_lose_nothing(
    options: VectorStoreOptions, clock: FakeClock
) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(6):
            store = SqlVectorStore(options, clock=clock)
            vectors = {f"{n}": b"same" for n in range(50)} | {f"own {number}": b"mine"}
            tasks.start_soon(store.save, "m", vectors)

    keys = [*map(str, range(50)), *(f"own {n}" for n in range(6))]
    assert len(await SqlVectorStore(options, clock=clock).load("m", keys)) == 56


async def test_beyond_the_most_that_are_kept_the_oldest_go(
    options: VectorStoreOptions, clock: FakeClock
) -> None:
    small = replace(options, max_vectors=3)
    for name in ("old", "new"):
        # The first save of a store looks how many there are.
        await SqlVectorStore(small, clock=clock).save("m", {f"{name} {n}": b"1234" for n in (1, 2)})
        await SqlVectorStore(small, clock=clock).save("other", {"kept": b"1234"})
        clock.advance(1)

    store = SqlVectorStore(small, clock=clock)
    assert set(await store.load("m", ["old 1", "old 2", "new 1", "new 2"])) == {
        "old 2",
        "new 1",
        "new 2",
    }
    assert await store.load("other", ["kept"]) == {"kept": b"1234"}


@settings(max_examples=15, deadline=None)
@given(
    st.dictionaries(
        st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=70),
        st.binary(min_size=1, max_size=300),
        max_size=900,
    )
)
def test_every_vector_comes_back_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, vectors: dict[str, bytes]
) -> None:
    async def there_and_back() -> None:
        options = in_file(tmp_path_factory.mktemp("vectors") / "vectors.db")
        store = SqlVectorStore(options, clock=FakeClock())
        await store.save("m", vectors)
        assert await store.load("m", vectors) == vectors

    anyio.run(there_and_back)


async def test_the_file_belongs_to_its_owner_alone(tmp_path: Path, clock: FakeClock) -> None:
    path = tmp_path / "cache" / "vectors.db"
    await SqlVectorStore(in_file(path), clock=clock).save("m", VECTORS)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_file_that_is_no_database_knows_nothing_and_is_told_once(
    tmp_path: Path, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "vectors.db"
    path.write_bytes(b"this is not a database, however long it may be" * 100)
    store = SqlVectorStore(in_file(path), clock=clock)

    with caplog.at_level(logging.WARNING, "toolweft"):
        assert await store.load("m", VECTORS) == {}
        await store.save("m", VECTORS)
        assert await store.load("m", VECTORS) == {}

    assert [record.message for record in caplog.records] == ["vectors.store_failed"]


async def test_a_place_that_cannot_be_written_knows_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    (tmp_path / "file").touch()
    store = SqlVectorStore(in_file(tmp_path / "file" / "vectors.db"), clock=clock)

    await store.save("m", VECTORS)
    assert await store.load("m", VECTORS) == {}


async def test_a_database_that_is_removed_meanwhile_is_made_anew(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = tmp_path / "vectors.db"
    store = SqlVectorStore(in_file(path), clock=clock)
    await store.save("m", VECTORS)
    path.unlink()

    assert await store.load("m", VECTORS) == {}
    await store.save("m", VECTORS)
    assert await store.load("m", VECTORS) == VECTORS


async def test_what_is_no_vector_in_the_database_is_left_out(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = tmp_path / "vectors.db"
    store = SqlVectorStore(in_file(path), clock=clock)
    await store.save("m", VECTORS)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE vectors SET vector = 'a text' WHERE key = 'a'")
    connection.close()

    found = await store.load("m", VECTORS)
    assert found.get("b") == VECTORS["b"]


async def test_a_database_held_by_another_is_given_up_in_time(
    tmp_path: Path, clock: FakeClock
) -> None:
    path = tmp_path / "vectors.db"
    options = VectorStoreOptions(url=f"sqlite:///{path}", timeout_s=30, busy_timeout_s=0.01)
    await SqlVectorStore(options, clock=clock).save("m", VECTORS)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")

    with anyio.fail_after(20):
        await SqlVectorStore(options, clock=clock).save("m", {"z": b"1234"})
    holder.execute("ROLLBACK")
    holder.close()

    assert await SqlVectorStore(options, clock=clock).load("m", ["z"]) == {}
