"""Output items for scripts of the Responses API's server.

The server fills in what is left out here: ids, and what is opaque to everybody but the vendor.
"""

import json

from toolweft.core.json import Json, JsonObject

__all__ = (
    "function_call",
    "message",
    "program",
    "program_output",
    "reasoning",
    "refusal",
    "tool_search_call",
)


def message(text: str, *, phase: str | None = None) -> JsonObject:
    """A message of the model."""
    part = {"type": "output_text", "text": text, "annotations": []}
    item: JsonObject = {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [part],
    }
    return item if phase is None else {**item, "phase": phase}


def refusal(text: str) -> JsonObject:
    """A message in which the model declines."""
    return {
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "refusal", "refusal": text}],
    }


def reasoning() -> JsonObject:
    """Thoughts, which nobody but the vendor can read."""
    return {"type": "reasoning", "summary": []}


def function_call(
    name: str,
    arguments: Json,
    *,
    call_id: str,
    namespace: str | None = None,
    program: str | None = None,
) -> JsonObject:
    """A call of a function.

    Args:
        name: of the tool.
        arguments: an object, or a text that goes out as it is.
        call_id: of the call.
        namespace: of a tool that was deferred; its own name for a flat one.
        program: the program's `call_id` where a program calls.
    """
    item: JsonObject = {
        "type": "function_call",
        "status": "completed",
        "call_id": call_id,
        "name": name,
        "arguments": arguments if isinstance(arguments, str) else json.dumps(arguments),
        "caller": {"type": "direct"},
    }
    if namespace is not None:
        item["namespace"] = namespace
    if program is not None:
        item["caller"] = {"type": "program", "caller_id": program}
    return item


def tool_search_call(arguments: JsonObject, *, call_id: str) -> JsonObject:
    """A search that the client executes."""
    return {
        "type": "tool_search_call",
        "execution": "client",
        "status": "completed",
        "call_id": call_id,
        "arguments": arguments,
    }


def program(code: str, *, call_id: str) -> JsonObject:
    """A program of the model."""
    return {"type": "program", "call_id": call_id, "code": code}


def program_output(result: str, *, call_id: str) -> JsonObject:
    """What a program ended with."""
    return {
        "type": "program_output",
        "call_id": call_id,
        "result": result,
        "status": "completed",
    }
