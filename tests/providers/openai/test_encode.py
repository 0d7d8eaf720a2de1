"""What the encoder does beyond the shapes that are written down."""

from dataclasses import replace

import pytest
from tests.providers.openai.cases import (
    CALL,
    ETA,
    PROGRAM,
    PROGRAM_CALL,
    PROGRAM_STOCK,
    REASONING,
    SEARCH,
    SEARCH_CALL,
    STOCK,
    by_program,
    result,
    results,
    said,
    target,
    user,
)

from toolweft.core.calls import TextContent
from toolweft.core.messages import AssistantMessage, ModelCall, ModelRequest, ToolsMessage
from toolweft.providers.openai import encode

ONLY_PROGRAMS = replace(PROGRAM_STOCK, callers=frozenset({"programmatic"}))


def test_nothing_is_stored_at_the_vendor() -> None:
    assert encode(ModelRequest(), target())["store"] is False


def test_items_of_another_platform_are_written_anew() -> None:
    call = ModelCall(id="call_1", name="get_stock", arguments={"sku": "A"})
    message = said(REASONING, CALL, text="I look.", calls=(call,))
    body = encode(ModelRequest(messages=(user("?"), message)), target(platform="azure"))

    assert [item["type"] for item in body["input"]] == ["message", "message", "function_call"]
    assert all("id" not in item for item in body["input"])


def test_items_that_the_model_does_not_know_are_written_anew() -> None:
    call = ModelCall(id="call_s", name="search_tools", arguments={"query": "eta"})
    message = said(SEARCH_CALL, calls=(call,))
    history = (user("?"), message, results(result("call_s", "none", name="search_tools")))
    body = encode(ModelRequest(tools=(SEARCH,), messages=history), target("gpt-4.1"))

    assert [item["type"] for item in body["input"][1:]] == [
        "function_call",
        "function_call_output",
    ]


def test_programs_are_no_business_of_a_deployment_that_has_not_confirmed_them() -> None:
    request = ModelRequest(tools=(PROGRAM_STOCK, ONLY_PROGRAMS, ETA))
    body = encode(request, target(platform="azure"))

    assert [tool["type"] for tool in body["tools"]] == ["tool_search", "function", "function"]
    assert all("allowed_callers" not in tool for tool in body["tools"])


def test_a_tool_for_programs_alone_is_not_shown_where_there_are_none() -> None:
    assert "tools" not in encode(ModelRequest(tools=(ONLY_PROGRAMS,)), target("gpt-5.4"))


def test_reasoning_that_nothing_followed_is_left_out() -> None:
    history = (user("?"), said(REASONING), user("Go on."))
    body = encode(ModelRequest(messages=history), target())

    assert [item["type"] for item in body["input"]] == ["message", "message"]


def test_an_empty_search_says_why_in_words() -> None:
    found = result("call_s", "nothing fits", name="search_tools")
    request = ModelRequest(
        tools=(SEARCH, ETA), messages=(user("?"), said(SEARCH_CALL), results(found))
    )
    output, words = encode(request, target("gpt-5.4"))["input"][-2:]

    assert output["tools"] == []
    assert words["role"] == "user"
    assert words["content"][0]["text"] == "search_tools: nothing fits"


def test_what_another_tool_reveals_is_added_as_tools() -> None:
    found = result("call_1", "see get_eta", revealed=("get_eta",))
    request = ModelRequest(
        tools=(SEARCH, STOCK, ETA), messages=(user("?"), said(CALL), results(found, found))
    )
    items = encode(request, target("gpt-5.4"))["input"]

    assert [item["type"] for item in items[2:]] == [
        "function_call_output",
        "function_call_output",
        "additional_tools",
    ]
    assert [tool["name"] for tool in items[-1]["tools"]] == ["get_eta"]


def test_tools_that_stand_at_the_start_are_not_added_again() -> None:
    request = ModelRequest(tools=(STOCK,), messages=(user("?"), ToolsMessage(tools=(STOCK,))))

    assert len(encode(request, target("gpt-5.4"))["input"]) == 1


def test_tools_are_appended_where_they_cannot_be_added() -> None:
    request = ModelRequest(tools=(STOCK,), messages=(user("?"), ToolsMessage(tools=(ETA,))))
    body = encode(request, target("gpt-4.1"))

    assert [tool["name"] for tool in body["tools"]] == ["get_stock", "get_eta"]
    assert len(body["input"]) == 1


def test_an_added_tool_names_programs_only_where_there_are_any() -> None:
    message = ToolsMessage(tools=(PROGRAM_STOCK, replace(ONLY_PROGRAMS, name="other")))
    body = encode(ModelRequest(tools=(ETA,), messages=(user("?"), message)), target())
    [added] = body["input"][-1]["tools"]

    assert added["name"] == "get_stock"
    assert "allowed_callers" not in added


def test_the_caller_of_an_output_is_that_of_its_call_on_the_wire() -> None:
    # The neutral caller is a copy; what the vendor said is what it gets.
    given = result("call_2", "3", caller=by_program("something else"))
    request = ModelRequest(
        tools=(PROGRAM_STOCK,), messages=(user("?"), said(PROGRAM, PROGRAM_CALL), results(given))
    )

    assert encode(request, target())["input"][-1]["caller"] == PROGRAM_CALL["caller"]


def test_a_failed_result_is_an_error_in_json() -> None:
    given = result("call_1", 'no "such" article', is_error=True)
    request = ModelRequest(messages=(user("?"), said(CALL), results(given)))

    assert encode(request, target())["input"][-1]["output"] == '{"error": "no \\"such\\" article"}'


@pytest.mark.parametrize("length", [64, 65, 200])
def test_ids_of_other_vendors_fit_and_still_meet(length: int) -> None:
    call = ModelCall(id="x" * length, name="get_stock", arguments={})
    history = (user("?"), AssistantMessage(calls=(call,)), results(result(call.id, "3")))
    _, asked, given = encode(ModelRequest(messages=history), target())["input"]

    assert asked["call_id"] == given["call_id"]
    assert len(asked["call_id"]) <= 64


def test_a_schema_that_allows_more_is_told_but_not_held_to() -> None:
    schema = {"type": "object", "properties": {"total": {"type": "integer"}}}
    body = encode(ModelRequest(output_schema=schema), target())

    assert body["text"]["format"]["strict"] is False
    assert body["text"]["format"]["schema"] == schema


def test_effort_and_cache_key_are_sent_when_set() -> None:
    body = encode(ModelRequest(), replace(target(), effort="low", cache_key="mine"))

    assert body["reasoning"] == {"effort": "low"}
    assert body["prompt_cache_key"] == "mine"


def test_text_of_several_parts_is_one_output() -> None:
    given = replace(result("call_1"), content=(TextContent("a"), TextContent("b")))
    request = ModelRequest(messages=(user("?"), said(CALL), results(given)))

    assert encode(request, target())["input"][-1]["output"] == "a\nb"
