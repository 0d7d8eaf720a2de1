"""The body of a response as a reply of ours.

Items of a type that is not known here are kept, echoed, and otherwise passed over.
"""

from collections.abc import Iterable
from typing import Final

from toolweft.core.calls import DIRECT, Caller
from toolweft.core.errors import ProviderError
from toolweft.core.ids import RunId
from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    ModelCall,
    ModelReply,
    RawItems,
    StopReason,
)
from toolweft.providers.openai.target import API, Platform
from toolweft.providers.openai_wire import build_error, decode_usage, parse_arguments

__all__ = ("DEFAULT_SEARCH_NAME", "decode")

# What a search by the model is called where the request named no tool for it.
DEFAULT_SEARCH_NAME: Final = "search_tools"


def decode(
    body: JsonObject,
    *,
    platform: Platform = "openai",
    search_name: str = DEFAULT_SEARCH_NAME,
    request_id: str = "",
) -> ModelReply:
    """What a response says.

    Args:
        body: as parsed.
        platform: who gave it; its items go back to nobody else.
        search_name: the tool that the model's own form of a search stands for.
        request_id: from the answer's headers; the response's own id where empty.

    Raises:
        ProviderError: the response failed, or is none.
    """
    if body.get("status") == "failed" or body.get("error"):
        raise build_error(body.get("error") or {}, status=None)
    output = body.get("output")
    if not isinstance(output, list) or not all(isinstance(item, dict) for item in output):
        raise ProviderError("the answer is no response: it has no list of output items")
    calls = tuple(_decode_calls(output, search_name))
    refusal = _join_content(output, "refusal")
    stop, detail = _decide_stop(body, calls, refusal)
    return ModelReply(
        message=AssistantMessage(
            text=_decode_text(output),
            calls=calls,
            raw=RawItems(api=API, platform=platform, items=tuple(output)),
        ),
        stop=stop,
        usage=decode_usage(body.get("usage"), read="input", written="output"),
        model=str(body.get("model") or ""),
        detail=detail,
        request_id=request_id or str(body.get("id") or ""),
    )


def _decode_calls(output: Iterable[JsonObject], search_name: str) -> Iterable[ModelCall]:
    for item in output:
        kind = item.get("type")
        if kind == "function_call":
            arguments, fault = parse_arguments(item.get("arguments"))
            yield ModelCall(
                id=str(item.get("call_id") or ""),
                name=str(item.get("name") or ""),
                arguments=arguments,
                fault=fault,
                caller=_decode_caller(item.get("caller")),
            )
        elif kind == "tool_search_call" and item.get("execution") == "client":
            arguments, fault = parse_arguments(item.get("arguments"))
            yield ModelCall(
                id=str(item.get("call_id") or ""),
                name=search_name,
                arguments=arguments,
                fault=fault,
            )


def _decode_caller(caller: Json) -> Caller:
    # Responses from before there were programs have none.
    if not isinstance(caller, dict) or caller.get("type") != "program":
        return DIRECT
    return Caller(type="programmatic", program_id=RunId(str(caller.get("caller_id") or "")))


def _decode_text(output: Iterable[JsonObject]) -> str:
    messages = [item for item in output if item.get("type") == "message"]
    # What it said on the way is no part of the answer, once there is one.
    final = [item for item in messages if item.get("phase") == "final_answer"]
    texts = (_join_content([item], "output_text") for item in final or messages)
    return "\n\n".join(text for text in texts if text)


def _join_content(output: Iterable[JsonObject], kind: str) -> str:
    """The text of every content part of one kind; its text stands under another name in each."""
    key = "text" if kind == "output_text" else kind
    return "".join(
        str(part.get(key) or "")
        for item in output
        if item.get("type") == "message"
        for part in _list(item.get("content"))
        if isinstance(part, dict) and part.get("type") == kind
    )


def _decide_stop(
    body: JsonObject, calls: tuple[ModelCall, ...], refusal: str
) -> tuple[StopReason, str]:
    status = body.get("status") or "completed"
    if status == "incomplete":
        details = body.get("incomplete_details")
        reason = str(details.get("reason") or "") if isinstance(details, dict) else ""
        stops: dict[str, StopReason] = {
            "max_output_tokens": "max_tokens",
            "content_filter": "refusal",
        }
        return stops.get(reason, "incomplete"), refusal or reason
    if status != "completed":
        return "incomplete", str(status)
    if any(call.caller.type == "programmatic" for call in calls):
        return "awaiting_program", ""
    if calls:
        return "tool_use", ""
    return ("refusal", refusal) if refusal else ("end_turn", "")


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
