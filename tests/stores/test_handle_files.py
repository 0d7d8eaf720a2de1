"""Handles as files: who may read them, what a crash leaves, what the caps allow."""

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.calls import Principal
from toolweft.core.clock import RandomIds
from toolweft.core.errors import HandleNotFound, InvalidArguments, StorageFull
from toolweft.core.handles import Draft
from toolweft.stores.handles import FileHandleStore, HandleOptions
from toolweft.stores.handles.usage import Usage
from toolweft.testing import FakeClock

ANN, BEN = Principal("acme", "ann"), Principal("acme", "ben")
OTHER = Principal("other", "ann")
TEXT = Draft(kind="text")


WRITER = """\
import sys, time
import anyio
from pathlib import Path
from toolweft.core.calls import Principal
from toolweft.core.clock import RandomIds
from toolweft.core.handles import Draft
from toolweft.stores.handles import FileHandleStore, HandleOptions
from toolweft.testing import FakeClock

def pieces():
    yield b"x" * 100_000
    print("written", flush=True)
    time.sleep(600)

async def main():
    options = HandleOptions(folder=Path(sys.argv[1]))
    async with FileHandleStore(options, clock=FakeClock(), ids=RandomIds()) as store:
        await store.keep(pieces(), owner=Principal("acme", "ann"), draft=Draft())

anyio.run(main)
"""


def make_store(folder: Path, clock: FakeClock, **options: Any) -> FileHandleStore:
    return FileHandleStore(HandleOptions(folder=folder, **options), clock=clock, ids=RandomIds())


def kill_a_writer(folder: Path) -> None:
    """Leave what a process leaves that is killed in the middle of a content."""
    with subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "written\n"
        os.kill(child.pid, signal.SIGKILL)


