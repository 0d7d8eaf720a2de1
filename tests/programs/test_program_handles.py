"""Stored results on the host's side of a program."""

import json
from typing import Any

import pytest
from tests.programs.fakes import ANN, BEN, make_tool, open_world

from toolweft.core.calls import Blob, ToolResult
from toolweft.core.errors import HandleNotFound, InvalidArguments, ToolNotFound
from toolweft.core.handles import Draft
from toolweft.core.ids import CallId
from toolweft.core.ports import GuestBlob, GuestReply
from toolweft.programs.handles import MAX_READ_BYTES, RunHandles
from toolweft.programs.replies import reply_of
from toolweft.testing import CountingIds, FakeClock, MemoryHandleStore

READ = make_tool("notes.read", description="Read all notes")


@pytest.fixture
def store(clock: FakeClock, ids: CountingIds) -> MemoryHandleStore:
    return MemoryHandleStore(clock=clock, ids=ids)


@pytest.fixture
def run(store: MemoryHandleStore) -> RunHandles:
    return RunHandles(store, owner=ANN, max_result_bytes=100)


async def test_a_program_learns_of_a_handle_and_reads_a_range(
    run: RunHandles, store: MemoryHandleStore
) -> None:
    handle = await store.keep(b"0123456789", owner=ANN, draft=Draft(name="n", kind="binary"))
    info = json.loads((await run.answer("load.info", {"handle": "n"})).payload)
    assert info == handle.to_dict()
    reply = await run.answer("load.read", {"handle": handle.id, "start": 3, "size": 4})
    assert [blob.data for blob in reply.blobs] == [b"3456"]


async def test_what_was_read_counts_once_and_only_if_it_was_there_before(
    run: RunHandles, store: MemoryHandleStore
) -> None:
    await store.keep(b"0123456789", owner=ANN, draft=Draft(name="n", kind="binary"))
    made = await store.keep(b"01234", owner=ANN, draft=Draft(kind="binary"))
    run.reply_with(made)
    for start, size in ((0, 4), (4, 4), (2, 2)):
        await run.answer("load.read", {"handle": "n", "start": start, "size": size})
    await run.answer("load.read", {"handle": made.id, "start": 0, "size": 5})
    assert run.read_bytes() == 8


async def test_every_read_asks_whose_it_is(run: RunHandles, store: MemoryHandleStore) -> None:
    handle = await store.keep(b"x", owner=BEN, draft=Draft(name="n"))
    for key in (handle.id, "n"):
        with pytest.raises(HandleNotFound):
            await run.answer("load.info", {"handle": key})
        with pytest.raises(HandleNotFound):
            await run.answer("load.read", {"handle": key, "start": 0, "size": 1})


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"handle": 5},
        {"handle": ""},
        {"handle": "n", "start": -1, "size": 1},
        {"handle": "n", "start": 0, "size": 0},
        {"handle": "n", "start": 0, "size": MAX_READ_BYTES + 1},
        {"handle": "n", "start": 0.5, "size": 1},
        {"handle": "n", "start": True, "size": 1},
        {"handle": "n", "start": 1 << 60, "size": 1},
        {"handle": "n", "size": 1},
    ],
)
async def test_a_range_that_is_none_is_refused(
    run: RunHandles, store: MemoryHandleStore, arguments: dict[str, Any]
) -> None:
    await store.keep(b"x", owner=ANN, draft=Draft(name="n"))
    with pytest.raises(InvalidArguments):
        await run.answer("load.read", arguments)


async def test_nothing_else_is_named_load(run: RunHandles) -> None:
    with pytest.raises(ToolNotFound, match=r"load\.drop"):
        await run.answer("load.drop", {"handle": "n"})
    with pytest.raises(HandleNotFound, match="none are kept here"):
        await RunHandles(None, owner=ANN, max_result_bytes=1).answer("load.info", {"handle": "n"})


async def test_a_result_above_the_runs_cap_becomes_a_handle(
    run: RunHandles, store: MemoryHandleStore
) -> None:
    large = reply_of(ToolResult(call_id=CallId("1"), value=["x" * 200], encoded=b'["x"]' * 30))
    reply = await run.fit(large)
    assert reply.handle is not None
    assert store.contents[reply.handle["id"]] == b'["x"]' * 30
    picture = reply_of(
        ToolResult(call_id=CallId("1"), value=Blob(data=b"p" * 200, media_type="image/png"))
    )
    kept = (await run.fit(picture)).handle
    assert kept is not None
    assert (kept["kind"], kept["media_type"]) == ("binary", "image/png")
    assert [handle.id for handle in run.made] == [reply.handle["id"], kept["id"]]


async def test_what_fits_or_has_no_form_of_its_own_is_passed_on(
    run: RunHandles, store: MemoryHandleStore
) -> None:
    blob = GuestBlob(position=0, media_type="image/png", data=b"p" * 200)
    for reply in (GuestReply(payload=b"[1]"), GuestReply(payload=b"[null]", blobs=(blob,))):
        assert await run.fit(reply) is reply
    store.max_bytes = 0
    large = GuestReply(payload=b"[1]" * 100)
    assert await run.fit(large) is large
    assert run.made == []


async def test_the_outcome_lists_the_handles_that_its_calls_left() -> None:
    async with open_world(READ) as world:
        handle = await world.handles.keep(b"[1]", owner=ANN, draft=Draft(kind="json"))
        world.road.results = {"notes.read": handle}

        async def call(request: Any) -> ToolResult:
            return ToolResult(call_id=request.id, handle=handle)

        world.runner._desk.road.call = call
        outcome = await world.runner.run("await notes.read()\n1", principal=ANN)
    assert [h["id"] for h in outcome.handles] == [handle.id]
    assert outcome.to_dict()["handles"][0]["uri"] == handle.uri
