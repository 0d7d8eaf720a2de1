"""Bodies and replies as they were written down, encoded, decoded and streamed."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.providers.openai_chat.cases import REQUESTS

from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelReply
from toolweft.providers.openai_chat import StreamFold, decode, encode
from toolweft.testing.vendors.openai_chat import OpenAIChatServer, render_chunks

GOLDEN = Path(__file__).parent / "golden"
REPLIES = sorted(path.stem for path in (GOLDEN / "replies").glob("*.json"))


def load(kind: str, name: str) -> JsonObject:
    loaded: JsonObject = json.loads((GOLDEN / kind / f"{name}.json").read_text("utf-8"))
    return loaded


def render(reply: ModelReply) -> JsonObject:
    """What a reply says, without what is the same for all, and without the raw items."""
    calls = []
    for call in reply.message.calls:
        told = {"id": call.id, "name": call.name, "arguments": call.arguments}
        calls.append({**told, "fault": call.fault} if call.fault else told)
    return {
        "text": reply.message.text,
        "calls": calls,
        "stop": reply.stop,
        "detail": reply.detail,
        "usage": {key: value for key, value in asdict(reply.usage).items() if value},
        "model": reply.model,
        "request_id": reply.request_id,
    }


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_a_request_is_encoded_as_written_down(name: str) -> None:
    request, target = REQUESTS[name]

    assert encode(request, target) == load("requests", name)


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_a_request_as_written_down_breaks_no_rule(name: str) -> None:
    OpenAIChatServer([]).check(load("requests", name))


def test_every_golden_request_is_tried() -> None:
    written = {path.stem for path in (GOLDEN / "requests").glob("*.json")}

    assert written == set(REQUESTS)


@pytest.mark.parametrize("name", REPLIES)
def test_a_completion_is_decoded_as_written_down(name: str) -> None:
    golden = load("replies", name)

    assert render(decode(golden["body"], platform="ollama")) == golden["reply"]


@pytest.mark.parametrize("name", REPLIES)
def test_a_streamed_completion_gives_the_same_reply(name: str) -> None:
    body = load("replies", name)["body"]
    fold = StreamFold()
    for text in render_chunks(body, has_usage=True):
        data = text.removeprefix("data: ").strip()
        if data != "[DONE]":
            list(fold.add(json.loads(data)))

    assert decode(fold.body, platform="ollama") == decode(body, platform="ollama")
