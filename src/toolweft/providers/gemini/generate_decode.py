"""An answer of generateContent as the project's own.

Pure functions. Unknown kinds of parts are kept for the echo and otherwise ignored.
"""

from collections.abc import Iterable, Sequence
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
from toolweft.core.models import TokenUsage
from toolweft.providers.gemini.generate_encode import API
from toolweft.providers.gemini.target import PLATFORM
from toolweft.providers.reading import read_count

__all__ = ("decode",)

_STOPS: Final[dict[str, StopReason]] = {
    "STOP": "end_turn",
    "MAX_TOKENS": "max_tokens",
    "SAFETY": "refusal",
    "RECITATION": "refusal",
    "LANGUAGE": "refusal",
    "BLOCKLIST": "refusal",
    "PROHIBITED_CONTENT": "refusal",
    "SPII": "refusal",
    "IMAGE_SAFETY": "refusal",
    "IMAGE_PROHIBITED_CONTENT": "refusal",
    "IMAGE_RECITATION": "refusal",
    "ESCALATION": "refusal",
    "MODEL_ARMOR": "refusal",
}
# Why an answer is incomplete, where the vendor's word alone does not say what to do.
_EXPLAINED: Final = {
    "MISSING_THOUGHT_SIGNATURE": "a call of the history came back without the signature it had",
    "MALFORMED_FUNCTION_CALL": "the model wrote a call that cannot be read",
    "UNEXPECTED_TOOL_CALL": "the model called what was not declared",
    "CONTINUATION": "the answer is longer than one request gives",
}
# Under which arguments that are no object go back, since the vendor takes nothing else.
_INVALID: Final = "INVALID_JSON"


def decode(body: JsonObject, *, model: str = "") -> ModelReply:
    """A whole answer.

    Args:
        body: as it came, or as it was put together from a stream.
        model: what was asked, where the answer does not name it.

    Raises:
        ProviderError: it is no answer at all.
    """
    candidate = _find_candidate(body)
    parts = _find_parts(candidate)
    answer_id = str(body.get("responseId") or "")
    calls = _read_calls(parts, answer_id=answer_id)
    stop, detail = _read_stop(body, candidate, has_calls=bool(calls))
    return ModelReply(
        message=AssistantMessage(
            text="".join(_read_text(parts)),
            calls=calls,
            raw=RawItems(api=API, platform=PLATFORM, items=tuple(map(_make_echo, parts))),
        ),
        stop=stop,
        usage=_read_usage(body.get("usageMetadata")),
        model=str(body.get("modelVersion") or model),
        detail=detail,
        request_id=answer_id,
    )


def _find_candidate(body: JsonObject) -> JsonObject:
    candidates = body.get("candidates")
    if isinstance(candidates, list) and candidates and isinstance(candidates[0], dict):
        return candidates[0]
    if isinstance(body.get("promptFeedback"), dict):
        # What was asked was blocked: there is nothing else.
        return {}
    raise ProviderError(f"the answer holds no candidate: {candidates!r:.80}")


def _find_parts(candidate: JsonObject) -> list[JsonObject]:
    content = candidate.get("content")
    parts = content.get("parts") if isinstance(content, dict) else None
    if parts is None:
        return []
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise ProviderError(f"the answer's parts are {parts!r:.80}")
    return parts


def _read_text(parts: Iterable[JsonObject]) -> Iterable[str]:
    for part in parts:
        if isinstance(part.get("text"), str) and not part.get("thought"):
            yield part["text"]


def _read_calls(parts: Sequence[JsonObject], *, answer_id: str) -> tuple[ModelCall, ...]:
    calls = []
    for position, part in enumerate(parts):
        call = part.get("functionCall")
        if not isinstance(call, dict):
            continue
        arguments, fault = _read_arguments(call.get("args"))
        calls.append(
            ModelCall(
                # Older models name none; ours is never sent.
                id=str(call.get("id") or f"call_{answer_id}_{position}"),
                name=str(call.get("name") or ""),
                arguments=arguments,
                fault=fault,
            )
        )
    return tuple(calls)


def _read_arguments(given: Json) -> tuple[JsonObject | None, str]:
    if given is None:
        return {}, ""
    if not isinstance(given, dict):
        return None, f"the arguments are {given!r:.80}, not a JSON object"
    return given, ""


def _make_echo(part: JsonObject) -> JsonObject:
    """The part as it goes back: as it came, but a call's arguments have to be an object."""
    call = part.get("functionCall")
    if not isinstance(call, dict) or isinstance(call.get("args", {}), dict):
        return part
    return {**part, "functionCall": {**call, "args": {_INVALID: call["args"]}}}


def _read_stop(
    body: JsonObject, candidate: JsonObject, *, has_calls: bool
) -> tuple[StopReason, str]:
    if not candidate:
        feedback = body["promptFeedback"]
        told = (feedback.get("blockReason"), feedback.get("blockReasonMessage"))
        return "refusal", ": ".join(str(part) for part in told if part)
    reason = str(candidate.get("finishReason") or "")
    stop = _STOPS.get(reason)
    if stop == "end_turn":
        return ("tool_use" if has_calls else stop), ""
    told = (reason or "no reason told", candidate.get("finishMessage") or _EXPLAINED.get(reason))
    detail = ": ".join(str(part) for part in told if part)
    return (stop or "incomplete"), ("" if stop == "max_tokens" else detail)


def _read_usage(usage: Json) -> TokenUsage:
    if not isinstance(usage, dict):
        return TokenUsage()
    cached = read_count(usage, "cachedContentTokenCount")
    thought = read_count(usage, "thoughtsTokenCount")
    # The prompt's count holds what was cached, and the answer's does not hold thoughts.
    asked = read_count(usage, "promptTokenCount") + read_count(usage, "toolUsePromptTokenCount")
    return TokenUsage(
        input_tokens=max(0, asked - cached),
        cache_read_tokens=cached,
        output_tokens=read_count(usage, "candidatesTokenCount") + thought,
        reasoning_tokens=thought,
    )
