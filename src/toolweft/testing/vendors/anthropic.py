"""A server that speaks Anthropic's Messages API, for tests: local, scripted, strict.

    async with AnthropicServer([Turn(blocks=(say("Hello."),))]) as server:
        client = AsyncAnthropic(api_key=server.key, base_url=server.base_url)

It refuses what the vendor refuses, in the vendor's words where they are known, and counts tokens
and what is read from its cache the same way each time. Nothing in it thinks.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from hashlib import sha256
from types import TracebackType
from typing import Final, Self, TypeAlias

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.anthropic_events import render_event, render_events
from toolweft.testing.vendors.anthropic_message_rules import MESSAGE_RULES
from toolweft.testing.vendors.anthropic_meter import CacheMeter, Tokens, count_tokens
from toolweft.testing.vendors.anthropic_request import (
    Memory,
    ParsedRequest,
    Refusal,
    is_programmatic_call,
)
from toolweft.testing.vendors.anthropic_tool_rules import TOOL_RULES
from toolweft.testing.vendors.serving import ServedApp

__all__ = ("AnthropicServer", "Failure", "Script", "Turn")

_MODELS: Final = frozenset({"claude-opus-5-5", "claude-sonnet-5", "claude-haiku-4-5"})
_UNFORCED: Final = frozenset({"claude-opus-5-5"})
_MIN_CACHED_TOKENS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A step in which the model answers."""

    blocks: tuple[JsonObject, ...] = ()
    # None: "tool_use" where there are calls, else "end_turn".
    stop: str | None = None
    stop_details: JsonObject | None = None
    # The connection of a stream ends after so many events; None: after all of them.
    break_after: int | None = None
    # Told as an event after `break_after` events, instead of breaking the connection.
    stream_error: JsonObject | None = None
    # The stream ends after `break_after` events as if it were complete.
    ends_early: bool = False
    # Fields of the answer in place of ours; None leaves one out.
    overrides: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A step in which the vendor fails, whatever was asked."""

    status: int
    kind: str = "api_error"
    message: str = "Internal server error"
    headers: Mapping[str, str] = field(default_factory=dict)


# The steps in order, or a function of the request's body that gives the next one.
Script: TypeAlias = Sequence[Turn | Failure] | Callable[[JsonObject], Turn | Failure]


class AnthropicServer:
    """An async context manager; serves from its start to its end.

    Args:
        script: what the model answers.
        models: those that exist.
        key: what requests have to show.
        context_tokens: what the model takes.
        min_cached_tokens: shorter prefixes are not cached.

    Attributes:
        base_url: set once it serves.
        requests: bodies that were let in.
        headers: of every request, refused ones too, with names in lower case.
        refusals: messages of what was refused.
    """

    def __init__(
        self,
        script: Script,
        *,
        models: frozenset[str] = _MODELS,
        key: str = "test-key",
        context_tokens: int = 200_000,
        min_cached_tokens: int = _MIN_CACHED_TOKENS,
    ) -> None:
        self.base_url = ""
        self.key = key
        self.requests: list[JsonObject] = []
        self.headers: list[dict[str, str]] = []
        self.refusals: list[str] = []
        self._script = script
        self._models = models
        self._context_tokens = context_tokens
        self._meter = CacheMeter(min_cached_tokens=min_cached_tokens)
        self._memory = Memory()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Serve."""
        app = Starlette(routes=[Route("/v1/messages", self._respond, methods=["POST"])])
        self.base_url = await self._stack.enter_async_context(ServedApp(app))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self._stack.aclose()

    def end_containers(self) -> None:
        """From now on no container is found, as after its idle time."""
        self._memory.containers.clear()

    def check(self, body: JsonObject, *, headers: Mapping[str, str]) -> ParsedRequest:
        """Hold a request against every rule.

        Raises:
            Refusal: of the first rule that it breaks.
        """
        request = ParsedRequest(
            body=body,
            headers={name.lower(): value for name, value in headers.items()},
            models=self._models,
            unforced_models=_UNFORCED,
            memory=self._memory,
        )
        for rule in (*TOOL_RULES, *MESSAGE_RULES):
            rule(request)
        return request

    async def _respond(self, http: Request) -> Response:
        headers = dict(http.headers)
        self.headers.append(headers)
        request_id = f"req_{len(self.headers)}"
        try:
            self._check_key(headers)
            try:
                body = await http.json()
            except ValueError as exc:
                raise Refusal("The request body is not valid JSON") from exc
            tokens = self._count(self.check(body, headers=headers))
        except Refusal as refusal:
            self.refusals.append(refusal.message)
            details = refusal.error_code and {"error_code": refusal.error_code}
            failure = Failure(status=refusal.status, kind=refusal.kind, message=refusal.message)
            return _fail(failure, request_id=request_id, details=details or None)
        step = self._answer(body)
        if isinstance(step, Failure):
            return _fail(step, request_id=request_id)
        message = self._build_message(body, step, tokens)
        if body.get("stream"):
            return _EventStream(message, step, request_id=request_id)
        return JSONResponse(message, headers={"request-id": request_id})

    def _check_key(self, headers: Mapping[str, str]) -> None:
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if given != self.key:
            raise Refusal("invalid x-api-key", status=401, kind="authentication_error")

    def _count(self, request: ParsedRequest) -> Tokens:
        tokens = self._meter.count(request)
        if tokens.total > self._context_tokens:
            raise Refusal(
                f"prompt is too long: {tokens.total} tokens > {self._context_tokens} maximum"
            )
        return tokens

    def _answer(self, body: JsonObject) -> Turn | Failure:
        self.requests.append(body)
        if callable(self._script):
            return self._script(body)
        asked = len(self.requests)
        assert asked <= len(self._script), f"the script has only {len(self._script)} steps"
        return self._script[asked - 1]

    def _build_message(self, body: JsonObject, turn: Turn, tokens: Tokens) -> JsonObject:
        number = len(self.requests)
        content = [_sign(block, body["model"]) for block in turn.blocks]
        for block in content:
            if "id" in block:
                self._memory.answers[block["id"]] = content
        has_calls = any(block["type"] == "tool_use" for block in content)
        message: JsonObject = {
            "id": f"msg_{number}",
            "type": "message",
            "role": "assistant",
            "model": body["model"],
            "content": content,
            "stop_reason": turn.stop or ("tool_use" if has_calls else "end_turn"),
            "stop_sequence": None,
            "stop_details": turn.stop_details,
            "usage": {
                "input_tokens": tokens.plain,
                "cache_read_input_tokens": tokens.read,
                "cache_creation_input_tokens": tokens.written,
                "output_tokens": sum(map(count_tokens, content)),
                "output_tokens_details": {
                    "thinking_tokens": sum(
                        count_tokens(block) for block in content if block["type"] == "thinking"
                    )
                },
            },
        }
        if body.get("container") or any(map(is_programmatic_call, content)):
            message["container"] = self._open_container(body)
        message.update(turn.overrides)
        return {key: value for key, value in message.items() if key not in _left_out(turn)}

    def _open_container(self, body: JsonObject) -> JsonObject:
        container_id = body.get("container") or f"container_{len(self.requests):02}"
        self._memory.containers.add(container_id)
        return {"id": container_id, "expires_at": "2026-11-20T22:10:00Z"}


