import json
import logging
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.anthropic.support import (
    EXPENSES,
    FIND,
    NATIVE,
    NOW,
    ORDER,
    PLAIN,
    REFUND,
    ask,
    build_target,
    build_tool,
    call,
    called,
    load,
    result,
    results,
    user,
)

from toolweft.core.calls import Blob, Caller
from toolweft.core.errors import ProviderError
from toolweft.core.ids import RunId
from toolweft.core.messages import ModelCall, RawItems, ToolsMessage
from toolweft.providers.anthropic.decode import decode
from toolweft.providers.anthropic.encode import build_headers, encode
from toolweft.providers.anthropic.models import UNKNOWN, find_model
from toolweft.providers.anthropic.schemas import fit_output_schema, is_recursive
from toolweft.providers.anthropic.tools import CODE_TOOL
from toolweft.providers.prefix import prefix_hash

PAUSED = decode(load("reply_paused_program"), platform="anthropic", now=NOW).message
OVER = decode(load("reply_program_over"), platform="anthropic", now=NOW).message
EARNED = results(
    result("toolu_a", '[{"cents":900}]', name="get_expenses"),
    result("toolu_b", '[{"cents":41000}]', name="get_expenses"),
)
FOUND = result("toolu_s", "Two tools.", revealed=("refund_order", "gone", "get_order"))
NODE = {
    "type": "object",
    "properties": {"next": {"$ref": "#/$defs/node"}},
    "$defs": {"node": {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}}}},
}


def test_a_result_reveals_hidden_tools_by_reference() -> None:
    request = ask(
        user("Refund A-7."),
        called(call("toolu_s", "find_tools", query="refund")),
        results(FOUND),
        system="Be brief.",
        tools=(FIND, REFUND, ORDER),
    )

    assert encode(request, NATIVE) == load("request_reveal")


def test_a_waiting_program_is_answered_with_results_alone_in_its_container() -> None:
    request = ask(
        user("Who is over budget?"),
        PAUSED,
        EARNED,
        tools=(EXPENSES,),
        container_id="container_01",
    )
    expected = load("request_continuation")
    expected["messages"][1]["content"] = load("reply_paused_program")["content"]

    assert encode(request, NATIVE) == expected


def test_tools_join_in_a_system_message_at_the_end_of_a_turn() -> None:
    joined = ToolsMessage(tools=(ORDER, build_tool("get_forecast", "city")))
    request = ask(joined, user("Weather?"), tools=(FIND, ORDER))

    assert encode(request, NATIVE) == load("request_addition")


def test_tools_join_the_declared_ones_where_nothing_else_is_known() -> None:
    request = ask(
        user("Weather?"), ToolsMessage(tools=(build_tool("get_forecast"),)), tools=(FIND,)
    )
    body = encode(request, PLAIN)

    assert [tool["name"] for tool in body["tools"]] == ["find_tools", "get_forecast"]
    assert [message["role"] for message in body["messages"]] == ["user"]


def test_a_tool_joins_once_and_only_if_it_is_not_there() -> None:
    late = build_tool("late", callers=frozenset({"direct", "programmatic"}))
    program_only = build_tool("only", callers=frozenset({"programmatic"}))
    messages = (
        *(user("Hi."), ToolsMessage(tools=(FIND, late, program_only)), called(text="So.")),
        *(user("And?"), ToolsMessage(tools=(late,))),
    )

    body = encode(ask(*messages, tools=(FIND,)), NATIVE)
    with_programs = encode(ask(*messages, tools=(FIND, EXPENSES)), NATIVE)

    assert [message["role"] for message in body["messages"]] == [
        *("user", "system", "assistant", "user")
    ]
    (block,) = body["messages"][1]["content"]
    # No program runs in this request, so none may call it.
    assert "allowed_callers" not in block["tool"]["definition"]
    first, second = with_programs["messages"][1]["content"]
    assert first["tool"]["definition"]["allowed_callers"] == ["direct", "code_execution_20260521"]
    assert second["tool"]["definition"]["name"] == "only"


