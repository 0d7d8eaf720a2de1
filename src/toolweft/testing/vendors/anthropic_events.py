"""A message of the Messages API as the events of a stream."""

import json
from collections.abc import Iterator
from typing import Final

from toolweft.core.json import Json, JsonObject

__all__ = ("render_event", "render_events")

_PIECE_CHARACTERS: Final = 7


def render_events(message: JsonObject) -> Iterator[str]:
    """Every event as it stands on the wire."""
    yield from map(render_event, _list_events(message))


def render_event(event: JsonObject) -> str:
    """One event as it stands on the wire."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n"


def _list_events(message: JsonObject) -> Iterator[JsonObject]:
    begun = {**message, "content": [], "stop_reason": None, "stop_details": None}
    begun["usage"] = {**message["usage"], "output_tokens": 1}
    # Told at the end.
    begun.pop("container", None)
    begun["usage"].pop("output_tokens_details", None)
    yield {"type": "message_start", "message": begun}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        start, deltas = _split_block(block)
        yield {"type": "content_block_start", "index": index, "content_block": start}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    told = ("stop_reason", "stop_sequence", "stop_details", "container")
    yield {
        "type": "message_delta",
        "delta": {key: message[key] for key in told if key in message},
        "usage": {
            key: value for key, value in message["usage"].items() if key.startswith("output_")
        },
    }
    yield {"type": "message_stop"}


def _split_block(block: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    """What a block begins with, and what is added to it."""
    kind = block["type"]
    if kind == "text":
        deltas = [{"type": "text_delta", "text": piece} for piece in _split(block["text"])]
        return {**block, "text": ""}, deltas
    if kind == "thinking":
        pieces = _split(block["thinking"])
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
        return {**block, "thinking": "", "signature": ""}, deltas
    if kind in {"tool_use", "server_tool_use"}:
        text = _render_input(block["input"])
        pieces = ["", *_split(text)]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        return {**block, "input": {}}, deltas
    # Results of what the vendor runs come whole.
    return block, []


def _render_input(value: Json) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False) if value else ""


def _split(text: str) -> list[str]:
    return [text[i : i + _PIECE_CHARACTERS] for i in range(0, len(text), _PIECE_CHARACTERS)]
