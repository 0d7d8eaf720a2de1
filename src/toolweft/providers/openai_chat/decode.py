"""The body of a chat completion as a reply of ours.

A call is what stands in `tool_calls`. Text that only looks like one stays text: it may have come
out of a document, and nothing is called because a document says so.
"""

from collections.abc import Iterable
from typing import Final

from toolweft.core.errors import ProviderError
from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    ModelCall,
    ModelReply,
    RawItems,
    StopReason,
)
from toolweft.providers.openai_chat.target import API
from toolweft.providers.openai_wire import build_error, decode_usage, error_of_body, parse_arguments

__all__ = ("decode",)

_STOPS: Final[dict[str, StopReason]] = {
    "stop": "end_turn",
    "eos": "end_turn",
    "tool_calls": "end_turn",
    "function_call": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
}


def decode(body: JsonObject, *, platform: str, request_id: str = "") -> ModelReply:
    """What a completion says; its first choice where there are several.

    Args:
        body: as parsed.
        platform: who gave it; its message goes back to nobody else.
        request_id: from the answer's headers; the completion's own id where empty.

    Raises:
        ProviderError: the server tells of an error, or the answer is no completion.
    """
    choice = _first_choice(body)
    completion_id = str(body.get("id") or "")
    message = _give_ids({"role": "assistant", **choice["message"]}, completion_id)
    calls = tuple(_decode_calls(message.get("tool_calls") or ()))
    refusal = message.get("refusal")
    stop, detail = _decide_stop(choice, calls, refusal if isinstance(refusal, str) else "")
    return ModelReply(
        message=AssistantMessage(
            text=_decode_text(message.get("content")),
            calls=calls,
            raw=RawItems(api=API, platform=platform, items=(message,)),
        ),
        stop=stop,
        usage=decode_usage(body.get("usage"), read="prompt", written="completion"),
        model=str(body.get("model") or ""),
        detail=detail,
        request_id=request_id or completion_id,
    )


def _first_choice(body: JsonObject) -> JsonObject:
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    error = error_of_body(body) or error_of_body(choice)
    if error:
        raise build_error(error, status=None)
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise ProviderError("the answer is no completion: it has no choice with a message")
    return choice


def _give_ids(message: JsonObject, completion_id: str) -> JsonObject:
    """The message with an id on every call, no two alike: some servers give none.

    A result goes back under its call's id, so the message has to hold the same.
    """
    calls = message.get("tool_calls")
    if not calls:
        return message
    if not isinstance(calls, list) or not all(map(_is_call, calls)):
        raise ProviderError("the answer's tool_calls are no list of functions with names")
    given: set[str] = set()
    named: list[JsonObject] = []
    for index, call in enumerate(calls):
        call_id = call.get("id")
        if not isinstance(call_id, str) or not call_id or call_id in given:
            call_id = f"call_{completion_id}_{index}"
        given.add(call_id)
        named.append(call if call.get("id") == call_id else {**call, "id": call_id})
    return message if named == calls else {**message, "tool_calls": named}


def _is_call(call: Json) -> bool:
    function = call.get("function") if isinstance(call, dict) else None
    return isinstance(function, dict) and isinstance(function.get("name"), str)


def _decode_calls(calls: Iterable[JsonObject]) -> Iterable[ModelCall]:
    for call in calls:
        function = call["function"]
        arguments, fault = parse_arguments(function.get("arguments"))
        yield ModelCall(id=call["id"], name=function["name"], arguments=arguments, fault=fault)


def _decode_text(content: Json) -> str:
    if isinstance(content, str):
        return content
    parts = content if isinstance(content, list) else ()
    return "".join(
        str(part.get("text") or "")
        for part in parts
        if isinstance(part, dict) and part.get("type") == "text"
    )


def _decide_stop(
    choice: JsonObject, calls: tuple[ModelCall, ...], refusal: str
) -> tuple[StopReason, str]:
    reason = str(choice.get("finish_reason") or "")
    stop = _STOPS.get(reason, "incomplete")
    if stop == "refusal":
        return stop, refusal or reason
    if stop == "end_turn" and calls:
        # Servers disagree on what they say beside calls, so the calls decide.
        return "tool_use", ""
    if stop == "end_turn" and refusal:
        return "refusal", refusal
    return stop, "" if stop == "end_turn" else reason
