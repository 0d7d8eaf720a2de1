from collections.abc import Awaitable
from dataclasses import replace

import anyio
import pytest
from tests.calls.roads import PROGRAM, Rig

from toolweft.calls import CallOptions
from toolweft.core.calls import Blob, RawResult, TextContent, ToolCall, ToolResult
from toolweft.core.errors import LedgerUnavailable, SourceUnavailable
from toolweft.core.events import CallFinished, CallStarted, Event
from toolweft.core.ids import SourceName
from toolweft.core.ports import Proceed
from toolweft.core.snapshot import CatalogTool
from toolweft.testing import build_catalog, build_definition
from toolweft.testing.ledger import MemoryLedger


async def test_a_call_gives_the_value_its_json_and_what_it_cost() -> None:
    rig = Rig({"read": {"sky": "blue"}})

    result = await rig.road.call(rig.call())

    assert (result.value, result.encoded) == ({"sky": "blue"}, b'{"sky":"blue"}')
    assert not result.is_error
    assert result.usage.bytes_in == len('{"city":"Rome"}')
    assert result.usage.bytes_out == 14
    assert result.usage.tokens_out == 4


async def test_the_source_gets_original_names_and_an_absolute_deadline() -> None:
    rig = Rig()

    await rig.road.call(rig.call())

    (request,) = rig.source.requests
    assert request.name == "read"
    assert request.arguments == {"city": "Rome"}
    assert request.deadline_s == rig.clock.monotonic_s() + 60


async def test_every_call_is_recorded_from_question_to_answer() -> None:
    rig = Rig()

    def take_a_second(_arguments: object) -> str:
        rig.clock.advance(1)
        return "sun"

    rig.source.answers["read"] = take_a_second
    await rig.road.call(rig.call(caller=PROGRAM))

    (started,), (finished,) = rig.started, rig.finished
    assert (started.tool, started.severity) == ("weather.read", "read_only")
    assert started.caller == PROGRAM
    assert (finished.call_id, finished.status) == (started.call_id, "ok")
    assert finished.duration_ms == pytest.approx(1_000)


async def test_tokens_are_withheld_from_a_program_and_not_from_a_direct_caller() -> None:
    rig = Rig({"read": "x" * 398})

    await rig.road.call(rig.call(caller=PROGRAM))
    await rig.road.call(rig.call())

    assert [(e.tokens_out, e.tokens_withheld) for e in rig.finished] == [(100, 100), (100, 0)]


@pytest.mark.parametrize(("tool", "commits"), [("read", 0), ("store", 1), ("erase", 1)])
async def test_only_what_may_change_something_awaits_its_entry(tool: str, commits: int) -> None:
    rig = Rig()

    await rig.road.call(rig.call(f"weather.{tool}"))

    assert len(rig.memory.committed) == commits
    assert len(rig.started) == len(rig.finished) == 1


@pytest.mark.promise("calls.recorded-first")
async def test_the_entry_is_committed_before_the_source_is_called() -> None:
    rig = Rig()
    committed: list[int] = []
    rig.source.answers["store"] = lambda _: committed.append(len(rig.memory.committed))

    await rig.road.call(rig.call("weather.store"))

    assert committed == [1]


@pytest.mark.promise("calls.no-ledger")
@pytest.mark.parametrize("tool", ["read", "store", "erase"])
async def test_nothing_is_called_while_the_ledger_cannot_write(tool: str) -> None:
    rig = Rig()
    rig.memory.failure = "the disk is full"

    result = await rig.road.call(rig.call(f"weather.{tool}"))

    assert result.failure is not None
    assert result.failure.code == "ledger_unavailable"
    assert result.failure.retryable
    assert rig.source.requests == []


async def test_calls_go_on_once_the_ledger_writes_again() -> None:
    rig = Rig()
    rig.memory.failure = "the disk is full"
    await rig.road.call(rig.call())
    rig.memory.failure = None

    result = await rig.road.call(rig.call())

    assert result.value == "sun"


