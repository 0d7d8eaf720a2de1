"""A reply of the Messages API as the project's own.

Pure functions. Unknown kinds of items are kept for the echo and otherwise ignored.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from toolweft.core.calls import DIRECT, Caller
from toolweft.core.errors import ProviderError
from toolweft.core.ids import ContainerId, RunId
from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelCall,
    ModelReply,
    RawItems,
    StopReason,
)
from toolweft.core.models import TokenUsage
from toolweft.core.programs import Container
from toolweft.providers.anthropic.target import API, Platform
from toolweft.providers.reading import read_arguments, read_count

__all__ = ("decode",)

_STOPS: Final[dict[str, StopReason]] = {
    "end_turn": "end_turn",
    "tool_use": "tool_use",
    "pause_turn": "pause_turn",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "refusal": "refusal",
    "model_context_window_exceeded": "context_window_exceeded",
}
# What the vendor keeps an idle container for at least; assumed where it tells no time.
_CONTAINER_LIFE: Final = timedelta(seconds=270)
# How the vendor's names for its programs begin.
_PROGRAM_CALLER: Final = "code_execution"
# Under which a model's text that is no object goes back to it, as the vendor asks for.
_INVALID: Final = "INVALID_JSON"


def decode(
    body: JsonObject,
    *,
    platform: Platform,
    now: datetime,
    request_id: str = "",
    history: Sequence[Message] = (),
) -> ModelReply:
    """A whole reply.

    Args:
        body: as it came, or as it was put together from a stream, where the input of a call that
            is no JSON object is its text.
        platform: where it came from.
        now: for the container, of which the vendor tells the end alone.
        request_id: the vendor's name for the exchange.
        history: the messages of the request; calls of one program are counted on through them.

    Raises:
        ProviderError: it is not a message at all.
    """
    content = body.get("content")
    if not isinstance(content, list) or not all(isinstance(block, dict) for block in content):
        raise ProviderError(f"the answer is no message: its content is {content!r:.80}")
    programs = set(_find_programs(content, history))
    calls = _read_calls(content, history, programs)
    stop, detail = _read_stop(body, calls)
    return ModelReply(
        message=AssistantMessage(
            text="".join(_read_text(content)),
            calls=calls,
            raw=RawItems(
                api=API, platform=platform, items=tuple(_make_echo(b, programs) for b in content)
            ),
        ),
        stop=stop,
        usage=_read_usage(body.get("usage")),
        model=str(body.get("model") or ""),
        container=_read_container(
            body.get("container"), now=now, is_busy=stop == "awaiting_program"
        ),
        detail=detail,
        request_id=request_id,
    )


def _read_text(content: Iterable[JsonObject]) -> Iterable[str]:
    for block in content:
        if block.get("type") == "text" and isinstance(block.get("text"), str):
            yield block["text"]


def _read_calls(
    content: Iterable[JsonObject], history: Sequence[Message], programs: set[str]
) -> tuple[ModelCall, ...]:
    counted = Counter(
        call.caller.program_id
        for message in history
        if isinstance(message, AssistantMessage)
        for call in message.calls
    )
    calls = []
    for block in content:
        # What the vendor runs itself (`server_tool_use`) is never ours to answer.
        if block.get("type") != "tool_use":
            continue
        arguments, fault = read_arguments(block.get("input"))
        caller = _read_caller(block.get("caller"), programs)
        if caller is None:
            # Nobody knows who calls, so that nobody can say whether they may.
            caller, arguments = DIRECT, None
            fault = f"its caller is {block['caller']!r:.80}, which names no program that runs"
        elif caller.program_id is not None:
            counted[caller.program_id] += 1
            caller = replace(caller, call_index=counted[caller.program_id])
        calls.append(
            ModelCall(
                id=str(block.get("id") or ""),
                name=str(block.get("name") or ""),
                arguments=arguments,
                fault=fault,
                caller=caller,
            )
        )
    return tuple(calls)


def _find_programs(content: Iterable[JsonObject], history: Sequence[Message]) -> Iterable[str]:
    """Ids of what the vendor ran itself, in the reply and in those before."""
    for message in history:
        if isinstance(message, AssistantMessage) and message.raw and message.raw.api == API:
            yield from _find_programs(message.raw.items, ())
    for block in content:
        if block.get("type") == "server_tool_use" and isinstance(block.get("id"), str):
            yield block["id"]


def _read_caller(caller: Json, programs: set[str]) -> Caller | None:
    """Direct where nothing is told, as by older versions; None where it cannot be understood.

    Any other type is a program: one of the vendor's names for them, or a new one of a program that
    is known.
    """
    if caller is None:
        return DIRECT
    kind, program_id = (
        (caller.get("type"), caller.get("tool_id")) if isinstance(caller, dict) else (caller, None)
    )
    if kind is None or kind == "direct":
        return DIRECT
    if not isinstance(kind, str) or not isinstance(program_id, str) or not program_id:
        return None
    if not kind.startswith(_PROGRAM_CALLER) and program_id not in programs:
        return None
    return Caller(type="programmatic", program_id=RunId(program_id))


def _make_echo(block: JsonObject, programs: set[str]) -> JsonObject:
    """The block as it goes back: as it came, but for what the vendor refuses.

    A call's input has to be an object, and a caller one that it has.
    """
    kind, echo = block.get("type"), block
    if kind in {"tool_use", "server_tool_use"} and not isinstance(block.get("input"), dict):
        echo = {**echo, "input": {_INVALID: block.get("input")}}
    caller = block.get("caller")
    is_typed = isinstance(caller, dict) and caller.get("type") is not None
    is_read = is_typed and _read_caller(caller, programs) is not None
    if kind == "tool_use" and "caller" in block and not is_read:
        echo = {key: value for key, value in echo.items() if key != "caller"}
    return echo


def _read_stop(body: JsonObject, calls: Sequence[ModelCall]) -> tuple[StopReason, str]:
    given = body.get("stop_reason")
    stop = _STOPS.get(given) if isinstance(given, str) else None
    if stop is None:
        return "incomplete", f"stop_reason {given!r:.80}"
    if stop == "tool_use" and any(call.caller.type == "programmatic" for call in calls):
        return "awaiting_program", ""
    details = body.get("stop_details")
    if stop == "refusal" and isinstance(details, dict):
        told = (details.get("category"), details.get("explanation"))
        return stop, ": ".join(str(part) for part in told if part)
    if stop == "stop_sequence":
        return stop, str(body.get("stop_sequence") or "")
    return stop, ""


def _read_usage(usage: Json) -> TokenUsage:
    if not isinstance(usage, dict):
        return TokenUsage()
    return TokenUsage(
        input_tokens=read_count(usage, "input_tokens"),
        cache_read_tokens=read_count(usage, "cache_read_input_tokens"),
        cache_write_tokens=read_count(usage, "cache_creation_input_tokens"),
        output_tokens=read_count(usage, "output_tokens"),
        reasoning_tokens=read_count(usage.get("output_tokens_details"), "thinking_tokens"),
    )


def _read_container(container: Json, *, now: datetime, is_busy: bool) -> Container | None:
    if not isinstance(container, dict) or not isinstance(container.get("id"), str):
        return None
    return Container(
        id=ContainerId(container["id"]),
        expires_at=_read_time(container.get("expires_at")) or now + _CONTAINER_LIFE,
        last_active_at=now,
        status="busy" if is_busy else "idle",
        backend=API,
    )


def _read_time(value: Json) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    # A time without a zone cannot be compared with ours.
    return time if time.tzinfo is not None else None
