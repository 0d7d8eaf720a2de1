"""Every rule of the server, broken once; and requests that break none."""

from copy import deepcopy
from typing import Any

import pytest

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.gemini import GeminiServer
from toolweft.testing.vendors.gemini_generate_rules import GENERATE_RULES
from toolweft.testing.vendors.gemini_interactions_rules import INTERACTIONS_RULES
from toolweft.testing.vendors.gemini_request import FOREIGN_SIGNATURE, Refusal

MODEL, OLDER = "gemini-3.8-flash", "gemini-2.5-flash"
SCHEMA = {"type": "object", "properties": {}}
SIGNED = {"functionCall": {"id": "a", "name": "get", "args": {}}, "thoughtSignature": "known"}
UNSIGNED = {"functionCall": {"id": "b", "name": "get", "args": {}}}
FOREIGN = {**UNSIGNED, "thoughtSignature": FOREIGN_SIGNATURE}
THOUGHT = {"type": "thought", "signature": "known"}
CALL = {"type": "function_call", "id": "known", "name": "get", "arguments": {}}
MADE = {**CALL, "id": "f"}
SEARCH = {"type": "tool_search_call", "id": "t", "arguments": {}}
ASKED = {"type": "user_input", "content": [{"type": "text", "text": "Hi."}]}


def user(*parts: JsonObject) -> JsonObject:
    return {"role": "user", "parts": list(parts or ({"text": "Hi."},))}


def model(*parts: JsonObject) -> JsonObject:
    return {"role": "model", "parts": list(parts)}


def response(call_id: str, name: str = "get") -> JsonObject:
    return {"functionResponse": {"id": call_id, "name": name, "response": {"output": "1"}}}


def generate(*contents: JsonObject, **fields: Any) -> JsonObject:
    return {"contents": list(contents) or [user()], **fields}


def functions(*declared: JsonObject) -> Any:
    filled = [{"name": "get", "parametersJsonSchema": SCHEMA, **each} for each in declared]
    return {"tools": [{"functionDeclarations": filled}]}


def interact(*steps: JsonObject, **fields: Any) -> JsonObject:
    return {"model": MODEL, "input": list(steps) or [ASKED], **fields}


def function(**fields: Any) -> JsonObject:
    return {"type": "function", "name": "get", "parameters": SCHEMA, **fields}


def given(call_id: str, **fields: Any) -> JsonObject:
    return {"type": "function_result", "call_id": call_id, "result": "1", **fields}


def found(*result: Any) -> JsonObject:
    return {"type": "tool_search_result", "call_id": "t", "result": list(result)}


def build_server() -> GeminiServer:
    server = GeminiServer([])
    server.memory.signed["known"] = SIGNED
    server.memory.answers["known"] = [THOUGHT, CALL]
    return server


