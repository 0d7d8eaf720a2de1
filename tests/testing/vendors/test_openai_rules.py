"""Every rule of the Responses API's server refuses what breaks it, and nothing else does."""

import re
from typing import Any

import pytest

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.openai import OpenAIServer
from toolweft.testing.vendors.openai_http import Refusal
from toolweft.testing.vendors.openai_item_rules import ITEM_RULES
from toolweft.testing.vendors.openai_items import function_call, program, reasoning
from toolweft.testing.vendors.openai_items import message as say
from toolweft.testing.vendors.openai_tool_rules import SETTING_RULES

PROGRAMS = {"type": "programmatic_tool_calling"}
SEARCH = {"type": "tool_search"}
CLIENT_SEARCH = {"type": "tool_search", "execution": "client", "description": "Finds tools."}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}


def tool(name: str = "get_stock", **more: Any) -> JsonObject:
    return {"type": "function", "name": name, "parameters": {"type": "object"}, **more}


def body(*items: JsonObject, tools: list[JsonObject] | None = None, **more: Any) -> JsonObject:
    return {
        "model": "gpt-5.6-sol",
        "store": False,
        "input": list(items),
        "tools": tools or [],
        **more,
    }


def call(call_id: str = "c1", name: str = "get_stock", **more: Any) -> JsonObject:
    return {**function_call(name, "{}", call_id=call_id), **more}


def output(call_id: str = "c1", text: Any = "3", **more: Any) -> JsonObject:
    return {"type": "function_call_output", "call_id": call_id, "output": text, **more}


def search_call(call_id: str = "s1") -> JsonObject:
    return {
        "type": "tool_search_call",
        "execution": "client",
        "call_id": call_id,
        "arguments": {},
    }


def search_output(*tools: JsonObject, call_id: str = "s1") -> JsonObject:
    return {
        "type": "tool_search_output",
        "execution": "client",
        "call_id": call_id,
        "tools": list(tools),
    }


def image(url: str) -> JsonObject:
    part = {"type": "input_image", "image_url": url}
    return {"type": "message", "role": "user", "content": [part]}


USER = {"type": "message", "role": "user", "content": "Hello"}
OF_PROGRAM = {"type": "program", "caller_id": "p1"}
RUNNING = {**program("text(1)", call_id="p1"), "id": "prog_1", "fingerprint": "fp_1"}
THOUGHT = {**reasoning(), "id": "rs_1", "encrypted_content": "gAAAA1"}
AFTER = {**say("Hi."), "id": "msg_1"}
PROGRAM_TOOLS = [PROGRAMS, tool(allowed_callers=["programmatic"])]
BY_PROGRAM = call(caller=OF_PROGRAM)

