"""Callers, containers, calls and responses in the vendor's own shape."""

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.anthropic.support import NOW, load

from toolweft import (
    CODE_EXECUTION_TOOL,
    CallerInfo,
    CallerType,
    CompletionResponse,
    ContainerInfo,
    ToolCall,
    ToolSpec,
    ToolweftError,
)
from toolweft.core.calls import DIRECT, Caller, Failure, ToolResult
from toolweft.core.errors import InvalidValue, ProviderError
from toolweft.core.ids import CallId, RunId
from toolweft.testing import FakeClock

pytestmark = pytest.mark.promise("anthropic.views")

SPELLINGS = ("code_execution_20250825", "code_execution_20260120", "code_execution_20260521")
times = st.datetimes(
    min_value=datetime(2000, 1, 1),
    max_value=datetime(2100, 1, 1),
    timezones=st.integers(-14 * 60, 14 * 60).map(lambda m: timezone(timedelta(minutes=m))),
)


def parse(name: str, **changed: Any) -> CompletionResponse:
    body = {**load(name), **changed}
    clock = FakeClock(now=NOW)
    return CompletionResponse.from_dict(body, clock=clock)


@pytest.mark.parametrize("spelling", ["programmatic", "code_execution", *SPELLINGS])
def test_every_spelling_of_a_program_is_one_type(spelling: str) -> None:
    assert CallerType(spelling) is CallerType.PROGRAMMATIC is CallerType.CODE_EXECUTION
    assert CallerType.PROGRAMMATIC.to_wire() == "code_execution_20260120"
    assert CallerType.PROGRAMMATIC.to_caller_type() == "programmatic"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_caller_goes_back_as_the_vendor_wrote_it(spelling: str) -> None:
    wire = {"type": spelling, "tool_id": "srvtoolu_9"}
    caller = CallerInfo.from_dict(wire)

    assert caller.is_programmatic
    assert caller.to_dict() == wire
    assert caller == CallerInfo(CallerType.CODE_EXECUTION, "srvtoolu_9")
    assert CallerInfo(spelling, "srvtoolu_9").to_dict() == wire  # type: ignore[arg-type] # text is read too


@pytest.mark.parametrize("wire", [None, {}, {"type": "direct"}, {"type": None}])
def test_a_caller_that_is_not_told_is_the_model(wire: Any) -> None:
    caller = CallerInfo.from_dict(wire)

    assert caller == CallerInfo(type=CallerType.DIRECT)
    assert not caller.is_programmatic
    assert caller.to_dict() == {"type": "direct"}


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: CallerInfo(CallerType.CODE_EXECUTION), "tool_id is None"),
        (lambda: CallerInfo(CallerType.CODE_EXECUTION, ""), "tool_id is ''"),
        (lambda: CallerInfo.from_dict({"type": SPELLINGS[0]}), "tool_id is None"),
        (lambda: CallerInfo(CallerType.DIRECT, "srvtoolu_9"), "srvtoolu_9"),
        (lambda: CallerInfo.from_dict({"type": "somebody"}), "somebody"),
        (lambda: CallerInfo.from_dict({"type": ["direct"]}), "direct"),
        (lambda: CallerInfo.from_dict("direct"), "caller is 'direct'"),
    ],
)
def test_a_caller_that_cannot_be_is_refused(make: Any, match: str) -> None:
    with pytest.raises(InvalidValue, match=match) as caught:
        make()

    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, ToolweftError)
    assert caught.value.hint


def test_a_caller_is_a_view_of_the_projects_own() -> None:
    own = Caller(type="programmatic", program_id=RunId("srvtoolu_9"), call_index=3)

    assert CallerInfo.from_caller(own).to_caller(call_index=3) == own
    assert CallerInfo.from_caller(DIRECT).to_caller() is DIRECT


@pytest.mark.parametrize(
    "text",
    ["2026-11-20T22:10:00Z", "2026-11-20T22:10:00+00:00", "2026-11-20T23:40:00+01:30"],
)
def test_times_with_z_and_offsets_are_the_same_time(text: str) -> None:
    container = ContainerInfo.from_dict({"id": "container_01", "expires_at": text})

    assert container.expires_at == datetime(2026, 11, 20, 22, 10, tzinfo=UTC)
    assert container == ContainerInfo("container_01", container.expires_at)


@given(times)
def test_a_container_printed_and_read_is_the_same(expires_at: datetime) -> None:
    container = ContainerInfo("container_01", expires_at)

    assert ContainerInfo.from_dict(json.loads(json.dumps(container.to_dict()))) == container


