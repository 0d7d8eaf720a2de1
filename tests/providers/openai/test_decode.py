"""Answers that are not what they should be."""

import pytest

from toolweft.core.errors import ProviderError
from toolweft.core.json import Json
from toolweft.core.models import TokenUsage
from toolweft.providers.openai import decode


@pytest.mark.parametrize("output", [None, "text", {}, ["text"], [None]])
def test_an_answer_without_items_is_an_error(output: Json) -> None:
    with pytest.raises(ProviderError, match="no list of output items"):
        decode({"output": output})


@pytest.mark.parametrize(
    ("code", "is_retryable"), [("server_error", True), ("invalid_prompt", False)]
)
def test_a_failed_response_is_an_error_that_knows_whether_to_ask_again(
    code: str, *, is_retryable: bool
) -> None:
    body = {"status": "failed", "error": {"code": code, "message": "it broke"}, "output": []}
    with pytest.raises(ProviderError, match="it broke") as caught:
        decode(body)

    assert caught.value.is_retryable is is_retryable


def test_odd_fields_are_no_crash() -> None:
    odd = [
        {"type": "message"},
        {"type": "message", "content": ["?", None]},
        {"type": "message", "content": 3},
        {"type": "function_call", "call_id": None, "arguments": None},
        {"type": None},
        {},
    ]
    reply = decode({"output": odd, "usage": "many"})
    [call] = reply.message.calls

    assert call.arguments is None
    assert "no text but NoneType" in call.fault
    assert reply.usage == TokenUsage()


@pytest.mark.parametrize("arguments", ["[1]", "3", "{", "\0", "NaN", '{"a": 1e999}'])
def test_arguments_that_are_no_object_are_told_and_not_guessed(arguments: str) -> None:
    item = {"type": "function_call", "call_id": "c", "name": "t", "arguments": arguments}
    [call] = decode({"output": [item]}).message.calls

    assert call.arguments is None
    assert call.fault


def test_the_search_has_the_name_of_the_tool_it_stands_for() -> None:
    item = {"type": "tool_search_call", "execution": "client", "call_id": "s", "arguments": {}}
    [call] = decode({"output": [item]}, search_name="find").message.calls

    assert call.name == "find"


def test_the_request_id_of_the_headers_wins() -> None:
    body = {"id": "resp_1", "output": []}

    assert decode(body).request_id == "resp_1"
    assert decode(body, request_id="req_1").request_id == "req_1"
