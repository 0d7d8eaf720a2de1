"""Every rule of the server, broken once; and one request that breaks none."""

from copy import deepcopy
from typing import Any

import pytest

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.anthropic import AnthropicServer
from toolweft.testing.vendors.anthropic_message_rules import MESSAGE_RULES
from toolweft.testing.vendors.anthropic_request import Refusal
from toolweft.testing.vendors.anthropic_tool_rules import TOOL_RULES

HEADERS = {"anthropic-version": "2026-10-21"}
INLINE = {**HEADERS, "anthropic-beta": "inline-tools-2026-09-15"}
BY_REFERENCE = {**HEADERS, "anthropic-beta": "mid-conversation-tool-changes-2026-07-01"}
MARK = {"cache_control": {"type": "ephemeral"}}
CODE = "code_execution_20260521"
SCHEMA = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}
NESTED = {
    "type": "object",
    "properties": {"a": {"$ref": "#/$defs/n"}},
    "$defs": {"n": {"type": "object", "properties": {"a": {"$ref": "#/$defs/n"}}}},
}
CODE_TOOL = {"type": CODE, "name": "code_execution"}


def tool(name: str = "get", **fields: Any) -> JsonObject:
    return {"name": name, "description": "Gets.", "input_schema": SCHEMA, **fields}


def text(words: str = "Hi.") -> JsonObject:
    return {"type": "text", "text": words}


def user(*blocks: JsonObject) -> JsonObject:
    return {"role": "user", "content": list(blocks)}


def assistant(*blocks: JsonObject) -> JsonObject:
    return {"role": "assistant", "content": list(blocks)}


def system(*blocks: JsonObject) -> JsonObject:
    return {"role": "system", "content": list(blocks)}


def use(call_id: str = "a", **fields: Any) -> JsonObject:
    return {"type": "tool_use", "id": call_id, "name": "get", "input": {"q": "x"}, **fields}


def answer(call_id: str = "a", content: Any = "1") -> JsonObject:
    return {"type": "tool_result", "tool_use_id": call_id, "content": content}


def refer(name: str) -> list[JsonObject]:
    return [{"type": "tool_reference", "tool_name": name}]


def add(kind: str, **fields: Any) -> JsonObject:
    return {"type": "tool_addition", "tool": {"type": kind, **fields}}


def body(*messages: JsonObject, **fields: Any) -> JsonObject:
    return {
        "model": "claude-opus-5-5",
        "max_tokens": 9,
        "messages": list(messages) or [user(text())],
        "tools": [tool(), tool("hidden", defer_loading=True)],
        **fields,
    }


PROGRAM = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "code_execution", "input": {}}
CALLER = {"type": "code_execution_20260120", "tool_id": "srvtoolu_1"}
WAITING = assistant(PROGRAM, use(caller=CALLER))
FOR_PROGRAMS: Any = {"tools": [CODE_TOOL, tool(allowed_callers=[CODE])]}
IN_CONTAINER: Any = {**FOR_PROGRAMS, "container": "container_01"}
THOUGHT = {"type": "thinking", "thinking": "Hm.", "signature": "s"}

GOOD = {
    "a plain one": (body(), HEADERS),
    "words as text": (body({"role": "user", "content": "Hi."}), HEADERS),
    "results": (body(user(text()), assistant(use()), user(answer(), text())), HEADERS),
    "a reference": (
        body(user(text()), assistant(use()), user(answer(content=refer("hidden")))),
        HEADERS,
    ),
    "a program": (body(user(text()), WAITING, user(answer()), **IN_CONTAINER), HEADERS),
    "a pause": (body(user(text()), WAITING, **FOR_PROGRAMS), HEADERS),
    "an addition": (
        body(
            *(user(text()), system(add("tool_definition", definition=tool("late")))),
            *(assistant(text()), user(text())),
        ),
        INLINE,
    ),
    "a known answer": (
        body(user(text()), assistant(THOUGHT, use("known")), user(answer("known"))),
        HEADERS,
    ),
}