async def test_a_result_survives_a_ledger_that_dies_during_the_call() -> None:
    rig = Rig()

    def kill_the_ledger(_arguments: object) -> str:
        rig.memory.failure = "the disk is full"
        return "sun"

    rig.source.answers["read"] = kill_the_ledger

    first = await rig.road.call(rig.call())
    second = await rig.road.call(rig.call())

    assert first.value == "sun"
    assert second.failure is not None
    assert second.failure.code == "ledger_unavailable"


async def test_an_unknown_tool_is_a_recorded_failure_with_near_names() -> None:
    rig = Rig()

    result = await rig.road.call(rig.call("weather.raed"))

    assert result.failure is not None
    assert result.failure.code == "tool_not_found"
    assert "weather.read" in str(result.failure.hint)
    assert [(e.tool, e.severity) for e in rig.started] == [("weather.raed", "")]
    assert [e.status for e in rig.finished] == ["tool_not_found"]


@pytest.mark.promise("sources.list-changes")
async def test_a_tool_that_was_taken_away_is_recorded_as_gone_under_its_full_name() -> None:
    rig = Rig()
    catalog = build_catalog([build_definition("weather.read"), build_definition("weather.move")])
    status = catalog.snapshot.sources[SourceName("weather")]
    catalog.source_changed(status, [build_definition("weather.read")])
    rig.holder.snapshot = catalog.snapshot

    result = await rig.road.call(rig.call("move"))

    assert result.failure is not None
    assert result.failure.code == "tool_gone"
    assert "its source 'weather' took it away" in result.failure.message
    assert [(e.tool, e.severity) for e in rig.started] == [("weather.move", "")]
    assert [e.status for e in rig.finished] == ["tool_gone"]


async def test_an_endless_name_is_recorded_short() -> None:
    rig = Rig()

    await rig.road.call(rig.call("x" * 100_000))

    assert len(rig.started[0].tool) == 200


@pytest.mark.parametrize(
    ("status", "code"), [("unavailable", "source_unavailable"), ("disabled", "invalid_definition")]
)
async def test_a_tool_that_cannot_be_used_says_why(status: str, code: str) -> None:
    rig = Rig()
    rig.change("weather.read", status=status, status_reason="it died: exit code 3")

    result = await rig.road.call(rig.call())

    assert result.failure is not None
    assert result.failure.code == code
    assert "it died: exit code 3" in result.failure.message
    assert [e.status for e in rig.finished] == [code]
    assert rig.source.requests == []


async def test_a_removed_source_is_unavailable() -> None:
    rig = Rig()
    tool = rig.holder.snapshot.tools["weather.read"]
    rig.change("weather.read", definition=replace(tool.definition, namespace="gone"))

    result = await rig.road.call(rig.call())

    assert result.failure is not None
    assert result.failure.code == "source_unavailable"
    assert "'gone'" in result.failure.message


@pytest.mark.promise("calls.refusals-recorded")
async def test_a_refused_caller_is_recorded_and_reads_the_line_that_would_allow_it() -> None:
    rig = Rig()

    result = await rig.road.call(rig.call("weather.erase", caller=PROGRAM))

    assert result.failure is not None
    assert result.failure.code == "denied"
    assert result.failure.hint == rig.holder.snapshot.tools["weather.erase"].callers_reason
    assert "allowed_callers" in str(result.failure.hint)
    assert [e.status for e in rig.finished] == ["denied"]
    assert rig.source.requests == []


async def test_wrong_arguments_never_reach_the_source() -> None:
    rig = Rig()

    result = await rig.road.call(rig.call(citi="Rome"))

    assert result.failure is not None
    assert result.failure.code == "invalid_arguments"
    assert "did you mean 'city'" in result.failure.message
    assert rig.source.requests == []


async def test_a_source_that_is_down_is_a_retryable_failure() -> None:
    rig = Rig({"read": SourceUnavailable("the server died", hint="see its log")})

    result = await rig.road.call(rig.call())

    assert result.failure is not None
    assert (result.failure.code, result.failure.hint) == ("source_unavailable", "see its log")
    assert result.failure.retryable


