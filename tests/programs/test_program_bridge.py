"""Calls of a guest: bytes of a stranger in, replies out."""

import json
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.programs.fakes import ANN, FakeLedger, FakeRoad, FakeSearcher, make_snapshot, make_tool

from toolweft.core.calls import Blob, ToolResult
from toolweft.core.countdown import Countdown
from toolweft.core.errors import InvalidArguments
from toolweft.core.ids import CallId, RunId
from toolweft.core.ports import GuestCall, GuestReply
from toolweft.programs.bridge import Desk, RunBridge, parse_arguments
from toolweft.programs.handles import RunHandles
from toolweft.programs.replies import reply_of
from toolweft.testing import FakeClock

SNAPSHOT = make_snapshot(
    make_tool("notes.add", parameters={"text": {"type": "string"}}, description="Add a note"),
    make_tool("notes.drop", callers=frozenset({"direct"}), description="Drop a note"),
)


@pytest.fixture
def road() -> FakeRoad:
    return FakeRoad(SNAPSHOT)


@pytest.fixture
def bridge(road: FakeRoad, clock: FakeClock) -> RunBridge:
    desk = Desk(
        road=road,
        holder=SimpleNamespace(snapshot=SNAPSHOT),
        searcher=FakeSearcher(),
        ledger=FakeLedger(),
        clock=clock,
    )
    return RunBridge(
        desk=desk,
        run_id=RunId("run_1"),
        principal=ANN,
        handles=RunHandles(None, owner=ANN, max_result_bytes=1_000),
    )


def ask(name: str, /, **arguments: Any) -> GuestCall:
    return ask_raw(name, json.dumps(arguments).encode())


def ask_raw(name: str, arguments: bytes, *, clock: FakeClock | None = None) -> GuestCall:
    countdown = Countdown(10, clock=clock or FakeClock())
    return GuestCall(index=7, name=name, arguments=arguments, line=3, countdown=countdown)


def code_of(reply: GuestReply) -> str:
    assert reply.failure is not None
    assert reply.failure.hint
    return reply.failure.code


async def test_a_call_carries_the_runs_identity_and_deadline(
    bridge: RunBridge, road: FakeRoad
) -> None:
    road.answers["notes.add"] = {"id": 1}
    asked = ask("notes.add", text="x")
    reply = await bridge.answer(asked)
    assert reply == GuestReply(payload=b'{"id":1}')
    call = road.calls[0]
    assert (call.id, call.arguments, call.line) == ("run_1:7", {"text": "x"}, 3)
    assert (call.principal, call.countdown) == (ANN, asked.countdown)
    assert call.caller.to_dict()["execution_id"] == "run_1"


async def test_after_its_deadline_nothing_is_called(
    bridge: RunBridge, road: FakeRoad, clock: FakeClock
) -> None:
    asked = ask_raw("notes.add", b"{}", clock=clock)
    clock.advance(10)
    assert code_of(await bridge.answer(asked)) == "timeout"
    assert road.calls == []


async def test_a_stopped_run_calls_nothing_more(bridge: RunBridge, road: FakeRoad) -> None:
    bridge.stop()
    assert code_of(await bridge.answer(ask("notes.add"))) == "timeout"
    assert road.calls == []


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"[1]",
        b"null",
        b'{"a":',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":1e999}',
        b'{"a":"\xff"}',
        b'{"a":' + b"9" * 5_000 + b"}",
        b'{"a":' + b"[" * 100_000 + b"}",
        b'{"a":' + b"[" * 201 + b"]" * 201 + b"}",
    ],
)
async def test_arguments_that_are_no_plain_object_are_refused(
    bridge: RunBridge, road: FakeRoad, raw: bytes
) -> None:
    assert code_of(await bridge.answer(ask_raw("notes.add", raw))) == "invalid_arguments"
    assert road.calls == []


def test_wide_arguments_of_permitted_depth_pass() -> None:
    rows = {"rows": [{"a": [1]}] * 100}
    assert parse_arguments(json.dumps(rows).encode()) == rows
    deepest = b'{"a":' + b"[" * 200 + b"]" * 200 + b"}"
    assert parse_arguments(deepest)["a"]