# Rule -> requests that break it, each with its headers.
BAD: dict[str, list[tuple[JsonObject, dict[str, str]]]] = {
    "check_version_is_given": [(body(), {}), (body(), {"anthropic-version": "2020-01-01"})],
    "check_betas_exist": [(body(), {**HEADERS, "anthropic-beta": "made-up-2026-01-01"})],
    "check_parameters_are_known": [(body(prompt="Hi."), HEADERS)],
    "check_required_is_given": [(body(max_tokens=None), HEADERS), (body(max_tokens=0), HEADERS)],
    "check_model_exists": [(body(model="claude-nobody"), HEADERS)],
    "check_sampling_is_not_set": [(body(temperature=1.0), HEADERS), (body(top_k=1), HEADERS)],
    "check_tool_names": [
        (body(tools=[tool("a.b")]), HEADERS),
        (body(tools=[tool(), tool()]), HEADERS),
    ],
    "check_tool_schemas": [
        (body(tools=[tool(input_schema=None)]), HEADERS),
        (body(tools=[tool(input_schema={"type": "string"})]), HEADERS),
        (body(tools=[tool(input_schema={"type": "object", "required": 1})]), HEADERS),
    ],
    "check_not_all_are_deferred": [(body(tools=[tool(defer_loading=True)]), HEADERS)],
    "check_deferred_are_not_marked": [
        (body(tools=[tool(), tool("b", defer_loading=True, **MARK)]), HEADERS)
    ],
    "check_marks_are_few": [(body(user(*({**text(), **MARK} for _ in range(5)))), HEADERS)],
    "check_examples_fit": [
        (body(tools=[tool(input_examples=[{"q": 1}])]), HEADERS),
        (body(tools=[tool(), {**CODE_TOOL, "input_examples": [{}]}]), HEADERS),
    ],
    "check_callers_exist": [
        (body(tools=[tool(allowed_callers=["programmatic"])]), HEADERS),
        (body(tools=[tool(allowed_callers=[])]), HEADERS),
    ],
    "check_programmatic_are_not_strict": [
        (body(tools=[CODE_TOOL, tool(allowed_callers=[CODE], strict=True)]), HEADERS)
    ],
    "check_programmatic_are_not_recursive": [
        (body(tools=[CODE_TOOL, tool(allowed_callers=[CODE], input_schema=NESTED)]), HEADERS)
    ],
    "check_choice_is_free": [
        (body(tool_choice={"type": "any"}), HEADERS),
        (body(tool_choice={"type": "tool", "name": "get"}), HEADERS),
        (
            body(tool_choice={"type": "auto", "disable_parallel_tool_use": True}, **FOR_PROGRAMS),
            HEADERS,
        ),
        (
            body(
                model="claude-sonnet-5",
                tool_choice={"type": "tool", "name": "get"},
                **FOR_PROGRAMS,
            ),
            HEADERS,
        ),
    ],
    "check_output_schema_fits": [
        (body(output_config={"format": {"schema": SCHEMA}}), HEADERS),
        (body(output_config={"format": {"schema": NESTED}}), HEADERS),
    ],
    "check_messages_begin_with_user": [
        (body(assistant(text())), HEADERS),
        (body(messages=[]), HEADERS),
        (body({"role": "tool", "content": "x"}), HEADERS),
    ],
    "check_content_is_given": [
        (body(user()), HEADERS),
        (body(user(text("  "))), HEADERS),
        (body(user(text()), assistant(), user(text())), HEADERS),
    ],
    "check_blocks_are_known": [
        (body(user(use())), HEADERS),
        (body(user({"type": "input_text", "text": "x"})), HEADERS),
    ],
    "check_system_stands_at_turn_ends": [
        (body(user(text()), assistant(text()), system(text())), HEADERS),
        (body(user(text()), system(text()), user(text())), HEADERS),
    ],
    "check_answers_are_unchanged": [
        (body(user(text()), assistant(use("known")), user(answer("known"))), HEADERS),
        (
            body(
                user(text()),
                assistant({**THOUGHT, "thinking": "Other."}, use("known")),
                user(answer("known")),
            ),
            HEADERS,
        ),
    ],
    "check_programs_are_echoed": [
        (
            body(user(text()), assistant(use(caller=CALLER)), user(answer()), **IN_CONTAINER),
            HEADERS,
        ),
        (body(user(text()), assistant(THOUGHT, use("known", caller=CALLER))), HEADERS),
    ],
    "check_ids": [
        (body(user(text()), assistant(use("a/b")), user(answer("a/b"))), HEADERS),
        (body(user(text()), assistant(use(input="x")), user(answer())), HEADERS),
        (body(user(text()), assistant(use(name="a.b")), user(answer())), HEADERS),
        (body(user(text()), assistant(use(name="")), user(answer())), HEADERS),
        (
            body(user(text()), assistant(use()), user(answer()), assistant(use()), user(answer())),
            HEADERS,
        ),
    ],
    "check_calls_are_answered": [
        (body(user(text()), assistant(use(), use("b")), user(answer())), HEADERS),
        (
            body(user(text()), assistant(use(), use("b")), user(answer()), user(answer("b"))),
            HEADERS,
        ),
    ],
    "check_results_have_calls": [
        (body(user(answer())), HEADERS),
        (body(user(text()), assistant(use()), user(answer(), answer())), HEADERS),
        (
            body(user(text()), assistant(PROGRAM), user(answer("srvtoolu_1")), **IN_CONTAINER),
            HEADERS,
        ),
    ],
    "check_results_come_first": [
        (body(user(text()), assistant(use()), user(text(), answer())), HEADERS)
    ],
    "check_results_hold_something": [
        (body(user(text()), assistant(use()), user(answer(content=[]))), HEADERS),
        (
            body(user({"type": "image", "source": {"media_type": "image/tiff", "data": "x"}})),
            HEADERS,
        ),
    ],
    "check_references_resolve": [
        (body(user(text()), assistant(use()), user(answer(content=refer("gone")))), HEADERS)
    ],
    "check_tool_changes": [
        (body(user(text()), system(add("tool_reference", name="hidden"))), HEADERS),
        (body(user(text()), system(add("tool_definition", definition=tool("x")))), BY_REFERENCE),
        (body(user(text()), system(add("tool_definition", definition=tool("get")))), INLINE),
        (body(user(text()), system(add("tool_reference", name="gone"))), INLINE),
    ],
    "check_waiting_turn_is_plain": [
        (body(user(text()), WAITING, user(answer(), text()), **IN_CONTAINER), HEADERS),
        (
            body(user(text()), WAITING, user(answer(content=refer("get"))), **IN_CONTAINER),
            HEADERS,
        ),
    ],
    "check_container": [
        (body(user(text()), WAITING, user(answer()), **FOR_PROGRAMS), HEADERS),
        (body(container="container_01"), HEADERS),
        (body(**{**IN_CONTAINER, "container": {"id": "container_01"}}), HEADERS),
        (body(**{**IN_CONTAINER, "container": "container_gone"}), HEADERS),
    ],
}


