"""A response of the Responses API as the events of a stream."""

import json
from collections.abc import Iterator
from typing import Final

from toolweft.core.json import JsonObject

__all__ = ("render_error", "render_events")

_PIECE_CHARACTERS: Final = 7
_ENDS: Final = {"incomplete": "response.incomplete", "failed": "response.failed"}


def render_events(response: JsonObject) -> Iterator[str]:
    """Every event as it stands on the wire, numbered from 0."""
    for number, event in enumerate(_list_events(response)):
        data = json.dumps({**event, "sequence_number": number}, ensure_ascii=False)
        yield f"event: {event['type']}\ndata: {data}\n\n"


def render_error(error: JsonObject) -> str:
    """An error among events, as it stands on the wire."""
    data = json.dumps({"type": "error", **error}, ensure_ascii=False)
    return f"event: error\ndata: {data}\n\n"


def _list_events(response: JsonObject) -> Iterator[JsonObject]:
    begun = {**response, "status": "in_progress", "output": [], "usage": None, "error": None}
    begun["incomplete_details"] = None
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for index, item in enumerate(response["output"]):
        yield from _list_item_events(item, index)
    yield {
        "type": _ENDS.get(response["status"], "response.completed"),
        "response": response,
    }


def _list_item_events(item: JsonObject, index: int) -> Iterator[JsonObject]:
    place: JsonObject = {"output_index": index, "item_id": item["id"]}
    kind = item["type"]
    begun = {**item, "status": "in_progress"}
    inner: Iterator[JsonObject] = iter(())
    if kind == "message":
        begun["content"] = []
        inner = _list_message_events(item, place)
    elif kind == "function_call":
        begun["arguments"] = ""
        inner = _list_argument_events(item, place)
    elif kind == "reasoning":
        # Not yet complete; whoever echoes this one is refused.
        begun["encrypted_content"] = item["encrypted_content"][:4]
    yield {"type": "response.output_item.added", "output_index": index, "item": begun}
    yield from inner
    yield {"type": "response.output_item.done", "output_index": index, "item": item}


def _list_message_events(item: JsonObject, place: JsonObject) -> Iterator[JsonObject]:
    for number, part in enumerate(item["content"]):
        spot = {**place, "content_index": number}
        name, key = ("refusal", "refusal") if part["type"] == "refusal" else ("output_text", "text")
        more: JsonObject = {"logprobs": []} if name == "output_text" else {}
        yield {"type": "response.content_part.added", **spot, "part": {**part, key: ""}}
        for piece in _split(part[key]):
            yield {"type": f"response.{name}.delta", **spot, **more, "delta": piece}
        yield {"type": f"response.{name}.done", **spot, **more, key: part[key]}
        yield {"type": "response.content_part.done", **spot, "part": part}


def _list_argument_events(item: JsonObject, place: JsonObject) -> Iterator[JsonObject]:
    for piece in _split(item["arguments"]):
        yield {"type": "response.function_call_arguments.delta", **place, "delta": piece}
    yield {
        "type": "response.function_call_arguments.done",
        **place,
        "name": item["name"],
        "arguments": item["arguments"],
    }


def _split(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE_CHARACTERS):
        yield text[start : start + _PIECE_CHARACTERS]
