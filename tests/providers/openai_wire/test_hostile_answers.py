"""Whatever a server sends, a reply or a `ProviderError` comes of it, and nothing else."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.errors import ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import ModelRequest
from toolweft.core.providers import ModelCapabilities
from toolweft.providers import openai, openai_chat

TARGET = openai.Target(model="m", platform="openai", capabilities=ModelCapabilities())
CHAT_TARGET = openai_chat.Target(model="m", platform="p", capabilities=ModelCapabilities())

KEYS = st.sampled_from(
    [
        "arguments",
        "call_id",
        "caller",
        "caller_id",
        "choices",
        "code",
        "content",
        "delta",
        "error",
        "execution",
        "finish_reason",
        "function",
        "id",
        "incomplete_details",
        "index",
        "input_tokens",
        "input_tokens_details",
        "item",
        "item_id",
        "message",
        "model",
        "name",
        "output",
        "output_index",
        "phase",
        "prompt_tokens",
        "prompt_tokens_details",
        "reason",
        "refusal",
        "response",
        "role",
        "status",
        "text",
        "tool_calls",
        "type",
        "usage",
    ]
)
WORDS = st.sampled_from(
    [
        "message",
        "function_call",
        "tool_search_call",
        "program",
        "client",
        "output_text",
        "refusal",
        "completed",
        "failed",
        "incomplete",
        "stop",
        "tool_calls",
        "response.completed",
        "response.output_item.done",
        "response.output_item.added",
        "response.output_text.delta",
        "error",
        "{}",
        "[]",
        '{"a":1}',
    ]
)
LEAVES = st.none() | st.booleans() | st.integers(-2, 9) | WORDS | st.text(max_size=3)
ANYTHING = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=25,
)
BODIES = st.dictionaries(KEYS, ANYTHING, max_size=6)
# Shapes that are nearly right reach further.
ITEMS = st.lists(st.dictionaries(KEYS, ANYTHING, max_size=6), max_size=3)
RESPONSES = st.builds(lambda body, items: {**body, "error": None, "output": items}, BODIES, ITEMS)
COMPLETIONS = st.builds(
    lambda body, message: {**body, "error": None, "choices": [{"message": message}]}, BODIES, BODIES
)
CHUNKS = st.builds(
    lambda body, delta: {**body, "error": None, "choices": [{"delta": delta}]}, BODIES, BODIES
)


def only_a_provider_error(work: Callable[[], object]) -> None:
    with suppress(ProviderError):
        work()


@pytest.mark.promise("openai.hostile")
@given(BODIES | RESPONSES)
def test_any_response_is_decoded_or_refused(body: JsonObject) -> None:
    def work() -> None:
        message = openai.decode(body).message
        # What came may be odd, and goes back as it came.
        openai.encode(ModelRequest(messages=(message,)), TARGET)

    only_a_provider_error(work)


@given(BODIES | COMPLETIONS)
def test_any_completion_is_decoded_or_refused(body: JsonObject) -> None:
    def work() -> None:
        message = openai_chat.decode(body, platform="p").message
        openai_chat.encode(ModelRequest(messages=(message,)), CHAT_TARGET)

    only_a_provider_error(work)


@given(st.lists(BODIES, max_size=5))
def test_any_events_are_folded_or_refused(events: list[JsonObject]) -> None:
    fold = openai.StreamFold(search_name="find")

    def work() -> None:
        for event in events:
            list(fold.add(event))
        openai.decode(fold.body)

    only_a_provider_error(work)


@given(st.lists(BODIES | CHUNKS, max_size=5))
def test_any_chunks_are_folded_or_refused(chunks: list[JsonObject]) -> None:
    fold = openai_chat.StreamFold()

    def work() -> None:
        for chunk in chunks:
            list(fold.add(chunk))
        openai_chat.decode(fold.body, platform="p")

    only_a_provider_error(work)


@pytest.mark.parametrize("details", ["many", [1], 3])
def test_odd_counts_count_nothing(details: Json) -> None:
    usage = {"input_tokens": 5, "input_tokens_details": details, "output_tokens_details": details}

    assert openai.decode({"output": [], "usage": usage}).usage.input_tokens == 5
