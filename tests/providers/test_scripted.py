"""A model that says what a script holds."""

import json
from pathlib import Path
from typing import Any

import pytest

from toolweft.core.calls import TextContent
from toolweft.core.errors import ConfigError, ProviderError
from toolweft.core.messages import (
    AssistantMessage,
    CallProposed,
    ModelCall,
    ModelReply,
    ModelRequest,
    ReplyDone,
    TextPrinted,
    UserMessage,
)
from toolweft.core.models import TokenUsage
from toolweft.core.providers import ModelCapabilities, Provider
from toolweft.providers.scripted import (
    ScriptedProvider,
    load_transcript,
    parse_transcript,
    render_transcript,
)

ASKED = ModelRequest(messages=(UserMessage(content=(TextContent("Hi."),)),))
CALLS = ModelReply(
    message=AssistantMessage(
        text="I  look ",
        calls=(
            ModelCall(id="c1", name="find", arguments={"q": "x"}),
            ModelCall(id="c2", name="find", arguments=None, fault="no JSON"),
        ),
    ),
    stop="tool_use",
    usage=TokenUsage(input_tokens=3, output_tokens=2),
    model="some-model",
)
DONE = ModelReply(
    message=AssistantMessage(text="Done."), stop="end_turn", usage=TokenUsage(), model="some-model"
)


async def test_replies_come_in_their_order_and_then_no_more() -> None:
    async with ScriptedProvider([CALLS, DONE]) as opened:
        provider: Provider = opened
        assert await provider.complete(ASKED) == CALLS
        assert await provider.complete(ASKED) == DONE
        with pytest.raises(ProviderError, match="at its end: it has 2 replies") as caught:
            await provider.complete(ASKED)

    assert not caught.value.is_retryable
    assert opened.requests == [ASKED, ASKED]


async def test_a_stream_tells_the_same_reply() -> None:
    provider = ScriptedProvider([CALLS])
    events = [event async for event in provider.stream(ASKED)]

    assert events[-1] == ReplyDone(CALLS)
    assert "".join(e.text for e in events if isinstance(e, TextPrinted)) == "I  look "
    assert [e.name for e in events if isinstance(e, CallProposed)] == ["find", "find"]
    with pytest.raises(ProviderError, match="at its end"):
        async for _ in provider.stream(ASKED):
            pass


def test_what_it_is_said_to_be() -> None:
    capabilities = ModelCapabilities(max_tools=3)
    provider = ScriptedProvider([], name="demo:x", capabilities=capabilities)

    assert (provider.name, provider.capabilities, provider.prices) == ("demo:x", capabilities, None)


def test_a_transcript_gives_the_replies_it_was_made_of(tmp_path: Path) -> None:
    path = tmp_path / "talk.json"
    path.write_text(render_transcript([CALLS, DONE]), encoding="utf-8")

    assert load_transcript(path) == (CALLS, DONE)


def test_a_short_transcript_is_filled_up() -> None:
    calls = [{"id": "c1", "name": "find"}]
    called, done = parse_transcript(json.dumps({"replies": [{"calls": calls}, {"text": "Done."}]}))

    assert (called.stop, called.message.calls[0].arguments) == ("tool_use", {})
    assert (done.stop, done.message.text, done.usage) == ("end_turn", "Done.", TokenUsage())


@pytest.mark.parametrize(
    ("reply", "place"),
    [
        ("x", r"\$\.replies\[0\]"),
        ({"txt": "x"}, r"'txt' is none of"),
        ({"text": 1}, r"\$\.replies\[0\]\.text"),
        ({"stop": "tired"}, r"\$\.replies\[0\]\.stop"),
        ({"stop": ["end_turn"]}, r"\$\.replies\[0\]\.stop"),
        ({"calls": {}}, r"\$\.replies\[0\]\.calls"),
        ({"calls": [{"name": "x"}]}, r"calls\[0\]: has no `id`"),
        ({"calls": [{"id": "a", "name": "x", "arguments": None}]}, r"calls\[0\]\.arguments"),
        ({"usage": {"input_tokens": -1}}, r"usage\.input_tokens"),
        ({"usage": {"input_tokens": True}}, r"usage\.input_tokens"),
    ],
)
def test_what_is_wrong_in_a_transcript_is_named(reply: Any, place: str) -> None:
    with pytest.raises(ConfigError, match=place):
        parse_transcript(json.dumps({"replies": [reply]}))


@pytest.mark.parametrize("text", ["", "[]", "{", '{"replies": 1}', '{"reply": []}', "[" * 100_000])
def test_what_is_no_transcript(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_transcript(text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_transcript(tmp_path / "none.json")
