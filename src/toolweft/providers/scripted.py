"""A model that says what a script holds, for tests and demonstrations.

It asks nobody, costs nothing and looks at nothing of what it is asked. A script is a list of
replies, or a transcript in a JSON file:

    {"replies": [
      {"calls": [{"id": "c1", "name": "find_tools", "arguments": {"query": "refund"}}]},
      {"text": "Done.", "usage": {"input_tokens": 12, "output_tokens": 2}}]}
"""

import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from types import TracebackType
from typing import Final, Self, cast, get_args

from anyio import lowlevel

from toolweft.core.errors import ConfigError, ProviderError
from toolweft.core.json import Json, JsonObject, decode_json
from toolweft.core.messages import (
    AssistantMessage,
    CallProposed,
    ModelCall,
    ModelEvent,
    ModelReply,
    ModelRequest,
    ReplyDone,
    StopReason,
    TextPrinted,
)
from toolweft.core.models import TokenPrices, TokenUsage
from toolweft.core.providers import ModelCapabilities

__all__ = ("ScriptedProvider", "load_transcript", "parse_transcript", "render_transcript")

_DEFAULT_NAME: Final = "scripted:transcript"
_MAX_TRANSCRIPT_BYTES: Final = 64 * 1024**2
_REPLY_KEYS: Final = frozenset({"text", "calls", "stop", "usage", "model", "detail"})
_CALL_KEYS: Final = frozenset({"id", "name", "arguments", "fault"})
_USAGE_KEYS: Final = frozenset(
    {
        *("input_tokens", "output_tokens", "reasoning_tokens"),
        *("cache_read_tokens", "cache_write_tokens"),
    }
)
_STOPS: Final = frozenset(get_args(StopReason))


class ScriptedProvider:
    """The `Provider` that gives one reply after another, whatever it is asked.

    Attributes:
        requests: what it was asked, in order.
    """

    def __init__(
        self,
        replies: Iterable[ModelReply],
        *,
        name: str = _DEFAULT_NAME,
        capabilities: ModelCapabilities | None = None,
        prices: TokenPrices | None = None,
    ) -> None:
        self._replies = tuple(replies)
        self._name = name
        self._capabilities = capabilities or ModelCapabilities()
        self._prices = prices
        self.requests: list[ModelRequest] = []

    async def __aenter__(self) -> Self:
        """Nothing is opened; other providers are."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing is closed."""

    @property
    def name(self) -> str:
        """As it was given."""
        return self._name

    @property
    def capabilities(self) -> ModelCapabilities:
        """See `toolweft.core.providers.Provider`."""
        return self._capabilities

    @property
    def prices(self) -> TokenPrices | None:
        """See `toolweft.core.providers.Provider`."""
        return self._prices

    async def complete(self, request: ModelRequest) -> ModelReply:
        """The next reply.

        Raises:
            ProviderError: the script is at its end.
        """
        # As any other model it lets others run before it answers.
        await lowlevel.checkpoint()
        return self._take(request)

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """The next reply, its text in words.

        Raises:
            ProviderError: the script is at its end.
        """
        await lowlevel.checkpoint()
        reply = self._take(request)
        for piece in _split_words(reply.message.text):
            yield TextPrinted(piece)
        for call in reply.message.calls:
            yield CallProposed(call.name)
        yield ReplyDone(reply)

    def _take(self, request: ModelRequest) -> ModelReply:
        told = len(self.requests)
        if told >= len(self._replies):
            raise ProviderError(
                f"{self._name}: the script is at its end: it has {len(self._replies)} replies, and"
                " another was asked for",
                hint="add the reply that is to come next, or ask less often",
            )
        self.requests.append(request)
        return self._replies[told]


def load_transcript(path: Path) -> tuple[ModelReply, ...]:
    """The replies of a transcript in a file.

    Raises:
        ConfigError: the file cannot be read, or is no transcript.
    """
    try:
        if path.stat().st_size > _MAX_TRANSCRIPT_BYTES:
            raise ConfigError(f"{path} is above the cap of {_MAX_TRANSCRIPT_BYTES:,} bytes")
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"the transcript {str(path)!r} cannot be read: {exc}") from exc
    return parse_transcript(text, where=str(path))


