from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.providers.anthropic.support import NOW, call, called, list_wire_events, load

from toolweft.core.calls import DIRECT, Caller
from toolweft.core.errors import ProviderError
from toolweft.core.ids import RunId
from toolweft.core.messages import (
    CallProposed,
    ModelEvent,
    ModelReply,
    TextPrinted,
)
from toolweft.core.models import TokenUsage
from toolweft.providers.anthropic.decode import decode
from toolweft.providers.anthropic.stream import StreamFold
from toolweft.testing.vendors.anthropic_blocks import say, think, use

REPLIES = (
    "reply_server_search",
    "reply_paused_program",
    "reply_program_over",
    "reply_old",
    "reply_refusal",
    "reply_unknown_items",
)


def read(body: dict[str, Any], **fields: Any) -> ModelReply:
    return decode(body, platform="anthropic", now=NOW, **fields)


def build(*blocks: dict[str, Any], stop: str = "end_turn") -> dict[str, Any]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    return {"model": "m", "content": list(blocks), "stop_reason": stop, "usage": usage}


def fold(body: dict[str, Any]) -> tuple[dict[str, Any], list[ModelEvent]]:
    stream = StreamFold()
    events = [seen for event in list_wire_events(body) for seen in stream.add(event)]
    assert stream.is_ended
    return stream.body, events


def test_what_the_vendor_searched_is_kept_and_not_ours_to_answer() -> None:
    reply = read(load("reply_server_search"), request_id="req_1")

    assert [(c.id, c.name, c.arguments) for c in reply.message.calls] == [
        ("toolu_1", "refund_order", {"order_id": "A-7"})
    ]
    assert reply.message.raw is not None
    assert list(reply.message.raw.items) == load("reply_server_search")["content"]
    assert (reply.stop, reply.request_id) == ("tool_use", "req_1")
    assert reply.usage == TokenUsage(
        input_tokens=12, cache_read_tokens=900, cache_write_tokens=40, output_tokens=31
    )


def test_a_waiting_program_calls_in_its_own_name() -> None:
    reply = read(load("reply_paused_program"))
    first, second = reply.message.calls

    assert reply.stop == "awaiting_program"
    assert first.caller == Caller(type="programmatic", program_id=RunId("srvtoolu_9"), call_index=1)
    assert second.caller.call_index == 2
    assert reply.container is not None
    assert reply.container.expires_at == datetime(2026, 11, 20, 22, 10, tzinfo=UTC)
    assert (reply.container.id, reply.container.status) == ("container_01", "busy")
    assert reply.usage.reasoning_tokens == 7


def test_calls_of_a_program_are_counted_on_through_its_turns() -> None:
    before = read(load("reply_paused_program")).message

    later = read(load("reply_paused_program"), history=(before,))

    assert [c.caller.call_index for c in later.message.calls] == [3, 4]


def test_a_program_that_is_over_leaves_its_container_idle() -> None:
    reply = read(load("reply_program_over"))

    assert (reply.stop, reply.message.text) == ("end_turn", "Only e2 is over budget.")
    assert reply.container is not None
    assert reply.container.status == "idle"


def test_old_replies_know_neither_caller_nor_container() -> None:
    reply = read(load("reply_old"))

    assert reply.container is None
    assert [(c.caller, c.arguments) for c in reply.message.calls] == [(DIRECT, {})]
    assert reply.usage == TokenUsage(input_tokens=5, output_tokens=9)


def test_a_refusal_says_why() -> None:
    reply = read(load("reply_refusal"))

    assert (reply.stop, reply.detail) == ("refusal", "cyber: It could do harm.")


def test_unknown_kinds_are_kept_and_say_nothing() -> None:
    reply = read(load("reply_unknown_items"))

    assert (reply.stop, reply.detail) == ("incomplete", "stop_reason 'a_new_reason'")
    assert reply.message.text == "Partly. Done."
    assert reply.message.raw is not None
    assert reply.message.raw.items[1] == {"type": "a_new_kind", "opaque": {"a": [1, 2]}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("end_turn", "end_turn"),
        ("max_tokens", "max_tokens"),
        ("stop_sequence", "stop_sequence"),
        ("tool_use", "tool_use"),
        ("pause_turn", "pause_turn"),
        ("refusal", "refusal"),
        ("model_context_window_exceeded", "context_window_exceeded"),
        ("compaction", "incomplete"),
        (None, "incomplete"),
    ],
)
def test_stop_reasons(given: str, expected: str) -> None:
    assert read(build(stop=given)).stop == expected


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ('{"a": ', "not JSON"),
        ('{"a": NaN}', "not JSON"),
        ("[1]", "not a JSON object"),
        (None, "not a JSON object"),
    ],
)
def test_arguments_that_are_no_object_are_a_fault(given: Any, fault: str) -> None:
    (made,) = read(build(use("x", given, call_id="a"), stop="max_tokens")).message.calls

    assert made.arguments is None
    assert fault in made.fault


