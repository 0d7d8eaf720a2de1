"""What goes to Interactions and what comes back."""

from dataclasses import replace
from typing import Any

import pytest
from tests.providers.gemini.support import (
    FIND,
    MODEL,
    ORDER,
    PNG,
    REFUND,
    WEATHER,
    ask,
    build_target,
    call,
    called,
    list_wire_events,
    load,
    result,
    results,
    user,
)

from toolweft.core.errors import ProviderError
from toolweft.core.messages import (
    CallProposed,
    ModelEvent,
    ModelTool,
    RawItems,
    TextPrinted,
)
from toolweft.core.models import TokenUsage
from toolweft.providers.gemini.interactions_decode import decode
from toolweft.providers.gemini.interactions_encode import encode, find_client_search
from toolweft.providers.gemini.interactions_stream import InteractionsFold
from toolweft.providers.prefix import prefix_hash
from toolweft.testing.vendors.gemini_events import render_interaction

NATIVE = build_target("gemini_interactions")
PLAIN = build_target("gemini_interactions", native="off")
REPLIES = [
    *("interactions_reply_server_search", "interactions_reply_search"),
    "interactions_reply_unknown",
]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def fold(body: dict[str, Any]) -> tuple[InteractionsFold, list[ModelEvent]]:
    built = InteractionsFold(search_name="find_tools")
    events = list_wire_events(list(render_interaction(body)))
    return built, [said for event in events for said in built.add(event)]


def own(*items: dict[str, Any]) -> RawItems:
    return RawItems(api="gemini_interactions", platform="gemini", items=items)


SEARCHED = called(
    call("t1", "find_tools", query="refund"),
    raw=own(
        {"type": "thought", "signature": "c2ln"},
        {
            "type": "tool_search_call",
            "id": "t1",
            "arguments": {"query": "refund"},
            "signature": "c2ln",
        },
    ),
)


def test_a_search_of_ours_reveals_definitions() -> None:
    made = {"type": "function_call", "id": "f1", "name": "refund_order"}
    request = ask(
        user("Refund A-7."),
        SEARCHED,
        results(result("t1", "x", name="find_tools", revealed=("refund_order", "gone"))),
        called(
            call("f1", "refund_order", order_id="A-7"),
            raw=own({**made, "arguments": {"order_id": "A-7"}}),
        ),
        results(result("f1", "done", name="refund_order")),
        tools=(FIND, REFUND, ORDER),
        system="Be brief.",
    )

    assert encode(request, NATIVE) == load("interactions_request")
    assert find_client_search(request, NATIVE) == "find_tools"


def test_without_native_forms_everything_is_a_function() -> None:
    request = ask(tools=(FIND, REFUND))
    tools = encode(request, PLAIN)["tools"]

    assert [(t["type"], t["name"]) for t in tools] == [
        ("function", "find_tools"),
        ("function", "refund_order"),
    ]
    assert not any("defer_loading" in tool for tool in tools)
    assert find_client_search(request, PLAIN) is None


def test_without_a_search_of_ours_the_vendors_stands_in() -> None:
    search, weather, refund = encode(ask(tools=(WEATHER, REFUND)), NATIVE)["tools"]

    assert search == {"type": "tool_search"}
    assert "defer_loading" not in weather
    assert refund["defer_loading"] is True


def test_deferred_tools_are_listed_where_that_is_wanted() -> None:
    long = replace(ORDER, description=f"{'x' * 200}\nMore.")
    target = replace(NATIVE, lists_deferred=True)
    search, refund, order = encode(ask(tools=(FIND, REFUND, long)), target)["tools"]

    assert search["execution"] == "client"
    assert (refund["defer_loading"], "short_description" in refund) == (True, False)
    assert len(order["short_description"]) == 120


@pytest.mark.parametrize("fields", [{"is_error": True}, {"revealed": ()}, {"revealed": ("gone",)}])
def test_a_search_that_finds_nothing_gives_an_empty_list(fields: dict[str, Any]) -> None:
    fields = {"revealed": ("refund_order",), **fields}
    request = ask(user("?"), SEARCHED, results(result("t1", "no", **fields)), tools=(FIND, REFUND))

    assert encode(request, NATIVE)["input"][-1] == {
        "type": "tool_search_result",
        "call_id": "t1",
        "result": [],
    }


def test_a_foreign_history_is_told_anew() -> None:
    raw = RawItems(api="anthropic", platform="anthropic", items=({"type": "thinking"},))
    said = called(call("a", "find_tools", query="x"), call("b", "get_weather"), text="Hm.", raw=raw)
    found = result("a", "x", revealed=("refund_order",))
    given = results(found, result("b", "no", name="get_weather", is_error=True))
    steps = encode(ask(user("?"), said, given, tools=(FIND, WEATHER, REFUND)), NATIVE)["input"]

    assert [step["type"] for step in steps] == [
        *("user_input", "model_output", "tool_search_call", "function_call"),
        *("tool_search_result", "function_result"),
    ]
    assert steps[-1]["is_error"] is True
    assert [f["name"] for f in steps[-2]["result"]] == ["refund_order"]