def parse_transcript(text: str, *, where: str = "the transcript") -> tuple[ModelReply, ...]:
    """The replies of a transcript.

    Args:
        text: JSON, in the form that the module's docstring shows.
        where: what it is called in messages.

    Raises:
        ConfigError: it is no transcript; the message names the place.
    """
    try:
        data = decode_json(text)
    except (ValueError, RecursionError) as exc:
        raise ConfigError(f"{where} is not JSON: {exc}") from exc
    reader = _Reader(where)
    replies = reader.read_list(
        reader.read_object(data, "$", frozenset({"replies"})), "$", "replies"
    )
    return tuple(
        reader.read_reply(reply, f"$.replies[{number}]") for number, reply in enumerate(replies)
    )


def render_transcript(replies: Iterable[ModelReply]) -> str:
    """Replies as a transcript: what is neutral of them; a vendor's own items are left out."""
    rendered = []
    for reply in replies:
        calls = [
            {"id": call.id, "name": call.name, "arguments": call.arguments, "fault": call.fault}
            for call in reply.message.calls
        ]
        rendered.append(
            {
                "text": reply.message.text,
                "calls": calls,
                "stop": reply.stop,
                "usage": {key: getattr(reply.usage, key) for key in sorted(_USAGE_KEYS)},
                "model": reply.model,
                "detail": reply.detail,
            }
        )
    return json.dumps({"replies": rendered}, ensure_ascii=False, indent=1)


class _Reader:
    """Reads parts of a transcript; each error names the file and the place in it."""

    def __init__(self, where: str) -> None:
        self._where = where

    def read_reply(self, given: Json, place: str) -> ModelReply:
        reply = self.read_object(given, place, _REPLY_KEYS)
        calls = tuple(
            self._read_call(call, f"{place}.calls[{number}]")
            for number, call in enumerate(self.read_list(reply, place, "calls"))
        )
        stop: Json = reply.get("stop") or ("tool_use" if calls else "end_turn")
        if not isinstance(stop, str) or stop not in _STOPS:
            raise self._fail(f"{place}.stop", f"{stop!r:.40} is none of {sorted(_STOPS)}")
        return ModelReply(
            message=AssistantMessage(text=self._read_text(reply, place, "text"), calls=calls),
            stop=cast(StopReason, stop),
            usage=self._read_usage(reply.get("usage", {}), f"{place}.usage"),
            model=self._read_text(reply, place, "model") or _DEFAULT_NAME,
            detail=self._read_text(reply, place, "detail"),
        )

    def _read_call(self, given: Json, place: str) -> ModelCall:
        call = self.read_object(given, place, _CALL_KEYS)
        arguments, fault = call.get("arguments", {}), self._read_text(call, place, "fault")
        if not isinstance(arguments, dict) and not (arguments is None and fault):
            raise self._fail(f"{place}.arguments", "is no object; without one there is a `fault`")
        call_id, name = (self._read_text(call, place, key) for key in ("id", "name"))
        if not call_id or not name:
            raise self._fail(place, "has no `id` or no `name`")
        return ModelCall(id=call_id, name=name, arguments=arguments, fault=fault)

    def _read_usage(self, given: Json, place: str) -> TokenUsage:
        usage = self.read_object(given, place, _USAGE_KEYS)
        for key, value in usage.items():
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise self._fail(f"{place}.{key}", f"{value!r:.40} is no count")
        return TokenUsage(**usage)

    def read_object(self, given: Json, place: str, known: frozenset[str]) -> JsonObject:
        if not isinstance(given, dict):
            raise self._fail(place, f"{given!r:.40} is no object")
        if unknown := given.keys() - known:
            raise self._fail(place, f"{min(unknown)!r} is none of {sorted(known)}")
        return given

    def read_list(self, given: JsonObject, place: str, key: str) -> list[Json]:
        value = given.get(key, [])
        if not isinstance(value, list):
            raise self._fail(f"{place}.{key}", f"{value!r:.40} is no list")
        return value

    def _read_text(self, given: JsonObject, place: str, key: str) -> str:
        value = given.get(key, "")
        if not isinstance(value, str):
            raise self._fail(f"{place}.{key}", f"{value!r:.40} is no text")
        return value

    def _fail(self, place: str, reason: str) -> ConfigError:
        return ConfigError(f"{self._where}: {place}: {reason}")


def _split_words(text: str) -> list[str]:
    """Pieces that give the text again; each ends with its spaces."""
    pieces: list[str] = []
    for word in text.split(" "):
        if pieces:
            pieces[-1] += " "
        pieces.append(word)
    return [piece for piece in pieces if piece]