# Rule -> a body that breaks it and nothing before it.
BREAKS: dict[str, list[JsonObject]] = {
    "check_parameters_are_known": [body(USER, max_tokens=5)],
    "check_model_exists": [body(USER, model="gpt-2"), body(USER, model="")],
    "check_tools_are_complete": [
        body(USER, tools=[{"type": "magic"}]),
        body(USER, tools=[tool("")]),
        body(USER, tools=[tool(parameters={"type": "array"})]),
    ],
    "check_tool_names": [
        body(USER, tools=[tool("a.b")]),
        body(USER, tools=[tool("x" * 65)]),
        body(USER, tools=[tool(), tool()]),
    ],
    "check_deferred_tools_have_search": [body(USER, tools=[tool(defer_loading=True)])],
    "check_search_is_one": [body(USER, tools=[SEARCH, SEARCH])],
    "check_client_search_is_described": [
        body(USER, tools=[{"type": "tool_search", "execution": "client"}])
    ],
    "check_search_is_supported": [body(USER, tools=[SEARCH], model="gpt-5.4-nano")],
    "check_programs_are_supported": [body(USER, tools=PROGRAM_TOOLS, model="gpt-5.4")],
    "check_program_tool_is_one": [body(USER, tools=[*PROGRAM_TOOLS, PROGRAMS])],
    "check_programmatic_tools_have_programs": [body(USER, tools=PROGRAM_TOOLS[1:])],
    "check_programs_have_tools": [body(USER, tools=[PROGRAMS, tool()])],
    "check_strict_functions": [
        body(USER, tools=[tool(parameters=OPEN, strict=True)]),
        body(
            USER,
            tools=[tool(parameters={**OPEN, "additionalProperties": False}, strict=True)],
        ),
    ],
    "check_text_format": [
        body(USER, text={"format": {"type": "json_schema", "schema": OPEN}}),
        body(USER, text={"format": {"type": "json_schema", "name": "a b", "schema": OPEN}}),
        body(
            USER,
            text={"format": {"type": "json_schema", "name": "a", "schema": OPEN, "strict": True}},
        ),
    ],
    "check_temperature": [body(USER, temperature=0.5)],
    "check_reasoning_settings": [
        body(USER, model="gpt-4.1", reasoning={"effort": "low"}),
        body(USER, model="gpt-4.1", include=["reasoning.encrypted_content"]),
    ],
    "check_output_limit": [body(USER, max_output_tokens=15)],
    "check_items_are_known": [
        body({"type": "hologram"}),
        body(call(id="msg_1"), output()),
    ],
    "check_call_ids": [
        body(call(call_id=""), output()),
        body(call(call_id="x" * 65), output(call_id="x" * 65)),
        body(call(arguments={}), output()),
        body(call(name="functions.get_stock"), output()),
        body(call(name="x" * 65), output()),
    ],
    "check_outputs_follow_calls": [
        body(output(), call()),
        body(search_call(), output("s1")),
        body(search_output()),
    ],
    "check_calls_are_answered": [body(call(), USER), body(search_call(), USER)],
    "check_namespaces": [
        body(call(), output(), tools=[SEARCH, tool(defer_loading=True)]),
        body(search_call(), search_output(tool(defer_loading=True)), call(), output()),
    ],
    "check_reasoning_is_carried": [body({"type": "reasoning", "id": "rs_1", "summary": []})],
    "check_reasoning_is_unchanged": [
        body({**THOUGHT, "encrypted_content": "gAAAA2"}, AFTER),
        body({**THOUGHT, "id": "rs_9"}, AFTER),
    ],
    "check_reasoning_is_followed": [body(THOUGHT), body(THOUGHT, USER)],
    "check_reasoning_is_kept": [body(AFTER)],
    "check_programs_are_unchanged": [
        body({**RUNNING, key: value})
        for key, value in [("fingerprint", ""), ("code", "text(2)"), ("call_id", "p2")]
    ],
    "check_program_calls_have_programs": [
        body(BY_PROGRAM, output(caller=OF_PROGRAM)),
        body(
            RUNNING,
            {"type": "program_output", "call_id": "p1", "result": ""},
            BY_PROGRAM,
            output(caller=OF_PROGRAM),
        ),
    ],
    "check_callers_are_copied": [
        body(RUNNING, BY_PROGRAM, output()),
        body(RUNNING, BY_PROGRAM, output(caller={"type": "direct"})),
    ],
    "check_program_outputs_are_text": [
        body(RUNNING, BY_PROGRAM, output(text=[], caller=OF_PROGRAM)),
    ],
    "check_additional_tools": [
        body({"type": "additional_tools", "role": "user", "tools": [tool()]}),
        body({"type": "additional_tools", "role": "developer", "tools": []}),
    ],
    "check_images": [
        body(image("data:image/tiff;base64,AAAA")),
        body(image("data:image/png;base64,?")),
    ],
}
RULES = {rule.__name__: rule for rule in (*SETTING_RULES, *ITEM_RULES)}


@pytest.fixture
def server() -> OpenAIServer:
    made = OpenAIServer([])
    made.issue(THOUGHT)
    made.issue(RUNNING)
    made._reasons["msg_1"] = "rs_1"
    return made


def test_every_rule_is_tried() -> None:
    assert set(BREAKS) == set(RULES)
    assert len(RULES) >= 12


@pytest.mark.parametrize(
    ("name", "number"), [(name, n) for name, bodies in BREAKS.items() for n in range(len(bodies))]
)
def test_what_breaks_a_rule_is_refused_by_it(name: str, number: int, server: OpenAIServer) -> None:
    with pytest.raises(Refusal) as caught:
        server.check(BREAKS[name][number])

    frames = [entry.name for entry in caught.traceback]
    assert name in frames, f"refused by {frames[-1]}: {caught.value.message}"


def test_every_rule_has_its_text() -> None:
    for rule in RULES.values():
        assert rule.__doc__
        assert re.match(r"[A-Z].*\.", rule.__doc__)


GOOD = {
    "bare text": body() | {"input": "Hello"},
    "untyped message": body({"role": "user", "content": "Hello"}),
    "calls": body(USER, call("c1"), call("c2"), output("c2"), output("c1")),
    "reasoning": body(USER, THOUGHT, AFTER, USER),
    "deferred": body(
        search_call(),
        search_output(tool(defer_loading=True)),
        call(namespace="get_stock"),
        output(),
        tools=[CLIENT_SEARCH],
    ),
    "server search": body(
        {"type": "tool_search_call", "execution": "server", "call_id": None, "arguments": {}},
        {"type": "tool_search_output", "execution": "server", "call_id": None, "tools": [tool()]},
    ),
    "program": body(RUNNING, BY_PROGRAM, output(caller=OF_PROGRAM), tools=PROGRAM_TOOLS),
    "namespace": body(
        USER,
        tools=[
            SEARCH,
            {"type": "namespace", "name": "crm", "tools": [tool(defer_loading=True)]},
        ],
    ),
    "image": body(image("data:image/png;base64,iVBORw0K")),
    "added": body(USER, {"type": "additional_tools", "role": "developer", "tools": [tool()]}),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_breaks_no_rule_is_let_in(name: str, server: OpenAIServer) -> None:
    server.check(GOOD[name])