async def test_a_failing_tool_answers_with_its_own_text() -> None:
    rig = Rig({"read": RawResult(content=(TextContent("no\x1b[31m such city"),), is_error=True)})

    result = await rig.road.call(rig.call())

    assert result.failure is not None
    assert (result.failure.code, result.failure.message) == ("tool_error", "no[31m such city")


async def test_a_tool_that_fails_in_silence_is_named() -> None:
    rig = Rig({"read": RawResult(is_error=True)})

    result = await rig.road.call(rig.call())

    assert result.failure is not None
    assert "weather.read failed" in result.failure.message


async def test_direct_callers_keep_the_sources_own_blocks_and_programs_do_not() -> None:
    blocks = (TextContent("a map"), Blob(data=b"\x89PNG", media_type="image/png"))
    rig = Rig({"read": RawResult(content=blocks)})

    direct = await rig.road.call(rig.call())
    program = await rig.road.call(rig.call(caller=PROGRAM))

    assert direct.content == blocks
    assert program.content == ()
    assert program.value == ["a map", blocks[1]]
    assert program.encoded == b""
    assert program.usage.bytes_out == len('["a map"]') + 4
    assert program.usage.tokens_out == 3


async def test_a_result_above_the_cap_is_a_failure_that_names_cap_and_option() -> None:
    rig = Rig({"read": "x" * 2_000}, options=CallOptions(max_result_bytes=1_000))

    result = await rig.road.call(rig.call())

    assert result.failure is not None
    assert result.failure.code == "result_too_large"
    assert "1,000" in result.failure.message
    assert "calls.max_result_bytes" in str(result.failure.hint)
    assert [e.bytes_out for e in rig.finished] == [0]


@pytest.mark.parametrize(
    "arguments",
    [{"city": {1, 2}}, {"city": float("nan")}, {"city": "\ud800"}, {"city": "x" * 5_000}],
    ids=["a set", "not a number", "half a character", "too long"],
)
async def test_arguments_that_are_not_small_json_are_refused_and_recorded(
    arguments: dict[str, object],
) -> None:
    rig = Rig(options=CallOptions(max_argument_bytes=4_096))

    result = await rig.road.call(rig.call(**arguments))

    assert result.failure is not None
    assert result.failure.code == "invalid_arguments"
    assert [e.status for e in rig.finished] == ["invalid_arguments"]
    assert [e.tool for e in rig.started] == ["weather.read"]


async def test_arguments_nested_beyond_measure_are_refused() -> None:
    rig = Rig()
    deep: list[object] = []
    for _ in range(200):
        deep = [deep]

    result = await rig.road.call(rig.call(city=deep))

    assert result.failure is not None
    assert "deeper than 100" in result.failure.message


async def test_policies_run_in_their_order_and_may_change_the_call() -> None:
    seen: list[str] = []

    class Note:
        def __init__(self, name: str) -> None:
            self.name = name

        async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
            seen.append(self.name)
            changed = replace(call, arguments={**call.arguments, self.name: True})
            return await proceed(changed, tool)

    rig = Rig(policies=[Note("outer"), Note("inner")])

    await rig.road.call(rig.call())

    assert seen == ["outer", "inner"]
    assert rig.source.requests[0].arguments == {"city": "Rome", "outer": True, "inner": True}


async def test_a_policy_may_answer_itself() -> None:
    class Cache:
        async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
            return ToolResult(call_id=call.id, value="kept", encoded=b'"kept"')

    rig = Rig(policies=[Cache()])

    result = await rig.road.call(rig.call())

    assert result.value == "kept"
    assert [e.status for e in rig.finished] == ["ok"]
    assert rig.source.requests == []


