"""What goes to generateContent and what comes back."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.gemini.support import (
    MODEL,
    OLDER,
    ORDER,
    PNG,
    REFUND,
    WEATHER,
    ask,
    build_target,
    build_tool,
    call,
    called,
    list_wire_events,
    load,
    result,
    results,
    user,
)

from toolweft.core.calls import Blob
from toolweft.core.errors import ProviderError
from toolweft.core.messages import (
    CallProposed,
    ModelEvent,
    RawItems,
    TextPrinted,
    ToolsMessage,
)
from toolweft.core.models import TokenUsage
from toolweft.providers.gemini.generate_decode import decode
from toolweft.providers.gemini.generate_encode import FOREIGN_SIGNATURE, encode
from toolweft.providers.gemini.generate_stream import GenerateFold
from toolweft.providers.prefix import prefix_hash
from toolweft.testing.vendors.gemini_events import render_generate

TARGET = build_target("gemini")
OLD = build_target("gemini", OLDER)
REPLIES = ["generate_reply_calls", "generate_reply_unknown", "generate_reply_old"]
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}


def fold(body: dict[str, Any]) -> tuple[GenerateFold, list[ModelEvent]]:
    built = GenerateFold()
    events = list_wire_events(list(render_generate(body)))
    return built, [said for event in events for said in built.add(event)]


def answer(*parts: Any, **candidate: Any) -> dict[str, Any]:
    content = {"role": "model", "parts": list(parts)}
    return {"candidates": [{"content": content, "finishReason": "STOP", **candidate}]}


def test_a_history_with_a_call_of_the_vendors_own() -> None:
    part = {
        "functionCall": {"id": "a", "name": "get_weather", "args": {"city": "Oslo"}},
        "thoughtSignature": "c2ln",
    }
    raw = RawItems(api="gemini", platform="gemini", items=(part,))
    request = ask(
        user("Weather in Oslo?"),
        called(call("a", "get_weather", city="Oslo"), raw=raw),
        results(result("a", '{"c":4}', name="get_weather")),
        tools=(WEATHER,),
        system="Be brief.",
    )

    assert encode(request, TARGET) == load("generate_request")


@pytest.mark.parametrize(("api", "platform"), [("openai", "openai"), ("gemini", "vertex")])
def test_a_foreign_call_carries_the_dummy_signature_on_the_first_alone(
    api: str, platform: str
) -> None:
    raw = RawItems(api=api, platform=platform, items=({"x": 1},))
    said = called(call("a", "get_weather", city="x"), call("b", "now"), text="Hm.", raw=raw)
    history = (user("?"), said, results(result("a", "1"), result("b", "2")))

    parts = encode(ask(*history), TARGET)["contents"][1]["parts"]

    assert parts[0] == {"text": "Hm."}
    assert [part.get("thoughtSignature") for part in parts[1:]] == [FOREIGN_SIGNATURE, None]
    assert [part["functionCall"]["args"] for part in parts[1:]] == [{"city": "x"}, {}]


def test_calls_without_ids_are_answered_without_ids() -> None:
    reply = decode(load("generate_reply_old"))
    made = reply.message.calls
    assert len({each.id for each in made}) == 2
    assert all(each.id for each in made)
    given = results(*(result(each.id, "ok", name=each.name) for each in made))

    contents = encode(ask(user("?"), reply.message, given), OLD)["contents"]

    assert contents[2]["parts"] == [
        {"functionResponse": {"name": "get_weather", "response": {"output": "ok"}}},
        {"functionResponse": {"name": "now", "response": {"output": "ok"}}},
    ]


@pytest.mark.parametrize(
    ("given", "response"),
    [
        (result("a", "no", is_error=True), {"error": "no"}),
        (result("a"), {"output": "(empty result)"}),
        (result("a", "x", "y"), {"output": "x\ny"}),
        (
            result("a", Blob(data=b"abc")),
            {"output": "[application/octet-stream, 3 bytes, not shown]"},
        ),
    ],
)
def test_results_in_words(given: Any, response: dict[str, str]) -> None:
    request = ask(user("?"), called(call("a", "t")), results(given))

    part = encode(request, TARGET)["contents"][2]["parts"][0]

    assert part["functionResponse"]["response"] == response


def test_images_go_within_results_where_the_model_takes_them() -> None:
    request = ask(user("Look:", PNG), called(call("a", "t")), results(result("a", "this", PNG)))
    new, old = (encode(request, target)["contents"] for target in (TARGET, OLD))

    shown = {"inlineData": {"mimeType": "image/png", "data": "cG5n"}}
    assert new[0]["parts"][1] == shown
    assert new[2]["parts"][0]["functionResponse"]["parts"] == [shown]
    assert "not shown" in old[2]["parts"][0]["functionResponse"]["response"]["output"]


def test_a_schema_for_the_answer() -> None:
    request = ask(output_schema=SCHEMA, tools=(WEATHER,))

    config = encode(request, TARGET)["generationConfig"]
    assert config["responseJsonSchema"] == SCHEMA
    assert config["responseMimeType"] == "application/json"
    # Older models take no schema beside tools.
    body = encode(request, OLD)
    assert "responseJsonSchema" not in body["generationConfig"]
    assert '"n"' in body["systemInstruction"]["parts"][-1]["text"]
    alone = encode(replace(request, tools=()), OLD)
    assert alone["generationConfig"]["responseJsonSchema"] == SCHEMA


def test_an_unknown_model_gets_nothing_it_may_not_know() -> None:
    target = build_target("gemini", "gemini-nobody-knows")
    body = encode(ask(tools=(WEATHER,), output_schema=SCHEMA), target)

    (function,) = body["tools"][0]["functionDeclarations"]
    assert "responseJsonSchema" not in function
    assert "Returns JSON" in function["description"]
    assert list(body["generationConfig"]) == ["maxOutputTokens"]


def test_more_functions_than_the_vendor_takes() -> None:
    most = tuple(build_tool(f"t{n}") for n in range(512))
    assert len(encode(ask(tools=most), TARGET)["tools"][0]["functionDeclarations"]) == 512

    with pytest.raises(ProviderError, match="at most 512 tools"):
        encode(ask(tools=(*most, WEATHER)), TARGET)


def test_joining_tools_stand_at_the_end_once() -> None:
    request = ask(user("?"), ToolsMessage(tools=(ORDER, WEATHER)), tools=(WEATHER, REFUND))

    functions = encode(request, TARGET)["tools"][0]["functionDeclarations"]

    assert [each["name"] for each in functions] == ["get_weather", "refund_order", "get_order"]


STEPS = st.lists(
    st.one_of(
        st.text(max_size=5).map(lambda text: (user(text),)),
        st.sampled_from([(), ("refund_order",), ("gone",)]).map(
            lambda revealed: (
                called(call("a", "find_tools", query="x")),
                results(result("a", "x", name="find_tools", revealed=revealed)),
            )
        ),
    ),
    max_size=6,
)


@pytest.mark.promise("gemini.prefix")
@given(STEPS)
def test_the_prefix_never_changes_while_a_conversation_grows(steps: list) -> None:
    start = ask(tools=(WEATHER, REFUND), system="Be brief.")
    messages = (*start.messages, *(message for step in steps for message in step))

    body = encode(replace(start, messages=messages), TARGET)

    assert prefix_hash(body) == prefix_hash(encode(start, TARGET))
    assert prefix_hash(body) != prefix_hash(encode(replace(start, system="Other."), TARGET))


def test_a_reply_with_parallel_calls() -> None:
    body = load("generate_reply_calls")
    reply = decode(body)

    assert (reply.stop, reply.message.text, reply.model) == ("tool_use", "I look at both.", MODEL)
    assert [(c.id, c.arguments) for c in reply.message.calls] == [
        ("a", {"city": "Oslo"}),
        ("b", {"city": "Bergen"}),
    ]
    assert reply.usage == TokenUsage(
        input_tokens=40, cache_read_tokens=60, output_tokens=25, reasoning_tokens=5
    )
    assert reply.message.raw is not None
    assert list(reply.message.raw.items) == body["candidates"][0]["content"]["parts"]


@pytest.mark.promise("gemini.streamed")
@pytest.mark.parametrize("name", REPLIES)
def test_a_stream_ends_in_the_same_reply(name: str) -> None:
    built, said = fold(load(name))

    plain = decode(load(name))
    assert built.is_ended
    assert decode(built.body) == plain
    assert "".join(e.text for e in said if isinstance(e, TextPrinted)) == plain.message.text
    proposed = [e.name for e in said if isinstance(e, CallProposed)]
    assert proposed == [each.name for each in plain.message.calls]


def test_a_signature_after_streamed_text_stays_a_part_of_its_own() -> None:
    built, _ = fold(answer({"text": "A longer text.", "thoughtSignature": "c2ln"}))

    raw = decode(built.body).message.raw
    assert raw is not None
    assert raw.items == ({"text": "A longer text."}, {"text": "", "thoughtSignature": "c2ln"})


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("STOP", "end_turn"),
        ("MAX_TOKENS", "max_tokens"),
        ("SAFETY", "refusal"),
        ("PROHIBITED_CONTENT", "refusal"),
        ("MALFORMED_FUNCTION_CALL", "incomplete"),
        ("MISSING_THOUGHT_SIGNATURE", "incomplete"),
        ("SOMETHING_NEW", "incomplete"),
        (None, "incomplete"),
    ],
)
def test_why_it_stopped(reason: str | None, stop: str) -> None:
    reply = decode(answer({"text": "x"}, finishReason=reason))

    assert reply.stop == stop
    assert bool(reply.detail) == (stop in {"refusal", "incomplete"})


def test_a_lost_signature_is_explained() -> None:
    reply = decode(answer(finishReason="MISSING_THOUGHT_SIGNATURE"))

    assert reply.detail.startswith("MISSING_THOUGHT_SIGNATURE: a call of the history")


def test_a_blocked_question_is_a_refusal() -> None:
    reply = decode({"promptFeedback": {"blockReason": "SAFETY"}}, model=MODEL)

    assert (reply.stop, reply.detail, reply.model) == ("refusal", "SAFETY", MODEL)


def test_arguments_that_are_no_object_go_back_as_one() -> None:
    reply = decode(answer({"functionCall": {"id": "a", "name": "t", "args": "oops"}}))

    (made,) = reply.message.calls
    assert made.arguments is None
    assert "not a JSON object" in made.fault
    assert reply.message.raw is not None
    assert reply.message.raw.items[0]["functionCall"]["args"] == {"INVALID_JSON": "oops"}


@pytest.mark.parametrize(
    "body", [{}, {"candidates": []}, answer("text"), {"candidates": ["x"]}, {"candidates": "x"}]
)
def test_what_is_no_answer_is_an_error(body: dict[str, Any]) -> None:
    with pytest.raises(ProviderError):
        decode(body)


@pytest.mark.parametrize(
    "event", [{"candidates": "x"}, {"candidates": [{"content": {"parts": 1}}]}]
)
def test_a_broken_piece_of_a_stream_is_an_error(event: dict[str, Any]) -> None:
    with pytest.raises(ProviderError, match="cannot be understood"):
        list(GenerateFold().add(event))
