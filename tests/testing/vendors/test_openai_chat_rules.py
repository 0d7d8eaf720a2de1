"""Every rule of the Chat Completions server refuses what breaks it, and nothing else does."""

from typing import Any

import pytest

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.openai_chat import OpenAIChatServer, call, say
from toolweft.testing.vendors.openai_chat_rules import RULES
from toolweft.testing.vendors.openai_http import Refusal

USER = {"role": "user", "content": "Hello"}
RESULT = {"role": "tool", "tool_call_id": "c1", "content": "3"}
ASKED = say(None, call("get_stock", {}, call_id="c1"))
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": []}
IMAGE = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}


def body(*messages: JsonObject, **more: Any) -> JsonObject:
    return {"model": "local", "messages": list(messages), **more}


def tool(name: str = "get_stock", **more: Any) -> JsonObject:
    return {"type": "function", "function": {"name": name, **more}}


def asked(**more: Any) -> JsonObject:
    return say(None, {**call("get_stock", {}, call_id="c1"), **more})


def answer(**more: Any) -> JsonObject:
    return {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, **more}}


# Rule -> bodies that break it and nothing before it.
BREAKS: dict[str, list[JsonObject]] = {
    "check_parameters_are_known": [body(USER, thoughts=3)],
    "check_model_exists": [body(USER, model="other")],
    "check_messages_are_given": [body(), body({"role": "robot", "content": "Beep"})],
    "check_content_is_given": [body({"role": "user", "content": None}), body(say(None))],
    "check_calls_are_complete": [
        body(USER, {**say(""), "tool_calls": []}),
        body(USER, asked(id=""), RESULT),
        body(USER, asked(type="magic"), RESULT),
        body(USER, asked(function={"name": "get_stock", "arguments": {}}), RESULT),
        body(USER, asked(function={"name": "get.stock", "arguments": "{}"}), RESULT),
        body(USER, say(None, *ASKED["tool_calls"], *ASKED["tool_calls"]), RESULT, RESULT),
    ],
    "check_results_follow_calls": [body(USER, RESULT), body(USER, ASKED, USER, RESULT)],
    "check_calls_are_answered": [body(USER, ASKED), body(USER, ASKED, USER)],
    "check_arguments_are_json": [
        body(USER, say(None, call("get_stock", text, call_id="c1")), RESULT) for text in ("{", "[]")
    ],
    "check_results_are_text": [
        body(USER, ASKED, {**RESULT, "content": [{"type": "image_url"}]}),
    ],
    "check_tools_are_complete": [
        body(USER, tools=[]),
        body(USER, tools=[{"type": "magic"}]),
        body(USER, tools=[tool("a.b")]),
        body(USER, tools=[tool(), tool()]),
        body(USER, tools=[tool(parameters={"type": "array"})]),
    ],
    "check_response_format": [
        body(USER, response_format=answer(name="")),
        body(USER, response_format=answer(strict=True)),
    ],
    "check_stream_options": [body(USER, stream_options={"include_usage": True})],
    "check_output_limit": [body(USER, max_tokens=5)],
    "check_images": [body(IMAGE)],
}


@pytest.fixture
def server() -> OpenAIChatServer:
    return OpenAIChatServer([], takes_images=False, wants_completion_limit=True)


def test_every_rule_is_tried() -> None:
    assert set(BREAKS) == {rule.__name__ for rule in RULES}
    assert len(RULES) >= 12


@pytest.mark.parametrize(
    ("name", "number"), [(name, n) for name, bodies in BREAKS.items() for n in range(len(bodies))]
)
def test_what_breaks_a_rule_is_refused_by_it(
    name: str, number: int, server: OpenAIChatServer
) -> None:
    with pytest.raises(Refusal) as caught:
        server.check(BREAKS[name][number])

    frames = [entry.name for entry in caught.traceback]
    assert name in frames, f"refused by {frames[-1]}: {caught.value.message}"


GOOD = {
    "words": body(USER, say("Hi."), USER),
    "calls": body(USER, ASKED, RESULT, USER),
    "two calls": body(
        USER,
        say("I look.", call("a", {}, call_id="c1"), call("b", {}, call_id="c2")),
        {**RESULT, "tool_call_id": "c2"},
        RESULT,
    ),
    "schema": body(USER, response_format=answer()),
    "stream": body(USER, stream=True, stream_options={"include_usage": True}),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_breaks_no_rule_is_let_in(name: str, server: OpenAIChatServer) -> None:
    server.check(GOOD[name])