async def test_a_cancelled_call_is_recorded_and_stays_cancelled() -> None:
    rig = Rig()
    reached = anyio.Event()

    async def hang() -> None:
        reached.set()
        await anyio.sleep_forever()

    rig.source.answers["read"] = lambda _: hang()
    results: list[ToolResult] = []

    async def make_the_call() -> None:
        results.append(await rig.road.call(rig.call()))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(make_the_call)
            await reached.wait()
            tasks.cancel_scope.cancel()

    assert results == []
    assert [e.status for e in rig.finished] == ["cancelled"]


async def test_a_call_cancelled_while_its_entry_is_on_its_way_is_closed_too() -> None:
    class SlowLedger(MemoryLedger):
        def __init__(self) -> None:
            super().__init__()
            self.reached = anyio.Event()

        async def commit(self, event: object) -> None:
            assert isinstance(event, CallStarted)
            self.record(event)
            self.reached.set()
            await anyio.sleep_forever()

    ledger = SlowLedger()
    rig = Rig(ledger=ledger)

    def make_the_call() -> Awaitable[ToolResult]:
        return rig.road.call(rig.call("weather.store"))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(make_the_call)
            await ledger.reached.wait()
            tasks.cancel_scope.cancel()

    assert [type(event).__name__ for event in ledger.events] == ["CallStarted", "CallFinished"]
    assert rig.source.requests == []


async def test_a_call_after_its_deadline_reaches_no_source() -> None:
    rig = Rig()
    call = rig.call()
    rig.clock.advance(60)

    result = await rig.road.call(call)

    assert result.failure is not None
    assert result.failure.code == "timeout"
    assert [e.status for e in rig.finished] == ["timeout"]
    assert rig.source.requests == []


# -------------------------------------------------------------------------- arguments as JSON text


@pytest.mark.parametrize("text", ['{"city": "Rome"}', ' {"city":"Rome"}\n'])
async def test_arguments_sent_as_json_text_are_read_once_and_measured(text: str) -> None:
    rig = Rig()

    result = await rig.road.call(replace(rig.call(), arguments=text))

    assert rig.source.requests[0].arguments == {"city": "Rome"}
    assert result.usage.bytes_in == len('{"city":"Rome"}')


async def test_empty_text_means_no_arguments() -> None:
    rig = Rig(policies=())

    await rig.road.call(replace(rig.call(), arguments=" "))

    assert rig.source.requests[0].arguments == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{broken", "a text that is not JSON"),
        ('{"city": NaN}', "NaN is not a JSON number"),
        ('{"city": 1e999}', "too large for a number"),
        ('{"city": "\\ud800"}', "cannot be written as JSON"),
        ("[" * 1_000, "not JSON"),
        ('{"city": ' + "[" * 90 + "]" * 90 + "}", "nest deeper"),
        ('{"city": "' + "x" * 1_000 + '"}', "more than 1,000 bytes"),
        ("[1]", "are a list, not an object"),
    ],
)
async def test_json_text_passes_the_same_checks_as_an_object(text: str, words: str) -> None:
    rig = Rig(options=CallOptions(max_argument_bytes=1_000, max_depth=64))

    failure = (await rig.road.call(replace(rig.call(), arguments=text))).failure

    assert failure is not None
    assert failure.code == "invalid_arguments"
    assert words in failure.message
    assert rig.source.requests == []


# ------------------------------------------------------------------------------- late entries


class _LateLedger(MemoryLedger):
    """Writes an entry, but only after whoever waited for it has given up."""

    async def commit(self, event: Event) -> None:
        self.record(event)
        late = LedgerUnavailable("too slow")
        late.may_be_written = True
        raise late


async def test_an_entry_that_may_be_written_late_is_closed() -> None:
    ledger = _LateLedger()
    rig = Rig(ledger=ledger)

    result = await rig.road.call(rig.call("weather.store"))

    assert result.failure is not None
    assert rig.source.requests == []
    started, finished = ledger.events
    assert isinstance(started, CallStarted)
    assert isinstance(finished, CallFinished)
    assert (finished.call_id, finished.status) == (started.call_id, "ledger_unavailable")
