"""Bodies and replies as they were written down, encoded, decoded and streamed."""

import json
from dataclasses import asdict
from pathlib import Path

import pytest
from tests.providers.openai.cases import PROGRAM, REASONING, REQUESTS

from toolweft.core.json import JsonObject
from toolweft.core.messages import ModelReply
from toolweft.providers.openai import StreamFold, decode, encode
from toolweft.testing.vendors.openai import OpenAIServer
from toolweft.testing.vendors.openai_events import render_events

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
        if call.fault:
            told["fault"] = call.fault
        if call.caller.type == "programmatic":
            told["program"] = call.caller.program_id
        calls.append(told)
    usage = {key: value for key, value in asdict(reply.usage).items() if value}
    return {
        "text": reply.message.text,
        "calls": calls,
        "stop": reply.stop,
        "detail": reply.detail,
        "usage": usage,
        "model": reply.model,
        "request_id": reply.request_id,
    }


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_a_request_is_encoded_as_written_down(name: str) -> None:
    request, target = REQUESTS[name]
    body = encode(request, target)
    key = body.pop("prompt_cache_key")

    assert len(key) == 32
    assert body == load("requests", name)


@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_a_request_as_written_down_breaks_no_rule(name: str) -> None:
    server = OpenAIServer([])
    server.issue(REASONING)
    server.issue(PROGRAM)

    server.check(load("requests", name))


def test_every_golden_request_is_tried() -> None:
    written = {path.stem for path in (GOLDEN / "requests").glob("*.json")}

    assert written == set(REQUESTS)


@pytest.mark.parametrize("name", REPLIES)
def test_a_response_is_decoded_as_written_down(name: str) -> None:
    golden = load("replies", name)
    reply = decode(golden["body"])

    assert render(reply) == golden["reply"]


@pytest.mark.parametrize("name", REPLIES)
def test_every_item_of_a_response_is_kept_as_it_came(name: str) -> None:
    body = load("replies", name)["body"]
    raw = decode(body, platform="azure").message.raw

    assert raw is not None
    assert list(raw.items) == body["output"]
    assert (raw.api, raw.platform) == ("openai", "azure")


@pytest.mark.parametrize("name", REPLIES)
def test_a_streamed_response_gives_the_same_reply(name: str) -> None:
    body = load("replies", name)["body"]
    fold = StreamFold(search_name="search_tools")
    for text in render_events(body):
        for _ in fold.add(json.loads(text.partition("data: ")[2])):
            pass

    assert decode(fold.body) == decode(body)