def test_images_schemas_and_what_is_dropped() -> None:
    request = ask(
        *(user("?", PNG), called(call("a", "t")), results(result("a", PNG), result("b"))),
        tools=(WEATHER,),
        output_schema=SCHEMA,
        temperature=0.5,
    )
    body = encode(request, NATIVE)

    shown = {"type": "image", "mime_type": "image/png", "data": "cG5n"}
    assert body["input"][0]["content"][1] == shown
    assert [step["result"] for step in body["input"][-2:]] == [[shown], "(empty result)"]
    assert body["response_format"]["schema"] == SCHEMA
    assert body["generation_config"] == {"max_output_tokens": 4096}


@pytest.mark.parametrize("target", [NATIVE, PLAIN])
def test_the_prefix_never_changes_while_a_conversation_grows(target: Any) -> None:
    tools: tuple[ModelTool, ...] = (FIND, REFUND, ORDER)
    start = ask(tools=tools, system="Be brief.")
    grown = (
        *(user("Refund."), SEARCHED, results(result("t1", "x", revealed=("refund_order",)))),
        *(called(call("f1", "refund_order")), results(result("f1", "x")), user("More.")),
    )
    hashes = {
        prefix_hash(encode(replace(start, messages=grown[:count]), target))
        for count in range(1, len(grown) + 1)
    }

    assert hashes == {prefix_hash(encode(start, target))}


def test_a_search_by_the_vendor_is_not_ours_to_answer() -> None:
    reply = decode(load("interactions_reply_server_search"))

    assert [(c.id, c.name) for c in reply.message.calls] == [("f1", "refund_order")]
    assert (reply.stop, reply.request_id, reply.model) == ("tool_use", "int_1", MODEL)
    assert reply.usage == TokenUsage(
        input_tokens=43, cache_read_tokens=60, output_tokens=25, reasoning_tokens=5
    )
    raw = reply.message.raw
    assert raw is not None
    assert list(raw.items) == load("interactions_reply_server_search")["steps"]


def test_a_search_without_result_is_a_call_of_our_tool() -> None:
    reply = decode(load("interactions_reply_search"), search_name="find_tools")

    (made,) = reply.message.calls
    assert (made.id, made.name, made.arguments) == ("t1", "find_tools", {"query": "refund"})


@pytest.mark.promise("gemini.streamed")
@pytest.mark.parametrize("name", REPLIES)
def test_a_stream_ends_in_the_same_reply(name: str) -> None:
    built, said = fold(load(name))

    plain = decode(load(name), search_name="find_tools")
    assert built.is_ended
    assert decode(built.body, search_name="find_tools") == plain
    assert "".join(e.text for e in said if isinstance(e, TextPrinted)) == plain.message.text
    if name != "interactions_reply_server_search":
        proposed = [e.name for e in said if isinstance(e, CallProposed)]
        assert proposed == [each.name for each in plain.message.calls]


def test_malformed_streamed_arguments_are_a_fault() -> None:
    step = {"type": "function_call", "id": "f1", "name": "t", "arguments": '{"a": '}
    body = {"id": "i", "status": "requires_action", "steps": [step]}
    reply = decode(fold(body)[0].body)

    (made,) = reply.message.calls
    assert made.arguments is None
    assert "not JSON" in made.fault
    assert reply.message.raw is not None
    assert reply.message.raw.items[0]["arguments"] == {"INVALID_JSON": '{"a": '}


@pytest.mark.parametrize(
    ("status", "stop"),
    [
        *(("completed", "end_turn"), ("requires_action", "end_turn"), ("incomplete", "incomplete")),
        *(("budget_exceeded", "incomplete"), ("cancelled", "incomplete")),
        *(("requires_continuation", "incomplete"), ("in_progress", "incomplete")),
        *(("queued", "incomplete"), ("something_new", "incomplete")),
    ],
)
def test_how_it_ended(status: str, stop: str) -> None:
    reply = decode({"status": status, "steps": [], "continuation_token": "tok"})

    assert reply.stop == stop
    assert (status in reply.detail) == (stop == "incomplete")
    assert reply.extra == {"continuation_token": "tok"}


def test_a_failure_is_an_error_with_its_reason() -> None:
    steps = [{"type": "model_output", "error": {"code": 13, "message": "It broke."}}]
    with pytest.raises(ProviderError, match="It broke"):
        decode({"status": "failed", "steps": steps})


def test_what_was_asked_does_not_come_back_twice() -> None:
    steps = [{"type": "user_input", "content": []}, {"type": "thought", "signature": "s"}]
    raw = decode({"status": "completed", "steps": steps}).message.raw

    assert raw is not None
    assert raw.items == ({"type": "thought", "signature": "s"},)


@pytest.mark.parametrize("body", [{}, {"steps": "x"}, {"steps": ["x"]}])
def test_what_is_no_interaction_is_an_error(body: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        decode(body)


@pytest.mark.parametrize(
    "event",
    [
        {"event_type": "step.delta", "index": 0, "delta": {"type": "text", "text": "x"}},
        {"event_type": "step.start", "index": 1, "step": {"type": "thought"}},
        {"event_type": "step.start", "index": 0},
    ],
)
def test_an_event_that_does_not_fit_is_an_error(event: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="cannot be understood"):
        list(InteractionsFold().add(event))
