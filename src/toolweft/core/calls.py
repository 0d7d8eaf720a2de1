"""One use of a tool and what came back: callers, principals, calls, content, results.

Sources return a `RawResult`; the road of `toolweft.calls` turns it into a `ToolResult`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.countdown import Countdown
from toolweft.core.handles import Handle
from toolweft.core.ids import CallId, RunId
from toolweft.core.json import Json, JsonObject
from toolweft.core.principals import LOCAL, Principal

__all__ = (
    "DIRECT",
    "LOCAL",
    "MISSING",
    "Blob",
    "Caller",
    "CallerType",
    "Content",
    "Failure",
    "LinkContent",
    "Missing",
    "Principal",
    "RawResult",
    "TextContent",
    "ToolCall",
    "ToolResult",
    "Usage",
    "Verbatim",
    "is_shown",
)

CallerType = Literal["direct", "programmatic"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who makes a call: a model or client directly, or a program."""

    type: CallerType
    # Set together for programs; the index counts the calls of one run from 1.
    program_id: RunId | None = None
    call_index: int | None = None

    def to_dict(self) -> dict[str, Json]:
        """The caller as wires print it, under both spellings of its ids."""
        if self.type == "direct":
            return {"type": "direct"}
        return {
            "type": "programmatic",
            "program_id": self.program_id,
            "execution_id": self.program_id,
            "call_index": self.call_index,
            "tool_id": self.program_id,
        }


DIRECT: Final = Caller(type="direct")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verbatim:
    """That a caller speaks MCP itself, and wants the answer of an MCP source as it was sent."""

    # Whether the source's own questions may be the answer (`input_required`); else the call's
    # client is asked.
    takes_questions: bool = False
    # Whether it knows the error -32042, by which 2025-11-25 has an address opened.
    takes_url_errors: bool = False
    # What came back of such an answer, for the next round: the client's own answers, and the
    # state that the source gave.
    input_responses: JsonObject | None = None
    request_state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolCall:
    """One use of a tool, as asked for; nothing in it has been checked."""

    id: CallId
    # As the caller wrote it: "github.list_issues", or a bare or original name.
    tool: str
    arguments: JsonObject
    caller: Caller
    principal: Principal
    # What it has left. Who waits for a person meanwhile does so in `countdown.hold()`: then every
    # clock above stands still too.
    countdown: Countdown
    # Who can be asked meanwhile, and hears of progress.
    client: CallingClient = NOBODY
    # None for callers that want a plain value, as nearly all do.
    verbatim: Verbatim | None = None
    # The program's own line, from 1; None for direct calls.
    line: int | None = None


class Missing:
    """The type of `MISSING`: a result without structured content (None is a real value)."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = Missing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes with a media type: an image, a sound, a binary resource."""

    data: bytes
    media_type: str = "application/octet-stream"


def is_shown(media_type: str) -> bool:
    """Whether models see or hear bytes of this type as they are."""
    return media_type.startswith(("image/", "audio/"))


@dataclass(frozen=True, slots=True)
class TextContent:
    """A piece of text."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkContent:
    """A resource the source offers by address instead of sending it."""

    uri: str
    name: str | None = None
    media_type: str | None = None


Content: TypeAlias = TextContent | Blob | LinkContent


@dataclass(frozen=True, slots=True, kw_only=True)
class RawResult:
    """What a source answered, untouched.

    `structured` wins over `content`; a source that has one plain value gives only `structured`.
    """

    structured: Json | Missing = MISSING
    content: tuple[Content, ...] = ()
    # The tool says that it failed; its text is the reason.
    is_error: bool = False
    # Of a verbatim call to an MCP source: `{"result": …}` or `{"error": …}` as it came, of which
    # all the above was read.
    sent: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """Why a call gave no result, as data the caller can act on."""

    code: str
    message: str
    hint: str | None = None
    retryable: bool = False
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a call cost."""

    bytes_in: int = 0
    bytes_out: int = 0
    duration_ms: float = 0.0
    # Estimated tokens of the result (UTF-8 bytes / 4), whoever received it.
    tokens_out: int = 0


NO_USAGE: Final = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolResult:
    """What came back from a call, after the whole road."""

    call_id: CallId
    # Plain JSON, in which a Blob may stand at the top or as an item of a top-level list.
    value: Json = None
    # `value` as compact JSON (UTF-8) where it holds no Blob; b"" otherwise. Encoded once, for
    # the size cap, and reused by whoever passes the result on.
    encoded: bytes = b""
    # Set where the result was too large to be a value: `value` is None then.
    handle: Handle | None = None
    # The source's own blocks, for direct callers: images go on as images.
    content: tuple[Content, ...] = ()
    is_error: bool = False
    failure: Failure | None = None
    usage: Usage = NO_USAGE
    # As of `RawResult`; whoever changes the value drops it.
    sent: JsonObject | None = None

    def to_dict(self) -> Mapping[str, Json]:
        """The result as wires print it; blobs become their media type and size."""
        if self.failure is not None:
            failure = self.failure
            return {
                "is_error": True,
                "error": {
                    "code": failure.code,
                    "message": failure.message,
                    "hint": failure.hint,
                    "retryable": failure.retryable,
                },
            }
        if self.handle is not None:
            return {"is_error": False, "value": None, "handle": self.handle.to_dict()}
        return {"is_error": False, "value": _printable(self.value)}


def _printable(value: Json) -> Json:
    if isinstance(value, Blob):
        return {"media_type": value.media_type, "size_bytes": len(value.data)}
    if isinstance(value, list):
        return [_printable(item) if isinstance(item, Blob) else item for item in value]
    return value
