"""Streams as they are watched, and streams that go wrong."""

import json

import pytest

from toolweft.core.errors import ContextFull, ProviderError
from toolweft.core.json import JsonObject
from toolweft.core.messages import CallProposed, ModelEvent, TextPrinted
from toolweft.providers.openai import StreamFold, decode
from toolweft.testing.vendors.openai_events import render_events

MESSAGE = {
    "type": "message",
    "id": "msg_1",
    "role": "assistant",
    "status": "completed",
    "content": [{"type": "output_text", "text": "Hello there.", "annotations": []}],
}
CALL = {
    "type": "function_call",
    "id": "fc_1",
    "call_id": "c",
    "name": "get_stock",
    "arguments": '{"sku": "A"}',
}
SEARCH = {
    "type": "tool_search_call",
    "id": "ts_1",
    "call_id": "s",
    "execution": "client",
    "arguments": {},
}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAAlong"}


def response(*output: JsonObject, status: str = "completed") -> JsonObject:
    return {"id": "resp_1", "status": status, "model": "m", "output": list(output)}


def events_of(body: JsonObject) -> list[JsonObject]:
    return [json.loads(text.partition("data: ")[2]) for text in render_events(body)]


def watch(fold: StreamFold, events: list[JsonObject]) -> list[ModelEvent]:
    return [seen for event in events for seen in fold.add(event)]


def test_text_is_told_as_it_is_written() -> None:
    seen = watch(StreamFold(search_name="find"), events_of(response(MESSAGE)))

    assert all(isinstance(event, TextPrinted) for event in seen)
    assert len(seen) > 1
    assert "".join(e.text for e in seen if isinstance(e, TextPrinted)) == "Hello there."


def test_messages_are_told_apart_as_in_the_reply() -> None:
    body = response(MESSAGE, {**MESSAGE, "id": "msg_2"})
    seen = watch(StreamFold(search_name="find"), events_of(body))
    text = "".join(e.text for e in seen if isinstance(e, TextPrinted))

    assert text == decode(body).message.text


def test_calls_are_told_by_name_when_they_begin() -> None:
    seen = watch(StreamFold(search_name="find"), events_of(response(CALL, SEARCH)))

    assert seen == [CallProposed("get_stock"), CallProposed("find")]


def test_an_item_is_taken_from_the_event_that_ends_it() -> None:
    events = events_of(response(REASONING, CALL))
    # A server whose last event leaves the items out.
    events[-1]["response"]["output"] = []
    fold = StreamFold(search_name="find")
    watch(fold, events)

    assert fold.body["output"] == [REASONING, CALL]


def test_an_item_that_is_complete_only_in_its_own_event_is_taken_from_there() -> None:
    events = events_of(response(REASONING, CALL))
    events[-1]["response"]["output"][0] = {**REASONING, "encrypted_content": "gAAA"}
    fold = StreamFold(search_name="find")
    watch(fold, events)

    assert fold.body["output"] == [REASONING, CALL]


def test_unknown_events_are_passed_over() -> None:
    events = events_of(response(MESSAGE))
    events.insert(2, {"type": "response.hologram.delta", "delta": 3})
    events.insert(2, {"no": "type"})
    fold = StreamFold(search_name="find")
    watch(fold, events)

    assert decode(fold.body).message.text == "Hello there."


def test_a_stream_without_its_end_is_an_error() -> None:
    fold = StreamFold(search_name="find")
    watch(fold, events_of(response(MESSAGE))[:-1])

    with pytest.raises(ProviderError, match="before the response was complete"):
        _ = fold.body


def test_an_error_event_is_raised() -> None:
    error = {"type": "error", "code": "rate_limit_exceeded", "message": "slow down"}
    with pytest.raises(ProviderError, match="slow down") as caught:
        watch(StreamFold(search_name="find"), [error])

    assert caught.value.is_retryable


def test_a_response_that_fails_is_an_error() -> None:
    body = response(status="failed")
    body["error"] = {"code": "context_length_exceeded", "message": "too long"}
    fold = StreamFold(search_name="find")
    watch(fold, events_of(body))

    with pytest.raises(ContextFull, match="too long"):
        decode(fold.body)