def test_tools_that_join_after_an_assistant_wait_for_the_user() -> None:
    paused = called(text="Wait.")
    joined = ToolsMessage(tools=(build_tool("late"),))
    body = encode(ask(user("Hi."), paused, joined, tools=(FIND,)), NATIVE)
    later = encode(
        ask(user("Hi."), paused, joined, called(text="So."), user("Yes?"), tools=(FIND,)), NATIVE
    )

    assert [message["role"] for message in body["messages"]] == ["user", "assistant"]
    assert [message["role"] for message in later["messages"]] == [
        *("user", "assistant", "assistant", "user", "system")
    ]


def test_what_was_said_while_a_program_waits_follows_it() -> None:
    before = ask(
        *(user("Who?"), PAUSED, EARNED, user("Hurry."), ToolsMessage(tools=(ORDER,))),
        tools=(EXPENSES, ORDER),
        container_id="container_01",
    )
    after = replace(before, messages=(*before.messages, OVER, user("And now?")))

    waiting = encode(before, NATIVE)["messages"][-1]
    over = encode(after, NATIVE)["messages"]

    assert {block["type"] for block in waiting["content"]} == {"tool_result"}
    assert [block["text"] for block in over[-2]["content"]] == ["Hurry.", "And now?"]
    assert over[-1]["role"] == "system"


def test_a_program_gets_text_alone() -> None:
    shown = results(
        result("toolu_a", "one", Blob(data=b"123", media_type="image/png")),
        result("toolu_b", revealed=("get_order",)),
    )
    request = ask(user("Who?"), PAUSED, shown, tools=(EXPENSES, ORDER), container_id="container_01")

    contents = [block["content"] for block in encode(request, NATIVE)["messages"][-1]["content"]]

    assert contents == ["one\n[image/png, 3 bytes, not shown]", ""]


def test_a_waiting_program_needs_its_container() -> None:
    with pytest.raises(ProviderError, match="container is not known"):
        encode(ask(user("Who?"), PAUSED, EARNED, tools=(EXPENSES,)), NATIVE)


def test_a_container_is_left_out_where_no_program_can_run() -> None:
    request = ask(tools=(FIND,), container_id="container_01")

    assert "container" not in encode(request, NATIVE)
    assert "container" not in encode(replace(request, tools=(EXPENSES, FIND)), PLAIN)


def test_all_results_of_a_turn_stand_first_in_one_message() -> None:
    request = ask(
        user("Both."),
        called(call("a", "x"), call("b", "y")),
        user("Quick!"),
        results(result("a", "1"), result("b", "2", is_error=True)),
    )

    last = encode(request, NATIVE)["messages"][-1]["content"]

    assert [block["type"] for block in last] == ["tool_result", "tool_result", "text"]
    assert last[1]["is_error"] is True


def test_images_go_as_images() -> None:
    image = Blob(data=b"\x89PNG", media_type="image/png")
    request = ask(user("See:", image), called(call("a", "x")), results(result("a", image)))

    messages = encode(request, NATIVE)["messages"]
    source = {"type": "base64", "media_type": "image/png", "data": "iVBORw=="}

    assert messages[0]["content"][1]["source"] == source
    assert messages[2]["content"][0]["content"] == [{"type": "image", "source": source}]


@pytest.mark.parametrize("revealed", [(), ("gone",)])
def test_a_result_that_reveals_nothing_is_text(revealed: tuple[str, ...]) -> None:
    empty = results(result("a", "  ", revealed=revealed))
    body = encode(ask(user("Hi."), called(call("a", "x")), empty, tools=(FIND, ORDER)), NATIVE)

    (block,) = body["messages"][-1]["content"][0]["content"]

    assert block["type"] == "text"
    assert block["text"].strip()


def test_without_deferral_nothing_is_hidden_and_results_are_text() -> None:
    request = ask(
        user("Hi."), called(call("toolu_s", "find_tools")), results(FOUND), tools=(FIND, ORDER)
    )

    body = encode(request, PLAIN)

    assert not any("defer_loading" in tool for tool in body["tools"])
    assert body["messages"][-1]["content"][0]["content"][0]["text"] == "Two tools."