def build_server() -> AnthropicServer:
    server = AnthropicServer([])
    server._memory.containers.add("container_01")
    server._memory.answers["known"] = [THOUGHT, use("known")]
    return server


@pytest.mark.parametrize("name", GOOD)
def test_what_breaks_no_rule_is_let_in(name: str) -> None:
    request, headers = GOOD[name]

    build_server().check(deepcopy(request), headers=headers)


@pytest.mark.parametrize(
    ("rule", "number"), [(rule, n) for rule, cases in BAD.items() for n in range(len(cases))]
)
def test_each_rule_refuses_what_breaks_it(rule: str, number: int) -> None:
    request, headers = BAD[rule][number]
    with pytest.raises(Refusal) as caught:
        build_server().check(deepcopy(request), headers=headers)

    # The rule itself, and none before it.
    assert rule in [entry.name for entry in caught.traceback]
    assert caught.value.message


def test_every_rule_is_broken_here() -> None:
    assert {rule.__name__ for rule in (*TOOL_RULES, *MESSAGE_RULES)} == set(BAD)


def test_an_older_version_still_takes_a_temperature() -> None:
    build_server().check(body(temperature=1.0), headers={"anthropic-version": "2023-06-01"})


@pytest.mark.parametrize(("rule", "status"), [("check_model_exists", 404), ("check_ids", 400)])
def test_a_refusal_has_the_vendors_status(rule: str, status: int) -> None:
    request, headers = BAD[rule][0]
    with pytest.raises(Refusal) as caught:
        build_server().check(request, headers=headers)

    assert caught.value.status == status
