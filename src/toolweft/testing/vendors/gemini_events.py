"""Answers of Google's APIs as the events of a stream."""

import json
from collections.abc import Iterator
from typing import Final

from toolweft.core.json import JsonObject

__all__ = ("render_event", "render_generate", "render_interaction")

_PIECE_CHARACTERS: Final = 7


def render_event(event: JsonObject) -> str:
    """One event as it stands on the wire; those of Interactions have a name."""
    name = f"event: {event['event_type']}\n" if "event_type" in event else ""
    return f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n"


def render_generate(body: JsonObject) -> Iterator[str]:
    """An answer of generateContent: each piece an answer of its own, counts and reason last."""
    told: JsonObject = {key: body[key] for key in ("responseId", "modelVersion") if key in body}
    candidates = body.get("candidates") or ()
    for candidate in candidates:
        for part in (candidate.get("content") or {}).get("parts") or ():
            for piece in _split_part(part):
                content = {"role": "model", "parts": [piece]}
                yield render_event({**told, "candidates": [{"index": 0, "content": content}]})
    last = {key: value for key, value in body.items() if key != "candidates"}
    if candidates:
        ending = {key: value for key, value in candidates[0].items() if key != "content"}
        # As seen at the vendor's: the last piece holds an empty text.
        content = {"role": "model", "parts": [{"text": ""}]}
        last["candidates"] = [{**ending, "content": content}]
    yield render_event(last)


def render_interaction(body: JsonObject) -> Iterator[str]:
    """An answer of Interactions: every step told by itself, the status and counts last."""
    told = {key: value for key, value in body.items() if key not in {"steps", "usage"}}
    created = {**told, "status": "in_progress"}
    yield render_event({"event_type": "interaction.created", "interaction": created})
    for index, step in enumerate(body.get("steps") or ()):
        start, deltas = _split_step(step)
        yield render_event({"event_type": "step.start", "index": index, "step": start})
        for delta in deltas:
            yield render_event({"event_type": "step.delta", "index": index, "delta": delta})
        yield render_event({"event_type": "step.stop", "index": index})
    ended = {key: value for key, value in body.items() if key != "steps"}
    yield render_event({"event_type": "interaction.completed", "interaction": ended})
    yield "event: done\ndata: [DONE]\n\n"


def _split_part(part: JsonObject) -> Iterator[JsonObject]:
    if "text" not in part:
        yield part
        return
    rest = {key: value for key, value in part.items() if key not in {"text", "thoughtSignature"}}
    for text in _split(part["text"]):
        yield {"text": text, **rest}
    if "thoughtSignature" in part:
        # Comes after the text that it signs.
        yield {"text": "", "thoughtSignature": part["thoughtSignature"]}


def _split_step(step: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    """What a step begins with, and what is added to it."""
    kind = step["type"]
    if kind == "model_output":
        deltas = [
            {"type": "text", "text": piece}
            for item in step["content"]
            for piece in _split(item["text"])
        ]
        return {"type": kind}, deltas
    if kind == "thought":
        deltas = [
            {"type": "thought_summary", "content": item} for item in step.get("summary") or ()
        ]
        if "signature" in step:
            deltas.append({"type": "thought_signature", "signature": step["signature"]})
        return {"type": kind}, deltas
    if kind == "function_call":
        given = step["arguments"]
        text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
        deltas = [{"type": "arguments_delta", "arguments": piece} for piece in _split(text)]
        return {**step, "arguments": {}}, deltas
    if kind == "tool_search_call":
        told = {key: value for key, value in step.items() if key != "id"}
        return {"type": kind, "id": step["id"], "arguments": {}}, [told]
    # Other steps come whole.
    return step, []


def _split(text: str) -> list[str]:
    return [text[i : i + _PIECE_CHARACTERS] for i in range(0, len(text), _PIECE_CHARACTERS)]