class _EventStream(Response):
    """The events of a message, each sent alone; may break off."""

    def __init__(self, message: JsonObject, turn: Turn, *, request_id: str) -> None:
        headers = {"content-type": "text/event-stream; charset=utf-8", "request-id": request_id}
        super().__init__(status_code=200, headers=headers)
        # Its length is not known.
        self.raw_headers = [(k, v) for k, v in self.raw_headers if k != b"content-length"]
        self._message = message
        self._turn = turn

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        for data in self._list_data():
            await send({"type": "http.response.body", "body": data.encode(), "more_body": True})
        turn = self._turn
        if turn.break_after is None or turn.stream_error is not None or turn.ends_early:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _list_data(self) -> Iterator[str]:
        for number, data in enumerate(render_events(self._message)):
            if number == self._turn.break_after:
                if self._turn.stream_error is not None:
                    yield render_event({"type": "error", "error": self._turn.stream_error})
                return
            yield data


def _fail(failure: Failure, *, request_id: str, details: JsonObject | None = None) -> Response:
    error: JsonObject = {"type": failure.kind, "message": failure.message}
    if details is not None:
        error["details"] = details
    body = {"type": "error", "error": error, "request_id": request_id}
    headers = {"request-id": request_id, **failure.headers}
    return JSONResponse(body, status_code=failure.status, headers=headers)


def _sign(block: JsonObject, model: str) -> JsonObject:
    if block["type"] != "thinking":
        return block
    text = json.dumps([model, block["thinking"]])
    return {**block, "signature": sha256(text.encode()).hexdigest()}


def _left_out(turn: Turn) -> frozenset[str]:
    return frozenset(key for key, value in turn.overrides.items() if value is None)
