"""What a scripted model of Google says: parts for generateContent, steps for Interactions."""

from toolweft.core.json import Json, JsonObject

__all__ = ("call_part", "call_step", "say_part", "say_step", "search_step", "think_step")


def say_part(text: str) -> JsonObject:
    """Words."""
    return {"text": text}


def call_part(name: str, arguments: Json, *, call_id: str | None = "c1") -> JsonObject:
    """A call; the server signs the first of an answer."""
    call: JsonObject = {"name": name, "args": arguments}
    return {"functionCall": call if call_id is None else {"id": call_id, **call}}


def say_step(text: str) -> JsonObject:
    """Words."""
    return {"type": "model_output", "content": [{"type": "text", "text": text}]}


def think_step(text: str) -> JsonObject:
    """A thought; the server signs it."""
    return {"type": "thought", "summary": [{"type": "text", "text": text}]}


def call_step(name: str, arguments: Json, *, call_id: str = "f1") -> JsonObject:
    """A call."""
    return {"type": "function_call", "id": call_id, "name": name, "arguments": arguments}


def search_step(arguments: Json, *, call_id: str = "t1") -> JsonObject:
    """A search for tools; the server signs it."""
    return {"type": "tool_search_call", "id": call_id, "arguments": arguments}
