"""What servers of Chat Completions differ in, and what a history must not do to them."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.openai_chat.cases import (
    ASKED,
    ETA,
    STOCK,
    TARGET,
    result,
    results,
    said,
    user,
    wire_call,
)

from toolweft.core.errors import ContextFull, ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import CallProposed, Message, ModelEvent, ModelRequest, TextPrinted
from toolweft.providers.openai_chat import StreamFold, decode, encode, find_capabilities
from toolweft.providers.prefix import prefix_hash


def body(message: JsonObject, **more: Json) -> JsonObject:
    return {"id": "x1", "choices": [{"message": message, "finish_reason": "stop"}], **more}


def chunk(finish: str | None = None, **delta: Json) -> JsonObject:
    return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


def piece(index: int | None, name: str | None = None, text: str = "", **more: Json) -> JsonObject:
    function: JsonObject = {"arguments": text}
    if name is not None:
        function["name"] = name
    return {**({} if index is None else {"index": index}), "function": function, **more}


def fold_all(*chunks: JsonObject) -> tuple[StreamFold, list[ModelEvent]]:
    fold = StreamFold()
    return fold, [event for each in chunks for event in fold.add(each)]


@pytest.mark.parametrize("ids", [("", ""), (None, None), ("c", "c")])
def test_every_call_has_an_id_of_its_own_that_its_message_has_too(ids: tuple[str, str]) -> None:
    calls = [{**wire_call(), "id": call_id} for call_id in ids]
    reply = decode(body({"content": None, "tool_calls": calls}), platform="p")
    given_ids = [call.id for call in reply.message.calls]

    assert len(set(given_ids)) == 2
    assert all(given_ids)
    assert reply.message.raw is not None
    assert [c["id"] for c in reply.message.raw.items[0]["tool_calls"]] == given_ids


def test_ids_of_different_replies_differ() -> None:
    message = {"content": None, "tool_calls": [{**wire_call(), "id": ""}]}
    one = decode({**body(message), "id": "x1"}, platform="p").message.calls[0].id
    other = decode({**body(message), "id": "x2"}, platform="p").message.calls[0].id

    assert one != other


def test_a_message_goes_back_as_it_came() -> None:
    odd = {**ASKED, "server_note": {"a": 1}}
    items = encode(ModelRequest(messages=(said(odd), results(result("call_1")))), TARGET)

    assert items["messages"][0] == odd


def test_arguments_that_nobody_can_read_do_not_go_back() -> None:
    calls = [wire_call("{", "c1"), wire_call('{"sku":"B"}', "c2")]
    message = said({**ASKED, "tool_calls": calls})
    [sent] = encode(ModelRequest(messages=(message,)), TARGET)["messages"]

    assert [c["function"]["arguments"] for c in sent["tool_calls"]] == ["{}", '{"sku":"B"}']
    assert sent["reasoning_content"] == "Hmm."


@pytest.mark.parametrize("calls", [None, []])
def test_a_message_that_says_nothing_goes_back_so_that_it_is_taken(calls: Json) -> None:
    item = {"role": "assistant", "content": None, "tool_calls": calls}
    [sent] = encode(ModelRequest(messages=(said(item),)), TARGET)["messages"]

    assert sent == {"role": "assistant", "content": ""}


def test_a_message_of_another_server_is_written_anew() -> None:
    message = said(ASKED, platform="openrouter", text="I look.")
    [sent] = encode(ModelRequest(messages=(message,)), TARGET)["messages"]

    assert sent == {"role": "assistant", "content": "I look."}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"choices": []},
        {"choices": [{}]},
        {"choices": "none"},
        body({"content": "", "tool_calls": [{"id": "c"}]}),
        body({"content": "", "tool_calls": "get_stock()"}),
    ],
)
def test_an_answer_that_is_no_completion_is_an_error(answer: JsonObject) -> None:
    with pytest.raises(ProviderError):
        decode(answer, platform="p")


def test_an_error_under_a_good_status_is_an_error() -> None:
    with pytest.raises(ProviderError, match="no credits") as caught:
        decode({"error": {"message": "no credits", "code": 402}}, platform="p")

    assert caught.value.status == 402
    with pytest.raises(ProviderError, match="upstream"):
        decode({"choices": [{"error": {"message": "upstream"}}]}, platform="p")


@pytest.mark.promise("openai.no-guess")
@pytest.mark.parametrize(
    "text",
    [
        '{"name": "get_stock", "arguments": {"sku": "A"}}',
        '<tool_call>{"name": "get_stock", "arguments": {}}</tool_call>',
        "[TOOL_CALLS]get_stock{}",
    ],
)
def test_text_that_looks_like_a_call_is_text(text: str) -> None:
    reply = decode(body({"content": text}), platform="p")

    assert reply.message.calls == ()
    assert (reply.message.text, reply.stop) == (text, "end_turn")


def test_content_in_parts_is_read() -> None:
    parts = [{"type": "thinking", "thinking": "?"}, {"type": "text", "text": "Hi"}]

    assert decode(body({"content": parts}), platform="p").message.text == "Hi"


def test_calls_under_one_index_are_told_apart_by_their_ids() -> None:
    # As some servers send calls, each whole and with the index 0.
    fold, events = fold_all(
        chunk(tool_calls=[piece(0, "a", "{}", id="c1")]),
        chunk(tool_calls=[piece(0, "b", "{}", id="c2")]),
        chunk("tool_calls"),
    )
    calls = decode(fold.body, platform="p").message.calls

    assert [(call.id, call.name) for call in calls] == [("c1", "a"), ("c2", "b")]
    assert events == [CallProposed("a"), CallProposed("b")]


def test_calls_without_an_index_are_calls_of_their_own() -> None:
    fold, _ = fold_all(
        chunk(tool_calls=[piece(None, "a", "{}", id="c1"), piece(None, "b", "{}", id="c2")]),
        chunk("tool_calls"),
    )

    assert len(decode(fold.body, platform="p").message.calls) == 2


def test_pieces_that_repeat_names_and_ids_add_only_arguments() -> None:
    fold, events = fold_all(
        chunk(tool_calls=[piece(0, "a", '{"x"', id="c1", type="function")]),
        chunk(tool_calls=[piece(0, "a", ": 1}", id="c1", type="function")]),
        chunk("tool_calls"),
    )
    [call] = decode(fold.body, platform="p").message.calls

    assert (call.id, call.name, call.arguments) == ("c1", "a", {"x": 1})
    assert events == [CallProposed("a")]


def test_usage_comes_with_the_last_chunk() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 2}
    fold, events = fold_all(
        chunk(role="assistant", content=""),
        chunk(content="Hi"),
        chunk("stop"),
        {"choices": [], "usage": usage},
    )
    reply = decode(fold.body, platform="p")

    assert events == [TextPrinted("Hi")]
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (7, 2)


def test_a_stream_without_its_end_is_an_error() -> None:
    fold, _ = fold_all(chunk(content="Hi"))

    with pytest.raises(ProviderError, match="before the answer was complete"):
        _ = fold.body


def test_an_error_in_a_stream_is_raised() -> None:
    with pytest.raises(ContextFull):
        fold_all({"error": {"message": "the request exceeds the available context size"}})


def test_an_unknown_model_is_trusted_with_little() -> None:
    capabilities = find_capabilities("ollama", "gpt-4o")

    assert not capabilities.takes_images
    assert not capabilities.has_deferral
    assert (capabilities.reveal, capabilities.addition) == ("none", "none")
    assert capabilities.programs == "none"


PARTS: dict[str, tuple[Message, ...]] = {
    "words": (user("Go on."),),
    "call": (said(ASKED), results(result("call_1", "3", revealed=("get_eta",)))),
}


@given(st.lists(st.sampled_from(sorted(PARTS)), max_size=8))
def test_the_prefix_never_changes_and_the_history_only_grows(parts: list[str]) -> None:
    messages: tuple[Message, ...] = ()
    first = before = encode(ModelRequest(system="s", tools=(STOCK, ETA)), TARGET)
    for part in parts:
        messages += PARTS[part]
        later = encode(ModelRequest(system="s", tools=(STOCK, ETA), messages=messages), TARGET)
        assert prefix_hash(later) == prefix_hash(first)
        assert later["messages"][: len(before["messages"])] == before["messages"]
        before = later


@given(st.text())
def test_any_text_can_be_sent_and_comes_back(text: str) -> None:
    sent = encode(ModelRequest(messages=(user(text),)), TARGET)["messages"][0]["content"]

    assert json.loads(json.dumps(sent)) == text
