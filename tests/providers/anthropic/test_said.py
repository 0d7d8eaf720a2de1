"""Conversations in the vendor's shape, read and sent again."""

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.providers.anthropic.support import NATIVE, NOW, ask

from toolweft.core.messages import AssistantMessage
from toolweft.providers.anthropic.encode import encode
from toolweft.providers.anthropic.said import list_messages, read_messages

ASK = {"role": "user", "content": "Hello."}
plain = st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=8)
values = (
    plain | st.lists(plain, max_size=2) | st.dictionaries(st.text(max_size=4), plain, max_size=2)
)
kinds = st.sampled_from(["text", "thinking", "tool_use", "server_tool_use", "unheard_of"])
fields = st.dictionaries(
    st.sampled_from(["text", "thinking", "signature", "id", "name", "caller", "extra"]),
    values,
    max_size=3,
)
blocks = st.builds(lambda kind, more: {"type": kind, "input": {}, **more}, kinds, fields)


def name_calls(content: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Calls with ids, names and callers that the vendor takes back."""
    return [
        {**block, "id": f"toolu_{number}", "name": "get", "caller": {"type": "direct"}}
        if block["type"] == "tool_use"
        else block
        for number, block in enumerate(content)
    ]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(blocks, min_size=1, max_size=3).map(name_calls))
def test_whatever_the_model_said_goes_back_byte_for_byte(content: list[dict[str, Any]]) -> None:
    before = json.dumps(content)
    given_messages = [ASK, {"role": "assistant", "content": content}]
    messages = list_messages(read_messages(given_messages, platform="anthropic", now=NOW))
    body = encode(ask(*messages), NATIVE)

    assert json.dumps(body["messages"][1]["content"]) == before == json.dumps(content)


def test_a_plain_text_of_the_model_is_a_block() -> None:
    messages = list_messages(
        read_messages([ASK, {"role": "assistant", "content": "Hi."}], platform="anthropic", now=NOW)
    )

    assert isinstance(messages[1], AssistantMessage)
    assert messages[1].text == "Hi."
    assert encode(ask(*messages), NATIVE)["messages"][1]["content"] == [
        {"type": "text", "text": "Hi."}
    ]