def test_what_the_vendor_runs_is_never_answered(caplog: pytest.LogCaptureFixture) -> None:
    answered = results(result("srvtoolu_1", "no"), result("a", "yes"))
    with caplog.at_level(logging.WARNING):
        body = encode(ask(user("Hi."), called(call("a", "x")), answered), NATIVE)

    (block,) = body["messages"][-1]["content"]
    assert block["tool_use_id"] == "a"
    assert "provider.result_of_server_call" in caplog.messages


def test_all_tools_hidden_leaves_the_first_in_sight() -> None:
    tools = encode(ask(tools=(ORDER, REFUND)), NATIVE)["tools"]

    assert [tool.get("defer_loading", False) for tool in tools] == [False, True]


def test_a_recursive_schema_is_not_offered_to_programs(caplog: pytest.LogCaptureFixture) -> None:
    both = frozenset({"direct", "programmatic"})
    nested = build_tool("nested", input_schema=NODE, callers=both)
    only = build_tool("only", input_schema=NODE, callers=frozenset({"programmatic"}))

    with caplog.at_level(logging.WARNING):
        tools = encode(ask(tools=(nested, only, build_tool("flat", callers=both))), NATIVE)["tools"]

    assert [tool["name"] for tool in tools] == ["code_execution", "nested", "flat"]
    assert "allowed_callers" not in tools[1]
    assert tools[2]["allowed_callers"] == ["direct", "code_execution_20260521"]
    assert "provider.recursive_schema_not_for_programs" in caplog.messages


def test_no_request_forces_a_tool_or_is_strict() -> None:
    body = encode(ask(tools=(FIND, REFUND, EXPENSES)), NATIVE)

    assert "tool_choice" not in body
    assert not any("strict" in tool for tool in body["tools"])


def test_examples_are_words_where_the_vendor_takes_none() -> None:
    unknown = replace(NATIVE, capabilities=UNKNOWN.capabilities)
    (tool,) = encode(ask(tools=(REFUND,)), unknown)["tools"]

    assert "input_examples" not in tool
    assert '- a part: {"order_id":"A-7","cents":1250}' in tool["description"]


def test_another_vendors_reply_is_told_anew() -> None:
    caller = Caller(type="programmatic", program_id=RunId("call_p1"), call_index=1)
    theirs = called(
        ModelCall(id="call/1", name="x", arguments=None, fault="no JSON", caller=caller),
        text="Look.",
        raw=RawItems(api="openai", platform="openai", items=({"type": "program"},)),
    )
    request = ask(user("Hi."), theirs, results(result("call/1", "1", caller=caller)), user("So?"))

    first, second, third = encode(request, NATIVE)["messages"]

    text, use = second["content"]
    assert first["role"] == "user"
    assert text == {"type": "text", "text": "Look."}
    assert (use["name"], use["input"]) == ("x", {})
    assert "caller" not in use
    assert third["content"][0]["tool_use_id"] == use["id"]
    # No program of ours waits, so what the user says goes at once.
    assert third["content"][1]["text"] == "So?"


def test_signed_items_go_back_to_their_own_platform_only() -> None:
    request = ask(user("Hi."), PAUSED, EARNED, tools=(EXPENSES,), container_id="c")

    echoed = encode(request, NATIVE)["messages"][1]["content"]
    retold = encode(request, build_target(platform="foundry"))["messages"][1]["content"]

    assert echoed == load("reply_paused_program")["content"]
    assert [block["type"] for block in retold] == ["tool_use", "tool_use"]


def test_a_paused_turn_is_sent_again_as_it_is() -> None:
    body = encode(ask(user("Hi."), PAUSED, tools=(EXPENSES,), container_id="c"), NATIVE)

    assert body["messages"][-1]["content"] == load("reply_paused_program")["content"]