@given(st.timedeltas(timedelta(days=-3), timedelta(days=3)))
def test_what_is_over_has_no_time_left_and_the_other_way_round(left: timedelta) -> None:
    clock = FakeClock(now=NOW)
    container = ContainerInfo("container_01", NOW + left, clock=clock)

    assert container.time_remaining_seconds == max(0.0, left.total_seconds())
    assert container.is_expired == (container.time_remaining_seconds == 0)


def test_a_container_is_over_at_its_very_end() -> None:
    clock = FakeClock(now=NOW)
    container = ContainerInfo("container_01", NOW + timedelta(seconds=60), clock=clock)

    clock.advance(59)
    assert (container.is_expired, container.time_remaining_seconds) == (False, 1.0)
    clock.advance(1)
    assert (container.is_expired, container.time_remaining_seconds) == (True, 0.0)
    clock.advance(1)
    assert (container.is_expired, container.time_remaining_seconds) == (True, 0.0)


def test_a_container_knows_the_real_time_where_none_is_given() -> None:
    assert ContainerInfo("container_01", "1999-01-01T00:00:00Z").is_expired  # type: ignore[arg-type] # text is read too
    assert ContainerInfo("container_01", datetime(9999, 1, 1, tzinfo=UTC)).time_remaining_seconds


def test_a_container_is_a_view_of_the_projects_own() -> None:
    clock = FakeClock(now=NOW)
    container = ContainerInfo("container_01", NOW + timedelta(seconds=9), clock=clock)
    own = container.to_container()

    assert (own.id, own.status, own.backend) == ("container_01", "idle", "anthropic")
    assert ContainerInfo.from_container(own, clock=clock) == container
    clock.advance(9)
    assert container.to_container().status == "expired"


@pytest.mark.parametrize(
    ("wire", "match"),
    [
        ({"id": "container_01", "expires_at": "2026-11-20T22:10:00"}, "without a zone"),
        ({"id": "container_01", "expires_at": "soon"}, "soon"),
        ({"id": "container_01"}, "expires_at"),
        ({"expires_at": "2026-11-20T22:10:00Z"}, r"container\.id"),
        ({"id": 7, "expires_at": "2026-11-20T22:10:00Z"}, r"container\.id is 7"),
        ("container_01", "container_01"),
    ],
)
def test_a_container_that_cannot_be_read_is_refused(wire: Any, match: str) -> None:
    with pytest.raises(InvalidValue, match=match):
        ContainerInfo.from_dict(wire)


def test_a_call_is_read_and_printed() -> None:
    block = {
        "type": "tool_use",
        "id": "toolu_a",
        "name": "get_expenses",
        "input": {"emp": "e1"},
        "caller": {"type": "code_execution_20260120", "tool_id": "srvtoolu_9"},
    }
    call = ToolCall.from_dict(block)

    assert call.caller.tool_id == "srvtoolu_9"
    assert call.to_dict() == {
        "id": "toolu_a",
        "name": "get_expenses",
        "arguments": {"emp": "e1"},
        "caller": block["caller"],
    }


def test_an_old_call_is_the_models_own() -> None:
    call = ToolCall.from_dict({"type": "tool_use", "id": "t", "name": "n", "input": {}})

    assert not call.caller.is_programmatic
    assert call.fault == ""


def test_a_call_without_arguments_that_fit_says_so() -> None:
    call = ToolCall.from_dict({"type": "tool_use", "id": "t", "name": "n", "input": "x"})

    assert "no object" in call.fault
    assert call.to_dict()["fault"] == call.fault
    with pytest.raises(InvalidValue, match="None"):
        ToolCall.from_dict({"type": "tool_use", "name": "n"})


def test_a_response_of_a_program_that_waits() -> None:
    response = parse("reply_paused_program")

    assert response.stop_reason == "tool_use"
    assert response.awaits_program
    assert response.container is not None
    assert response.container.to_dict() == load("reply_paused_program")["container"]
    assert not response.container.is_expired
    assert {call.caller.tool_id for call in response.tool_calls} == {"srvtoolu_9"}
    assert response.message["content"] == load("reply_paused_program")["content"]
    assert json.loads(json.dumps(response.to_dict()))["container"]["id"] == response.container.id


