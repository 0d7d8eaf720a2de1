"""A reply in the vendor's own shape, and the message that answers its calls."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Final, Self, TypeAlias

from toolweft.core.calls import ToolResult
from toolweft.core.clock import Clock, SystemClock
from toolweft.core.errors import InvalidValue
from toolweft.core.json import Json, JsonObject
from toolweft.core.messages import (
    Message,
    ModelCall,
    ModelReply,
    StopReason,
)
from toolweft.core.models import TokenUsage
from toolweft.providers.anthropic.decode import decode
from toolweft.providers.anthropic.views import CallerInfo, ContainerInfo, ToolCall

__all__ = ("CompletionResponse", "Said")

# A message as the vendor writes it, or the project's own.
Said: TypeAlias = JsonObject | Message

# Where the vendor's words are others.
_STOPS: Final[Mapping[StopReason, str]] = {
    "awaiting_program": "tool_use",
    "context_window_exceeded": "model_context_window_exceeded",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletionResponse:
    """What the model answered."""

    text: str = ""
    # In the order in which the model, or its program, made them.
    tool_calls: tuple[ToolCall, ...] = ()
    # In the vendor's words; "incomplete" where it gave none that is known.
    stop_reason: str = "end_turn"
    # Set where a program runs or ran: pass its id on as `container_id`.
    container: ContainerInfo | None = None
    usage: TokenUsage = field(default_factory=TokenUsage)
    # None where nobody knows the prices.
    cost_usd: float | None = None
    model: str = ""
    # The vendor's own blocks, to be echoed as they are.
    raw: tuple[JsonObject, ...] = ()
    # What the vendor says of a refusal or of a reply cut short.
    detail: str = ""
    # For questions to the vendor.
    request_id: str = ""
    # The container that was asked for was gone: the model began again in a fresh one, and knows.
    container_was_lost: bool = False
    # The conversation with this answer at its end; go on by adding to it.
    messages: tuple[Said, ...] = ()

    @property
    def message(self) -> JsonObject:
        """The assistant's message, byte for byte as it came."""
        return {"role": "assistant", "content": list(self.raw)}

    @property
    def awaits_program(self) -> bool:
        """Whether a program at the vendor waits for results."""
        return any(call.caller.is_programmatic for call in self.tool_calls)

    @classmethod
    def from_dict(cls, body: JsonObject, *, clock: Clock | None = None) -> Self:
        """A response of the vendor's, also an old one without `caller` or `container`.

        Raises:
            ProviderError: it is no message.
        """
        clock = SystemClock() if clock is None else clock
        return cls.from_reply(decode(body, platform="anthropic", now=clock.now()), clock=clock)

    @classmethod
    def from_reply(
        cls,
        reply: ModelReply,
        *,
        clock: Clock,
        cost_usd: float | None = None,
        faults: Mapping[str, str] | None = None,
    ) -> Self:
        """The view of a reply that came from the vendor.

        Args:
            reply: as it was decoded.
            clock: for its container.
            cost_usd: of the reply.
            faults: what speaks against calls, by their ids.
        """
        items = reply.message.raw.items if reply.message.raw is not None else ()
        container = reply.container
        return cls(
            text=reply.message.text,
            tool_calls=tuple(_read_calls(reply.message.calls, items, faults or {})),
            stop_reason=_STOPS.get(reply.stop, reply.stop),
            container=None
            if container is None
            else ContainerInfo.from_container(container, clock=clock),
            usage=reply.usage,
            cost_usd=cost_usd,
            model=reply.model,
            raw=items,
            detail=reply.detail,
            request_id=reply.request_id,
        )

    def tool_results(self, results: Mapping[str, Json], *, text: str = "") -> JsonObject:
        """The user's message that answers every call of this response.

        Args:
            results: by the ids of the calls: a text, a JSON value, a `ToolResult`, or an exception
                for a tool that failed. Calls with a `fault` have none: the model is told of it.
            text: what the user says beside them; nothing while a program waits, which takes
                results alone.

        Raises:
            InvalidValue: a call has no result, a result no call, or there is text while a program
                waits.
        """
        _check_answers(self.tool_calls, results)
        if text and self.awaits_program:
            raise InvalidValue(
                f"text is {text!r:.80} beside the results that a program waits for",
                hint="say it after the program is over: until then results stand alone",
            )
        blocks = [
            _encode_result(call.id, InvalidValue(call.fault) if call.fault else results[call.id])
            for call in self.tool_calls
        ]
        if text:
            blocks.append({"type": "text", "text": text})
        return {"role": "user", "content": blocks}

    def to_dict(self) -> dict[str, Json]:
        """The response as plain JSON, without the conversation before it."""
        return {
            "text": self.text,
            "tool_calls": [call.to_dict() for call in self.tool_calls],
            "stop_reason": self.stop_reason,
            "container": self.container and self.container.to_dict(),
            "usage": asdict(self.usage),
            "cost_usd": self.cost_usd,
            "model": self.model,
            "raw": list(self.raw),
            "detail": self.detail,
            "request_id": self.request_id,
            "container_was_lost": self.container_was_lost,
        }


def _read_calls(
    calls: Iterable[ModelCall], items: Iterable[JsonObject], faults: Mapping[str, str]
) -> Iterable[ToolCall]:
    blocks = [item for item in items if item.get("type") == "tool_use"]
    for call, block in zip(calls, blocks, strict=True):
        yield ToolCall(
            id=call.id,
            name=call.name,
            arguments={} if call.arguments is None else call.arguments,
            caller=_read_caller(call, block),
            fault=call.fault or faults.get(call.id, ""),
        )


def _read_caller(call: ModelCall, block: JsonObject) -> CallerInfo:
    if call.caller.type == "direct":
        return CallerInfo()
    return CallerInfo.from_caller(call.caller, spelling=str(block["caller"]["type"]))


def _check_answers(calls: Iterable[ToolCall], results: Mapping[str, Json]) -> None:
    answerable = {call.id: call.fault for call in calls}
    if not answerable:
        raise InvalidValue("the response has no calls", hint="add a message of the user's instead")
    if unknown := [call_id for call_id in results if call_id not in answerable]:
        raise InvalidValue(
            f"results[{unknown[0]!r}] answers no call", hint=f"there are: {', '.join(answerable)}"
        )
    if refused := [call_id for call_id in results if answerable[call_id]]:
        raise InvalidValue(
            f"results[{refused[0]!r}] answers a call that must not be made:"
            f" {answerable[refused[0]]}",
            hint="leave it out; the model is told why",
        )
    missing = [c for c, fault in answerable.items() if not fault and c not in results]
    if missing:
        raise InvalidValue(
            f"results has nothing for the call {missing[0]!r}",
            hint="every call is answered in the same message; an exception says that one failed",
        )


def _encode_result(call_id: str, result: Json) -> JsonObject:
    block: JsonObject = {"type": "tool_result", "tool_use_id": call_id}
    if isinstance(result, Exception):
        return {**block, "content": str(result) or type(result).__name__, "is_error": True}
    if isinstance(result, ToolResult):
        told = result.to_dict()
        if result.is_error or result.failure is not None:
            return {**block, "content": _render(told.get("error", told)), "is_error": True}
        return {**block, "content": _render(told.get("handle") or told["value"])}
    return {**block, "content": _render(result)}


def _render(value: Json) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as exc:
        raise InvalidValue(
            f"a result is {type(value).__name__}, which JSON cannot hold: {exc}",
            hint="give a text, a JSON value, a ToolResult or an exception",
        ) from exc