def test_a_faulty_input_goes_back_as_an_object() -> None:
    raw = read(build(use("x", '{"a": ', call_id="a"))).message.raw

    assert raw is not None
    assert raw.items[0]["input"] == {"INVALID_JSON": '{"a": '}


def test_a_container_without_a_time_lives_as_long_as_the_vendor_promises() -> None:
    for told in (None, "soon", "2026-11-20T22:10:00"):
        body = {**load("reply_paused_program"), "container": {"id": "c", "expires_at": told}}
        container = read(body).container
        assert container is not None
        assert container.expires_at == NOW + timedelta(seconds=270)


@pytest.mark.parametrize("body", [{}, {"content": "text"}, {"content": [1]}, {"content": None}])
def test_what_is_no_message_is_an_error(body: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="no message"):
        read(body)


@pytest.mark.promise("anthropic.streamed")
@pytest.mark.parametrize("name", REPLIES)
def test_a_stream_ends_in_the_same_reply(name: str) -> None:
    body, _ = fold(load(name))

    assert read(body) == read(load(name))
    assert body["content"] == load(name)["content"]


def test_a_stream_says_what_is_written_and_called() -> None:
    body = build(think("Hm."), say("I will look."), use("get_order", {"id": "A"}, call_id="a"))

    _, events = fold(body)

    printed = [event.text for event in events if isinstance(event, TextPrinted)]
    assert "".join(printed) == "I will look."
    assert len(printed) > 1
    assert events[-1] == CallProposed("get_order")


def test_a_stream_with_cut_arguments_is_decoded_with_their_fault() -> None:
    body, _ = fold(build(use("x", '{"a": "b', call_id="a"), stop="max_tokens"))

    (made,) = read(body).message.calls
    assert (made.arguments, made.fault[:26]) == (None, "the arguments are not JSON")


def test_citations_of_a_stream_are_kept() -> None:
    cited = {**say("So."), "citations": [{"cited_text": "a"}, {"cited_text": "b"}]}
    stream = StreamFold()
    events = list_wire_events(build({**cited, "citations": None}))
    index = next(i for i, event in enumerate(events) if event["type"] == "content_block_stop")
    for citation in reversed(cited["citations"]):
        delta = {"type": "citations_delta", "citation": citation}
        events.insert(index, {"type": "content_block_delta", "index": 0, "delta": delta})
    for event in events:
        list(stream.add(event))

    assert stream.body["content"] == [cited]


def test_events_that_are_not_known_say_nothing() -> None:
    stream = StreamFold()
    events = list_wire_events(build(say("So.")))
    for event in [events[0], {"type": "a_new_event"}, *events[1:]]:
        list(stream.add(event))

    assert stream.is_ended


@pytest.mark.parametrize(
    "events",
    [
        [{"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}],
        [{"type": "message_start"}],
        [{"type": "message_start", "message": {}}, {"type": "content_block_stop", "index": 0}],
        [
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 5, "content_block": {"type": "text"}},
        ],
        [
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}},
        ],
        [
            {"type": "message_start", "message": {}},
            {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}},
            {"type": "content_block_stop", "index": 0},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta"}},
        ],
        [{"type": "message_start", "message": {}}, {"type": "message_delta", "delta": 1}],
    ],
)
def test_events_that_do_not_fit_are_an_error(events: list[dict[str, Any]]) -> None:
    stream = StreamFold()

    with pytest.raises(ProviderError, match="cannot be understood"):
        _ = [list(stream.add(event)) for event in events]


def test_neutral_messages_of_others_are_not_counted_as_programs() -> None:
    reply = read(load("reply_paused_program"), history=(called(call("a", "x")),))

    assert reply.message.calls[0].caller.call_index == 1
    assert replace(reply.message, raw=None).raw is None