@pytest.mark.parametrize("container", [None, {}, "container_01"])
def test_an_old_response_without_callers_and_container_is_read(container: Any) -> None:
    old = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "toolu_1", "name": "look", "input": {"at": "x"}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    }
    if container is not None:
        old["container"] = container
    response = CompletionResponse.from_dict(old)

    (call,) = response.tool_calls
    assert (call.caller, call.arguments) == (CallerInfo(), {"at": "x"})
    assert response.container is None
    assert not response.awaits_program
    assert response.usage.input_tokens == 3
    assert response.to_dict()["tool_calls"][0]["caller"] == {"type": "direct"}


def test_what_is_no_response_is_refused() -> None:
    with pytest.raises(ProviderError, match="no message"):
        CompletionResponse.from_dict({"error": "x"})


def test_a_call_of_a_program_without_a_name_has_a_fault() -> None:
    nameless = [{"type": "tool_use", "id": "t", "name": "n", "input": {}, "caller": {"type": "x"}}]
    response = CompletionResponse.from_dict({"content": nameless, "stop_reason": "tool_use"})

    (call,) = response.tool_calls
    assert "names no program" in call.fault
    assert not response.awaits_program


def test_results_answer_all_calls_in_their_order() -> None:
    response = parse("reply_paused_program")

    assert response.tool_results({"toolu_b": {"cents": 1}, "toolu_a": "[]"}) == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_a", "content": "[]"},
            {"type": "tool_result", "tool_use_id": "toolu_b", "content": '{"cents":1}'},
        ],
    }


@pytest.mark.parametrize(
    ("results", "text", "match"),
    [
        ({"toolu_a": ""}, "", "nothing for the call 'toolu_b'"),
        ({"toolu_a": "", "toolu_b": "", "toolu_c": ""}, "", "'toolu_c'.* answers no call"),
        ({"toolu_a": "", "toolu_b": ""}, "Hurry.", "'Hurry.' beside the results"),
        ({"toolu_a": "", "toolu_b": {1, 2}}, "", "set, which JSON cannot hold"),
    ],
)
def test_results_that_the_vendor_would_refuse_are_refused_here(
    results: dict[str, Any], text: str, match: str
) -> None:
    with pytest.raises(InvalidValue, match=match):
        parse("reply_paused_program").tool_results(results, text=text)


def test_text_stands_after_results_where_no_program_waits() -> None:
    content = [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]
    response = parse("reply_paused_program", content=content)

    message = response.tool_results({"t": None}, text="Hurry.")
    assert message["content"] == [
        {"type": "tool_result", "tool_use_id": "t", "content": "null"},
        {"type": "text", "text": "Hurry."},
    ]


def test_failures_are_told_as_errors() -> None:
    failure = Failure(code="denied", message="No.")
    failed = ToolResult(call_id=CallId("c"), is_error=True, failure=failure)
    found = ToolResult(call_id=CallId("c"), value=[1])
    blocks = parse("reply_paused_program").tool_results({"toolu_a": failed, "toolu_b": found})
    raised = parse("reply_paused_program").tool_results({"toolu_a": OSError(), "toolu_b": ""})

    assert blocks["content"][0]["is_error"] is True
    assert json.loads(blocks["content"][0]["content"])["code"] == "denied"
    assert blocks["content"][1]["content"] == "[1]"
    assert raised["content"][0]["content"] == "OSError"
    assert raised["content"][0]["is_error"] is True


def test_a_call_with_a_fault_is_answered_by_itself() -> None:
    content = [
        {"type": "tool_use", "id": "a", "name": "n", "input": "{"},
        {"type": "tool_use", "id": "b", "name": "n", "input": {}},
    ]
    response = parse("reply_paused_program", content=content)

    first, second = response.tool_results({"b": "ok"})["content"]
    assert first["is_error"] is True
    assert "not JSON" in first["content"]
    assert second["content"] == "ok"
    with pytest.raises(InvalidValue, match="must not be made"):
        response.tool_results({"a": "done anyway", "b": "ok"})


def test_a_response_without_calls_has_nothing_to_answer() -> None:
    with pytest.raises(InvalidValue, match="no calls"):
        CompletionResponse(text="Done.").tool_results({})


def test_the_code_tool_is_for_models_alone_and_counts_as_destructive() -> None:
    assert isinstance(CODE_EXECUTION_TOOL, ToolSpec)
    told = json.loads(json.dumps(dict(CODE_EXECUTION_TOOL.to_dict())))

    assert told["name"] == "code_execution"
    assert told["allowed_callers"] == ["direct"]
    assert (told["severity"], told["timeout_s"]) == ("destructive", 300.0)