def test_a_temperature_is_sent_only_where_it_is_taken() -> None:
    warm = replace(NATIVE, capabilities=replace(NATIVE.capabilities, takes_temperature=True))
    request = ask(temperature=0.2)

    assert "temperature" not in encode(request, NATIVE)
    assert encode(request, warm)["temperature"] == 0.2


def test_a_schema_for_the_answer_takes_the_vendors_form() -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": ["integer", "null"], "minimum": 1}},
        "required": ["n"],
        "additionalProperties": False,
    }
    config = encode(ask(output_schema=schema), replace(NATIVE, effort="low"))["output_config"]

    assert config["effort"] == "low"
    fitted = config["format"]["schema"]
    assert fitted["additionalProperties"] is False
    assert fitted["properties"]["n"]["anyOf"][0] == {
        "type": "integer",
        "description": "{minimum: 1}",
    }


@pytest.mark.parametrize(
    "schema",
    [NODE, {"type": "object", "additionalProperties": {"type": "string"}}, {}, {"type": "array"}],
)
def test_a_schema_without_such_a_form_is_asked_for_in_words(schema: dict[str, object]) -> None:
    body = encode(ask(output_schema=schema, system="Be brief."), NATIVE)

    assert "output_config" not in body
    assert json.dumps(schema, separators=(",", ":")) in body["system"][1]["text"]
    assert "cache_control" not in body["system"][1]


def test_recursion_is_found_through_references_and_not_where_there_is_none() -> None:
    twice = {"properties": {"a": {"$ref": "#/$defs/x"}, "b": {"$ref": "#/$defs/x"}}}

    assert is_recursive(NODE)
    assert is_recursive({"properties": {"a": {"$ref": "#"}}})
    assert not is_recursive({**twice, "$defs": {"x": {"type": "string"}}})
    assert fit_output_schema({**twice, "type": "object", "$defs": {"x": {"type": "string"}}})


def test_four_marks_at_most_and_none_on_what_is_hidden_or_for_a_program() -> None:
    turns = [m for n in range(5) for m in (user(f"Turn {n}."), called(text=f"Answer {n}."))]
    request = ask(
        *turns,
        *(user("Who?"), PAUSED, EARNED),
        tools=(FIND, EXPENSES, ORDER),
        system="Be brief.",
        container_id="c",
    )

    body = encode(request, NATIVE)

    marked = [n for n, m in enumerate(body["messages"]) if "cache_control" in m["content"][-1]]
    assert json.dumps(body).count('"cache_control"') == 4
    assert marked == [8, 10]
    assert ["cache_control" in tool for tool in body["tools"]] == [False, False, True, False]


def test_headers_name_the_version_and_only_the_betas_that_are_needed() -> None:
    def betas(target=NATIVE, *tools, **fields):
        request = ask(user("Hi."), ToolsMessage(tools=tools), **fields)
        return build_headers(encode(request, target), target).get("anthropic-beta")

    foundry = build_target(platform="foundry")
    plain_foundry = build_target(platform="foundry", native="off")

    assert build_headers(encode(ask(), NATIVE), NATIVE) == {"anthropic-version": "2026-10-21"}
    assert betas(NATIVE, tools=(FIND, ORDER, EXPENSES)) is None
    assert betas(NATIVE, ORDER, tools=(FIND, ORDER)) == "mid-conversation-tool-changes-2026-07-01"
    assert betas(NATIVE, FIND, tools=()) == "inline-tools-2026-09-15"
    assert betas(foundry, tools=(FIND, ORDER)) == "advanced-tool-use-2025-11-20"
    assert betas(foundry, tools=(EXPENSES,)) == "advanced-tool-use-2025-11-20"
    assert betas(plain_foundry, tools=(FIND, ORDER, EXPENSES)) is None


def test_betas_that_are_named_stand_in_the_place_of_the_table() -> None:
    foundry = replace(build_target(platform="foundry"), betas=())
    named = replace(NATIVE, betas=("one-2026-01-01", "two-2026-01-01"))

    assert "anthropic-beta" not in build_headers(encode(ask(tools=(FIND, ORDER)), foundry), foundry)
    assert build_headers(encode(ask(), named), named) == {
        "anthropic-version": "2026-10-21",
        "anthropic-beta": "one-2026-01-01,two-2026-01-01",
    }


