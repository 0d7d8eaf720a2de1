"""Conversations in the vendor's shape, read and sent again."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.providers.anthropic.support import NATIVE, NOW, ask

from toolweft.core.messages import AssistantMessage
from toolweft.providers.anthropic.encode import encode
from toolweft.providers.anthropic.said import list_messages, read_messages

ASK = {"role": "user", "content": "Hello."}
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
kinds = st.sampled_from(["text", "thinking", "tool_use", "server_tool_use", "unheard_of"])
fields = st.dictionaries(
    st.sampled_from(["text", "thinking", "signature", "id", "name", "caller", "extra"]),
    values,
    max_size=4,
)
blocks = st.builds(lambda kind, more: {"type": kind, "input": {}, **more}, kinds, fields)


@given(st.lists(blocks, min_size=1, max_size=4))
def test_whatever_the_model_said_goes_back_byte_for_byte(content: list[dict[str, Any]]) -> None:
    before = json.dumps(content)
    given_messages = [ASK, {"role": "assistant", "content": content}]
    messages = list_messages(read_messages(given_messages, platform="anthropic", now=NOW))
    body = encode(ask(*messages, container_id="container_01"), NATIVE)

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