ENFORCED: Any = {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
CLIENT = {"type": "tool_search", "execution": "client", "description": "Finds."}

GOOD_GENERATE = {
    "a plain one": generate(**functions({})),
    "an echo": generate(user(), model(SIGNED, UNSIGNED), user(response("a"), response("b"))),
    "a foreign call": generate(user(), model(FOREIGN), user(response("b")), user()),
    "a schema": generate(generationConfig=ENFORCED, **functions({})),
}
GOOD_INTERACT = {
    "a plain one": interact(tools=[function()]),
    "words": {"model": MODEL, "input": "Hi."},
    "an echo": interact(ASKED, THOUGHT, CALL, given("known")),
    "a search": interact(ASKED, SEARCH, found(function()), tools=[CLIENT]),
    "deferral": interact(tools=[{"type": "tool_search"}, function(defer_loading=True)]),
}

BAD_GENERATE: dict[str, list[tuple[JsonObject, str]]] = {
    "check_model_exists": [(generate(), "gemini-nobody")],
    "check_fields_are_known": [
        (generate(prompt="Hi."), MODEL),
        (generate(**functions({"defer_loading": True})), MODEL),
    ],
    "check_function_count": [
        (generate(**functions(*({"name": f"t{n}"} for n in range(513)))), MODEL)
    ],
    "check_function_names": [
        (generate(**functions({"name": "1a"})), MODEL),
        (generate(**functions({"name": "a" * 129})), MODEL),
        (generate(**functions({}, {})), MODEL),
    ],
    "check_schemas": [
        (generate(**functions({"parameters": SCHEMA})), MODEL),
        (generate(**functions({"parametersJsonSchema": {"type": "string"}})), MODEL),
        (generate(generationConfig={"responseJsonSchema": SCHEMA}), MODEL),
        (generate(generationConfig=ENFORCED, **functions({})), OLDER),
    ],
    "check_contents_are_given": [
        ({}, MODEL),
        (generate({"role": "system", "parts": [{"text": "x"}]}), MODEL),
        (generate({"role": "user", "parts": []}), MODEL),
    ],
    "check_parts_hold_one_thing": [
        (generate(user({"text": "x", "functionCall": {}})), MODEL),
        (generate(user({})), MODEL),
    ],
    "check_objects": [
        (generate(user(), model({"functionCall": {"name": "get", "args": "x"}})), MODEL),
        (generate(user({"functionResponse": {"name": "get", "response": "x"}})), MODEL),
    ],
    "check_called_names": [
        (generate(user(), model({"functionCall": {"name": "1a", "args": {}}})), MODEL),
        (generate(user(response("a", "a b"))), MODEL),
    ],
    "check_call_turns_follow_user_turns": [
        (generate(model(FOREIGN)), MODEL),
        (generate(user(), model({"text": "x"}), model(FOREIGN)), MODEL),
    ],
    "check_calls_are_answered": [
        (generate(user(), model(SIGNED, UNSIGNED), user(response("a"))), MODEL),
        (generate(user(), model(SIGNED), user()), MODEL),
        (generate(user(response("a"))), MODEL),
    ],
    "check_result_ids": [
        (generate(user(), model(SIGNED), user(response("x"))), MODEL),
        (generate(user(), model(SIGNED), user(response("a", "other"))), MODEL),
        (generate(user(), model(SIGNED, UNSIGNED), user(response("b"), response("a"))), MODEL),
    ],
    "check_first_calls_are_signed": [
        (generate(user(), model(UNSIGNED), user(response("b"))), MODEL),
        (generate(user(), model(UNSIGNED, SIGNED), user(response("b"), response("a"))), MODEL),
    ],
    "check_signed_parts_are_unchanged": [
        (generate(user(), model({**UNSIGNED, "thoughtSignature": "known"})), MODEL),
        (generate(user(), model({"text": "x", "thoughtSignature": "made-up"})), MODEL),
    ],
}
BAD_INTERACT: dict[str, list[JsonObject]] = {
    "check_fields_are_known": [interact(contents=[])],
    "check_model_exists": [interact(model="gemini-nobody")],
    "check_input_is_given": [{"model": MODEL}],
    "check_functions": [
        interact(tools=[function(allowed_callers=["direct"])]),
        interact(tools=[function(name="a b")]),
        interact(tools=[function(), function()]),
        interact(tools=[function(parameters={"type": "string"})]),
    ],
    "check_deferral_has_search": [
        interact(tools=[function(defer_loading=True)]),
        interact(
            tools=[
                {"type": "tool_search"},
                {"type": "mcp_server", "name": "x", "defer_loading": True},
            ]
        ),
    ],
    "check_search_fields": [
        interact(tools=[CLIENT, {"type": "tool_search"}]),
        interact(tools=[{"type": "tool_search", "description": "x"}]),
        interact(tools=[{"type": "tool_search", "execution": "client"}]),
        interact(tools=[{**CLIENT, "query": "x"}]),
    ],
    "check_steps": [
        interact({"type": "message"}),
        interact(ASKED, {"type": "function_call", "id": "x", "name": "get"}),
        interact(ASKED, {**MADE, "arguments": "{}"}),
        interact(ASKED, {**MADE, "name": "a b"}),
    ],
    "check_results_have_calls": [
        interact(ASKED, given("f")),
        interact(ASKED, MADE, given("f"), given("f")),
        interact(ASKED, SEARCH, given("t")),
        interact(ASKED, MADE, given("f", name="give")),
    ],
    "check_calls_have_results": [interact(ASKED, MADE), interact(ASKED, MADE, ASKED, given("f"))],
    "check_search_results": [interact(ASKED, SEARCH, found({"type": "text", "text": "x"}))],
    "check_signed_steps_are_echoed": [
        interact(ASKED, CALL, given("known")),
        interact(ASKED, {**THOUGHT, "signature": "x"}, CALL, given("known")),
    ],
    "check_answer_format": [
        interact(response_format={"type": "text", "schema": SCHEMA}),
        interact(
            model=OLDER,
            tools=[function()],
            response_format={"mime_type": "application/json", "schema": SCHEMA},
        ),
    ],
}


@pytest.mark.parametrize("name", GOOD_GENERATE)
def test_a_good_request_to_generate_is_let_in(name: str) -> None:
    build_server().check_generate(deepcopy(GOOD_GENERATE[name]), model=MODEL)


@pytest.mark.parametrize("name", GOOD_INTERACT)
def test_a_good_interaction_is_let_in(name: str) -> None:
    build_server().check_interaction(deepcopy(GOOD_INTERACT[name]))


@pytest.mark.parametrize(
    ("rule", "number"),
    [(rule, n) for rule, cases in BAD_GENERATE.items() for n in range(len(cases))],
)
def test_each_rule_of_generate_refuses_what_breaks_it(rule: str, number: int) -> None:
    request, asked = BAD_GENERATE[rule][number]
    with pytest.raises(Refusal) as caught:
        build_server().check_generate(deepcopy(request), model=asked)

    # The rule itself, and none before it.
    assert rule in [entry.name for entry in caught.traceback]


@pytest.mark.parametrize(
    ("rule", "number"),
    [(rule, n) for rule, cases in BAD_INTERACT.items() for n in range(len(cases))],
)
def test_each_rule_of_interactions_refuses_what_breaks_it(rule: str, number: int) -> None:
    with pytest.raises(Refusal) as caught:
        build_server().check_interaction(deepcopy(BAD_INTERACT[rule][number]))

    assert rule in [entry.name for entry in caught.traceback]


def test_every_rule_is_broken_here() -> None:
    assert {rule.__name__ for rule in GENERATE_RULES} == set(BAD_GENERATE)
    assert {rule.__name__ for rule in INTERACTIONS_RULES} == set(BAD_INTERACT)


def test_older_models_sign_nothing() -> None:
    request = generate(user(), model(UNSIGNED), user(response("b")))

    build_server().check_generate(request, model=OLDER)