def test_the_headers_of_a_platform_hold_for_models_nobody_described() -> None:
    assert find_model("foundry", "mine").headers.tool_use_beta == "advanced-tool-use-2025-11-20"
    assert find_model("anthropic", "mine").headers.tool_use_beta is None


def test_the_code_tool_is_declared_only_where_programs_run() -> None:
    wanted = encode(ask(tools=(CODE_TOOL, FIND)), NATIVE)["tools"]
    plain = encode(ask(tools=(CODE_TOOL, FIND)), PLAIN)["tools"]

    assert wanted[0] == {"type": NATIVE.code_tool, "name": "code_execution"}
    assert [tool["name"] for tool in wanted] == ["code_execution", "find_tools"]
    assert [tool["name"] for tool in plain] == ["find_tools"]


def test_native_forms_are_off_unless_wanted() -> None:
    automatic = build_target(native="auto").capabilities

    assert NATIVE.capabilities.programs == "python"
    for capabilities in (PLAIN.capabilities, automatic):
        assert not capabilities.has_deferral
        assert (capabilities.reveal, capabilities.addition, capabilities.programs) == ("none",) * 3
        assert capabilities.has_examples


def test_an_unknown_model_promises_nothing_and_costs_nothing_known() -> None:
    assert find_model("anthropic", "claude-opus-5-5-of-tomorrow") == UNKNOWN
    assert UNKNOWN.prices is None
    assert not UNKNOWN.capabilities.has_deferral
    body = encode(
        ask(tools=(FIND,), system="s", output_schema={"type": "string"}),
        replace(PLAIN, capabilities=UNKNOWN.capabilities),
    )
    assert "cache_control" not in json.dumps(body)


APPENDED = st.lists(
    st.sampled_from(
        [
            user("And this?"),
            called(text="Yes."),
            results(FOUND),
            results(result("toolu_s", revealed=("get_order",))),
            ToolsMessage(tools=(build_tool("joined"),)),
            ToolsMessage(tools=(ORDER,)),
            PAUSED,
            OVER,
        ]
    ),
    max_size=12,
)


@pytest.mark.promise("anthropic.prefix")
@given(APPENDED)
def test_the_prefix_never_changes_while_a_conversation_grows(messages: list) -> None:
    start = ask(
        user("Hi."), tools=(FIND, REFUND, ORDER, EXPENSES), system="s", container_id="container_01"
    )
    expected = prefix_hash(encode(start, NATIVE))

    for length in range(len(messages) + 1):
        grown = replace(start, messages=(*start.messages, *messages[:length]))
        assert prefix_hash(encode(grown, NATIVE)) == expected


@given(APPENDED)
def test_what_was_sent_before_an_answer_stays_as_it_was(messages: list) -> None:
    def strip(message: dict) -> dict:
        inner = [
            {k: v for k, v in block.items() if k != "cache_control"} for block in message["content"]
        ]
        return {**message, "content": inner}

    request = ask(
        user("Hi."), *messages, called(text="So."), tools=(FIND, ORDER, EXPENSES), container_id="c"
    )
    before = [strip(m) for m in encode(request, NATIVE)["messages"]]
    longer = replace(request, messages=(*request.messages, user("Go on."), called(text="On.")))
    after = [strip(m) for m in encode(longer, NATIVE)["messages"]]

    assert after[: len(before)] == before


def test_an_answer_without_content_leaves_no_message() -> None:
    refusal = decode(load("reply_refusal"), platform="anthropic", now=NOW).message

    assert len(encode(ask(user("Hi."), refusal), NATIVE)["messages"]) == 1
    (only,) = encode(ask(user("Hi."), refusal, user("Please.")), NATIVE)["messages"]
    assert [block["text"] for block in only["content"]] == ["Hi.", "Please."]
