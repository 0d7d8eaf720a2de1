"""An answer of Interactions as the project's own.

Pure functions. Unknown kinds of steps are kept for the echo and otherwise ignored.
"""

from collections.abc import Iterable, Iterator, Sequence
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
from toolweft.providers.gemini.interactions_encode import API, DEFAULT_SEARCH_NAME
from toolweft.providers.gemini.target import PLATFORM
from toolweft.providers.reading import read_arguments, read_count

__all__ = ("decode",)

_EXPLAINED: Final = {
    "budget_exceeded": "the interaction's budget is used up",
    "cancelled": "the interaction was cancelled",
    "incomplete": "the answer is cut short",
    "requires_continuation": "the answer is longer than one request gives",
}
# Under which arguments that are no object go back, since the vendor takes nothing else.
_INVALID: Final = "INVALID_JSON"
_CALLS: Final = frozenset({"function_call", "tool_search_call"})


def decode(
    body: JsonObject, *, search_name: str = DEFAULT_SEARCH_NAME, model: str = ""
) -> ModelReply:
    """A whole answer.

    Args:
        body: as it came, or as it was put together from a stream, where the arguments of a call
            that are no JSON object are their text.
        search_name: the tool that the model's own form of a search stands for.
        model: what was asked, where the answer does not name it.

    Raises:
        ProviderError: it is no answer at all, or the vendor says that it failed.
    """
    steps = body.get("steps")
    if steps is None and isinstance(body.get("status"), str):
        steps = []
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise ProviderError(f"the answer is no interaction: its steps are {steps!r:.80}")
    # What was asked is ours, and stands in the history already.
    steps = [step for step in steps if step.get("type") != "user_input"]
    calls = tuple(_read_calls(steps, search_name))
    stop, detail = _read_stop(body, steps, has_calls=bool(calls))
    token = body.get("continuation_token")
    return ModelReply(
        message=AssistantMessage(
            text="".join(_read_text(steps)),
            calls=calls,
            raw=RawItems(api=API, platform=PLATFORM, items=tuple(map(_make_echo, steps))),
        ),
        stop=stop,
        usage=_read_usage(body.get("usage")),
        model=str(body.get("model") or model),
        detail=detail,
        request_id=str(body.get("id") or ""),
        extra={"continuation_token": token} if isinstance(token, str) else {},
    )


def _read_text(steps: Iterable[JsonObject]) -> Iterator[str]:
    for step in steps:
        content = step.get("content") if step.get("type") == "model_output" else None
        for piece in content if isinstance(content, list) else ():
            is_text = isinstance(piece, dict) and piece.get("type") == "text"
            if is_text and isinstance(piece.get("text"), str):
                yield piece["text"]


def _read_calls(steps: Sequence[JsonObject], search_name: str) -> Iterator[ModelCall]:
    # Searches that the vendor ran itself: their results stand in the same answer.
    answered = {step.get("call_id") for step in steps if step.get("type") == "tool_search_result"}
    for step in steps:
        if step.get("type") not in _CALLS or step.get("id") in answered:
            continue
        is_search = step["type"] == "tool_search_call"
        arguments, fault = _read_arguments(step.get("arguments"))
        yield ModelCall(
            id=str(step.get("id") or ""),
            name=search_name if is_search else str(step.get("name") or ""),
            arguments=arguments,
            fault=fault,
        )


def _read_arguments(given: Json) -> tuple[JsonObject | None, str]:
    return read_arguments({} if given is None else given)


def _make_echo(step: JsonObject) -> JsonObject:
    """The step as it goes back: as it came, but a call's arguments have to be an object."""
    if step.get("type") not in _CALLS or isinstance(step.get("arguments", {}), dict):
        return step
    return {**step, "arguments": {_INVALID: step["arguments"]}}


def _read_stop(
    body: JsonObject, steps: Sequence[JsonObject], *, has_calls: bool
) -> tuple[StopReason, str]:
    status = str(body.get("status") or "")
    if status == "failed":
        raise ProviderError(f"the interaction failed: {_find_reason(steps)}")
    if status in {"completed", "requires_action"}:
        return ("tool_use" if has_calls else "end_turn"), ""
    told = (f"status {status or 'not told'}", _EXPLAINED.get(status))
    return "incomplete", ": ".join(part for part in told if part)


def _find_reason(steps: Sequence[JsonObject]) -> str:
    for step in reversed(steps):
        error = step.get("error")
        if isinstance(error, dict):
            return f"{error.get('message') or 'no reason given'}"[:500]
    return "no reason given"


def _read_usage(usage: Json) -> TokenUsage:
    if not isinstance(usage, dict):
        return TokenUsage()
    cached = read_count(usage, "total_cached_tokens")
    thought = read_count(usage, "total_thought_tokens")
    # The prompt's count holds what was cached, and the answer's does not hold thoughts.
    asked = read_count(usage, "total_input_tokens") + read_count(usage, "total_tool_use_tokens")
    return TokenUsage(
        input_tokens=max(0, asked - cached),
        cache_read_tokens=cached,
        output_tokens=read_count(usage, "total_output_tokens") + thought,
        reasoning_tokens=thought,
    )
