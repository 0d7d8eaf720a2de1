"""What is said between toolweft and a model, in words no vendor owns.

A history is a tuple of messages that only grows: what stands in it is never changed, moved or
dropped, or the vendor's cache is lost and its signatures break. An assistant's message keeps the
vendor's own items beside the neutral ones; they go back untouched to the vendor they came from, and
every other vendor gets what is neutral.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from toolweft.core.calls import DIRECT, Blob, Caller, CallerType, TextContent
from toolweft.core.json import JsonObject, JsonSchema
from toolweft.core.models import DEFAULT_MAX_TOKENS, TokenUsage
from toolweft.core.programs import Container
from toolweft.core.tools import ToolExample

__all__ = (
    "AssistantMessage",
    "CallProposed",
    "Message",
    "ModelCall",
    "ModelEvent",
    "ModelReply",
    "ModelRequest",
    "ModelResult",
    "ModelTool",
    "RawItems",
    "ReplyDone",
    "ResultsMessage",
    "StopReason",
    "TextPrinted",
    "ToolsMessage",
    "UserMessage",
)

StopReason = Literal[
    "end_turn",
    "tool_use",
    # Calls of a program that runs at the vendor and waits for them.
    "awaiting_program",
    # Sent again as it is, the model goes on.
    "pause_turn",
    "max_tokens",
    "stop_sequence",
    "refusal",
    "context_window_exceeded",
    "incomplete",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelTool:
    """A tool as a provider is told of it."""

    # As it stands on the wire: letters, digits, "_" and "-", at most 64.
    name: str
    description: str
    input_schema: JsonSchema
    output_schema: JsonSchema | None = None
    examples: tuple[ToolExample, ...] = ()
    # Known to the vendor from the start and out of the prompt until a message reveals it.
    is_deferred: bool = False
    # Its results reveal deferred tools, so it takes the vendor's own form of a search, where there
    # is one. At most one tool of a request.
    is_search: bool = False
    callers: frozenset[CallerType] = frozenset({"direct"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCall:
    """A model, or a program of it that runs at the vendor, wants a tool used."""

    # The vendor's; its result goes back under it.
    id: str
    name: str
    # None where the text is no JSON object; `fault` says why.
    arguments: JsonObject | None
    fault: str = ""
    # What the wire says; whether that is allowed is decided on the road.
    caller: Caller = DIRECT


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelResult:
    """The answer to one `ModelCall`."""

    call_id: str
    # The tool's name, which some vendors want again.
    name: str
    content: tuple[TextContent | Blob, ...]
    is_error: bool = False
    # Copied from the call.
    caller: Caller = DIRECT
    # Names of deferred tools that this result reveals, best first.
    revealed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RawItems:
    """A vendor's own items of one reply, as parsed and in order, to be echoed as they are."""

    # "anthropic", "openai", "openai_chat", "gemini", "gemini_interactions"
    api: str
    # Signatures hold at one platform only: "anthropic", "bedrock", "azure".
    platform: str
    items: tuple[JsonObject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UserMessage:
    """What the user, or whoever speaks for them, says."""

    content: tuple[TextContent | Blob, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssistantMessage:
    """What a model said and wants done."""

    text: str = ""
    calls: tuple[ModelCall, ...] = ()
    raw: RawItems | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultsMessage:
    """The answers to calls of the message before, all of them, in the order of the calls."""

    results: tuple[ModelResult, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsMessage:
    """From here on the model may use these tools too; the ones at the start stay as they were."""

    tools: tuple[ModelTool, ...]


Message: TypeAlias = UserMessage | AssistantMessage | ResultsMessage | ToolsMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """One turn that a model is to take."""

    system: str = ""
    # In a fixed order, the same in every request of one conversation.
    tools: tuple[ModelTool, ...] = ()
    messages: tuple[Message, ...] = ()
    max_tokens: int = DEFAULT_MAX_TOKENS
    # Sent only when set: some models refuse it.
    temperature: float | None = None
    # A schema the text of the answer has to fit; None for free text.
    output_schema: JsonSchema | None = None
    # A container at the vendor to go on in.
    container_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReply:
    """What came back."""

    message: AssistantMessage
    stop: StopReason
    usage: TokenUsage
    # As the vendor names it, which may be a dated form of what was asked for.
    model: str
    # The vendor's, where a program of the model runs; its status and times as far as told.
    container: Container | None = None
    # What the vendor says of a refusal or of a reply cut short.
    detail: str = ""
    # For questions to the vendor.
    request_id: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TextPrinted:
    """A piece of the answer, as it is written."""

    text: str


@dataclass(frozen=True, slots=True)
class CallProposed:
    """The model has begun to write a call; its arguments are not complete."""

    name: str


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """The last event of a stream that came to its end."""

    reply: ModelReply


ModelEvent: TypeAlias = TextPrinted | CallProposed | ReplyDone