async def test_the_schema_of_a_question_is_bounded_before_anybody_reads_it(
    bridge: RunBridge,
) -> None:
    schema = b'{"prompt":"x","schema":' + b'{"a":' * 64 + b"1" + b"}" * 65
    reply = await bridge.answer(ask_raw("worker", schema))
    assert code_of(reply) == "invalid_arguments"
    assert reply.failure is not None
    assert "deeper than 64" in reply.failure.message


@given(st.binary(max_size=60) | st.text('{}[]":,x1e-', max_size=40).map(str.encode))
def test_any_bytes_are_an_object_or_refused(raw: bytes) -> None:
    try:
        arguments = parse_arguments(raw)
    except InvalidArguments:
        return
    assert isinstance(arguments, dict)


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("tools.search", {}, "invalid_arguments"),
        ("tools.search", {"query": " "}, "invalid_arguments"),
        ("tools.search", {"query": "x", "limit": 0}, "invalid_arguments"),
        ("tools.search", {"query": "x", "limit": True}, "invalid_arguments"),
        ("tools.search", {"query": "x", "lmit": 1}, "invalid_arguments"),
        ("tools.describe", {}, "invalid_arguments"),
        ("tools.describe", {"name": []}, "invalid_arguments"),
        ("tools.describe", {"name": [1]}, "invalid_arguments"),
        ("tools.describe", {"name": "nope"}, "tool_not_found"),
        ("tools.call", {"arguments": {}}, "invalid_arguments"),
        ("tools.call", {"name": "notes.add", "arguments": 5}, "invalid_arguments"),
        ("tools.call", {"name": "notes.add", "extra": 5}, "invalid_arguments"),
        ("tools.gone", {}, "tool_not_found"),
    ],
)
async def test_misuse_of_what_every_program_has_says_what_is_right(
    bridge: RunBridge, name: str, arguments: dict[str, Any], code: str
) -> None:
    assert code_of(await bridge.answer(ask(name, **arguments))) == code


async def test_search_finds_only_what_programs_may_call(bridge: RunBridge) -> None:
    reply = await bridge.answer(ask("tools.search", query="note"))
    assert [hit["name"] for hit in json.loads(reply.payload)] == ["notes.add"]


async def test_describe_takes_one_name_or_several(bridge: RunBridge) -> None:
    one = json.loads((await bridge.answer(ask("tools.describe", name="add"))).payload)
    many = await bridge.answer(ask("tools.describe", names=["notes.add", "drop"]))
    assert one["signature"].startswith("# notes.add")
    assert [tool["callers"] for tool in json.loads(many.payload)] == [
        ["direct", "programmatic"],
        ["direct"],
    ]


async def test_call_leaves_json_text_to_the_road(bridge: RunBridge, road: FakeRoad) -> None:
    await bridge.answer(ask("tools.call", name="notes.add", arguments='{"text": "x"}'))
    assert road.calls[0].arguments == '{"text": "x"}'


async def test_a_cancelled_call_stands_in_the_records(bridge: RunBridge, road: FakeRoad) -> None:
    road.answers["notes.add"] = anyio.Event().wait
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(bridge.answer, ask("notes.add"))
        while not road.calls:
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()
    assert [(r.tool, r.status) for r in bridge.records] == [("notes.add", "cancelled")]


async def test_a_fault_in_here_fails_one_call(bridge: RunBridge, road: FakeRoad) -> None:
    def broken() -> None:
        raise LookupError("secret detail")

    road.answers["notes.add"] = broken
    reply = await bridge.answer(ask("notes.add"))
    assert code_of(reply) == "internal_error"
    assert "secret" not in str(reply)


def test_bytes_travel_beside_the_value() -> None:
    image = Blob(data=b"png", media_type="image/png")
    alone = reply_of(ToolResult(call_id=CallId("1"), value=image))
    assert (alone.payload, alone.blobs[0].position, alone.blobs[0].data) == (b"null", None, b"png")
    among = reply_of(ToolResult(call_id=CallId("1"), value=["é", image]))
    assert (among.payload, among.blobs[0].position) == ('["é",null]'.encode(), 1)
    assert reply_of(ToolResult(call_id=CallId("1"), value={"a": 1})).payload == b'{"a":1}'


def test_a_result_marked_as_an_error_is_a_failure() -> None:
    reply = reply_of(ToolResult(call_id=CallId("1"), value="went wrong", is_error=True))
    assert reply.failure is not None
    assert (reply.failure.code, reply.failure.message) == ("tool_error", "went wrong")