def list_all(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


def list_files(folder: Path) -> list[Path]:
    return [path for path in list_all(folder) if path.is_file()]


async def test_nothing_is_made_before_something_is_kept(tmp_path: Path, clock: FakeClock) -> None:
    async with make_store(tmp_path / "deep" / "handles", clock) as store:
        with pytest.raises(HandleNotFound):
            await store.find("x", owner=ANN)
        await store.sweep()
    assert not (tmp_path / "deep").exists()


async def test_files_and_folders_are_their_users_alone(tmp_path: Path, clock: FakeClock) -> None:
    folder = tmp_path / "handles"
    old_mask = os.umask(0)
    try:
        async with make_store(folder, clock) as store:
            await store.keep(b"x", owner=ANN, draft=TEXT)
    finally:
        os.umask(old_mask)
    modes = {
        path.is_dir(): stat.S_IMODE(path.stat().st_mode) for path in [folder, *folder.rglob("*")]
    }
    assert modes == {True: 0o700, False: 0o600}
    assert {stat.S_IMODE(p.stat().st_mode) for p in folder.rglob("*") if p.is_dir()} == {0o700}


async def test_names_of_principals_are_never_paths(tmp_path: Path, clock: FakeClock) -> None:
    folder = tmp_path / "a" / "handles"
    hostile = Principal("../../../..", "/etc/\0\udcff" + "x" * 500)
    async with make_store(folder, clock) as store:
        handle = await store.keep(b"x", owner=hostile, draft=TEXT)
        assert await store.read(handle.id, owner=hostile, start=0, size_bytes=1) == b"x"
    assert {path for path in list_all(tmp_path) if folder not in [path, *path.parents]} == {
        tmp_path / "a"
    }


async def test_one_content_is_one_file_within_a_tenant_and_never_beyond(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with make_store(tmp_path, clock) as store:
        for owner in (ANN, ANN, BEN, OTHER):
            await store.keep(b"same", owner=owner, draft=TEXT)
        inodes = {path.stat().st_ino for path in list_files(tmp_path) if path.name != "record.json"}
        assert len(inodes) == 2
        for handle in await store.owned(ANN):
            await store.drop(handle.id, owner=ANN)
        (left,) = await store.owned(BEN)
        assert await store.read(left.id, owner=BEN, start=0, size_bytes=9) == b"same"


async def test_a_dropped_handle_takes_its_own_content_with_it_and_no_other(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with make_store(tmp_path, clock) as store:
        gone, shared, left = [
            await store.keep(content, owner=ANN, draft=TEXT) for content in (b"a", b"b", b"b")
        ]
        await store.drop(gone.id, owner=ANN)
        await store.drop(shared.id, owner=ANN)
        assert {path.name for path in (tmp_path / "content").rglob("*") if path.is_file()} == {
            left.sha256
        }
        assert await store.read(left.id, owner=ANN, start=0, size_bytes=9) == b"b"


async def test_a_name_that_is_nearly_one_is_told_its_owner_alone(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with make_store(tmp_path, clock) as store:
        await store.keep(b"a", owner=ANN, draft=Draft(name="orders"))
        with pytest.raises(HandleNotFound) as own:
            await store.find("order", owner=ANN)
        with pytest.raises(HandleNotFound) as others:
            await store.find("order", owner=BEN)
    assert "did you mean 'orders'?" in (own.value.hint or "")
    assert "orders" not in str(others.value)
    assert "handles.expire_s" in (others.value.hint or "")


async def test_a_damaged_shared_content_is_not_given_to_the_next(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with make_store(tmp_path, clock) as store:
        first = await store.keep(b"same", owner=ANN, draft=TEXT)
        (shared,) = list_files(tmp_path / "content")
        shared.write_bytes(b"")
        second = await store.keep(b"same", owner=ANN, draft=TEXT)
        assert await store.read(second.id, owner=ANN, start=0, size_bytes=9) == b"same"
        with pytest.raises(HandleNotFound):
            await store.find(first.id, owner=ANN)


async def test_a_handle_outlives_the_process_that_made_it(tmp_path: Path, clock: FakeClock) -> None:
    async with make_store(tmp_path, clock) as store:
        handle = await store.keep(b"lasts", owner=ANN, draft=Draft(name="n"))
    async with make_store(tmp_path, clock) as store:
        await store.sweep()
        assert await store.find(handle.id, owner=ANN) == handle
        with pytest.raises(HandleNotFound):
            await store.find("n", owner=ANN)


async def test_use_keeps_a_handle_and_disuse_removes_its_files(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with make_store(tmp_path, clock) as store:
        used = await store.keep(b"used", owner=ANN, draft=TEXT)
        await store.keep(b"unused", owner=ANN, draft=TEXT)
        clock.advance(3000)
        await store.read(used.id, owner=ANN, start=0, size_bytes=1)
        clock.advance(3000)
        await store.sweep()
        assert [handle.id for handle in await store.owned(ANN)] == [used.id]
    assert sorted({path.read_bytes() for path in list_files(tmp_path / "content")}) == [b"used"]


async def test_use_keeps_a_handle_whose_life_is_short(tmp_path: Path, clock: FakeClock) -> None:
    async with make_store(tmp_path, clock, expire_s=2.0) as store:
        used = await store.keep(b"used", owner=ANN, draft=TEXT)
        for _ in range(5):
            clock.advance(1.5)
            await store.read(used.id, owner=ANN, start=0, size_bytes=1)


@pytest.mark.promise("handles.whole")
@pytest.mark.process
async def test_a_killed_writer_leaves_nothing_that_shows_and_nothing_that_stays(
    tmp_path: Path, clock: FakeClock
) -> None:
    kill_a_writer(tmp_path)
    assert [path.stat().st_size for path in list_files(tmp_path)] == [100_000]

    async with make_store(tmp_path, clock) as store:
        assert list(await store.owned(ANN)) == []
        clock.advance(3601)
        await store.sweep()
    assert list_files(tmp_path) == []


async def test_the_caps_are_refused_by_name_and_leave_nothing(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with make_store(
        tmp_path, clock, max_bytes=1000, max_total_bytes=1500, max_handles=3
    ) as store:
        await store.keep(b"a" * 900, owner=ANN, draft=TEXT)
        for source in (b"b" * 101, iter([b"b" * 60, b"b" * 60])):
            with pytest.raises(StorageFull, match="for this principal") as refused:
                await store.keep(source, owner=ANN, draft=TEXT)
            assert "handles.max_bytes" in (refused.value.hint or "")
        with pytest.raises(StorageFull, match="for all principals"):
            await store.keep(b"c" * 601, owner=BEN, draft=TEXT)
        await store.keep(b"d", owner=ANN, draft=TEXT)
        await store.keep(b"e", owner=ANN, draft=TEXT)
        with pytest.raises(StorageFull, match="3 handles already"):
            await store.keep(b"f", owner=ANN, draft=TEXT)
        assert len(await store.owned(ANN)) == 3
        assert list((tmp_path / "incoming").iterdir()) == []
        # What expires makes room without waiting for the next look.
        clock.advance(3601)
        await store.keep(b"g" * 1000, owner=ANN, draft=TEXT)


async def test_what_another_process_keeps_counts_after_the_next_look(
    tmp_path: Path, clock: FakeClock
) -> None:
    async with (
        make_store(tmp_path, clock, max_bytes=100) as first,
        make_store(tmp_path, clock, max_bytes=100) as second,
    ):
        await first.keep(b"a" * 80, owner=ANN, draft=TEXT)
        await second.sweep()
        with pytest.raises(StorageFull):
            await second.keep(b"b" * 30, owner=ANN, draft=TEXT)


async def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "file").write_bytes(b"")
    async with make_store(tmp_path / "file" / "handles", clock) as store:
        with pytest.raises(StorageFull, match="nothing can be stored in") as refused:
            await store.keep(b"x", owner=ANN, draft=TEXT)
    assert "handles.folder" in (refused.value.hint or "")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
async def test_a_pipe_is_not_waited_for(tmp_path: Path, clock: FakeClock) -> None:
    os.mkfifo(tmp_path / "pipe")
    async with make_store(tmp_path / "handles", clock) as store:
        with pytest.raises(InvalidArguments, match="no regular file"):
            await store.keep(tmp_path / "pipe", owner=ANN, draft=TEXT)


@pytest.mark.parametrize("record", [b"", b"{}", b"[]", b'{"size_bytes": 1}', b"\xff"])
async def test_a_record_that_makes_no_sense_is_no_handle(
    tmp_path: Path, clock: FakeClock, record: bytes
) -> None:
    async with make_store(tmp_path, clock) as store:
        handle = await store.keep(b"x", owner=ANN, draft=TEXT)
        (path,) = [path for path in list_files(tmp_path) if path.name == "record.json"]
        path.write_bytes(record)
        os.utime(path, ns=(int(clock.now().timestamp() * 1e9),) * 2)
        with pytest.raises(HandleNotFound):
            await store.find(handle.id, owner=ANN)
        assert list(await store.owned(ANN)) == []


@given(
    steps=st.lists(
        st.tuples(
            st.sampled_from(["grow", "keep", "give up", "forget"]),
            st.sampled_from("ab"),
            st.sampled_from("xyz"),
            st.integers(0, 60),
        ),
        max_size=30,
    )
)
def test_no_order_of_steps_passes_a_cap(steps: list[tuple[str, str, str, int]]) -> None:
    options = HandleOptions(folder=Path(), max_bytes=100, max_total_bytes=150, max_handles=2)
    usage = Usage(options)
    for what, owner, handle, size in steps:
        match what:
            case "grow":
                before = usage.bytes_of(owner)
                try:
                    usage.grow(owner, handle, size)
                except StorageFull:
                    assert usage.bytes_of(owner) == before
            case "forget":
                usage.forget(owner, handle)
            case _:
                usage.settle(owner, handle, is_kept=what == "keep")
        assert usage.bytes_of("a") <= 100
        assert usage.bytes_of("a") + usage.bytes_of("b") <= 150


def test_what_is_stored_while_the_folder_is_looked_through_counts() -> None:
    usage = Usage(HandleOptions(folder=Path("unused"), max_handles=2))
    usage.grow("ann", "h1", 5)
    usage.settle("ann", "h1", is_kept=True)

    def look() -> dict[str, dict[str, int]]:
        usage.grow("ann", "h2", 7)
        usage.settle("ann", "h2", is_kept=True)
        usage.forget("ann", "h1")
        return {"ann": {"h1": 5}, "ben": {"h3": 1}}

    usage.replace_by(look)

    assert (usage.bytes_of("ann"), usage.bytes_of("ben")) == (7, 1)
    usage.grow("ann", "h4", 1)
    with pytest.raises(StorageFull, match="2 handles already"):
        usage.grow("ann", "h5", 1)
