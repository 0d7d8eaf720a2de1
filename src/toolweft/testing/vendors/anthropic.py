"""A server that speaks Anthropic's Messages API, for tests: local, scripted, strict.

    async with AnthropicServer([Turn(blocks=(say("Hello."),))]) as server:
        client = AsyncAnthropic(api_key=server.key, base_url=server.base_url)

It refuses what the vendor refuses, in the vendor's words where they are known, and counts tokens
and what is read from its cache the same way each time. Nothing in it thinks.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar, Final, TypeAlias

from starlette.requests import Request

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
from toolweft.testing.vendors.scripts import (
    Admitted,
    Answer,
    ScriptOf,
    VendorFailure,
    VendorServer,
    VendorTurn,
)

__all__ = ("AnthropicServer", "Failure", "Script", "Turn")

_MODELS: Final = frozenset({"claude-opus-5-5", "claude-sonnet-5", "claude-haiku-4-5"})
_UNFORCED: Final = frozenset({"claude-opus-5-5"})
_MIN_CACHED_TOKENS: Final = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(VendorTurn):
    """A step in which the model answers."""

    blocks: tuple[JsonObject, ...] = ()
    # None: "tool_use" where there are calls, else "end_turn".
    stop: str | None = None
    stop_details: JsonObject | None = None
    # Fields of the answer in place of ours; None leaves one out.
    overrides: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(VendorFailure):
    """A step in which the vendor fails, whatever was asked."""

    kind: str = "api_error"


Script: TypeAlias = ScriptOf[Turn, Failure]


class AnthropicServer(VendorServer[Turn, Failure, Refusal]):
    """An async context manager; serves from its start to its end.

    Args:
        script: what the model answers.
        models: those that exist.
        key: what requests have to show.
        context_tokens: what the model takes.
        min_cached_tokens: shorter prefixes are not cached.
    """

    routes: ClassVar[tuple[str, ...]] = ("/v1/messages",)
    id_header = "request-id"

    def __init__(
        self,
        script: Script,
        *,
        models: frozenset[str] = _MODELS,
        key: str = "test-key",
        context_tokens: int = 200_000,
        min_cached_tokens: int = _MIN_CACHED_TOKENS,
    ) -> None:
        super().__init__(script, key=key)
        self._models = models
        self._context_tokens = context_tokens
        self._meter = CacheMeter(min_cached_tokens=min_cached_tokens)
        self._memory = Memory()

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

    def _check_key(self, headers: Mapping[str, str], key: str) -> None:
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if given != key:
            raise Refusal("invalid x-api-key", status=401, kind="authentication_error")

    def _refuse_body(self) -> Refusal:
        return Refusal("The request body is not valid JSON")

    def _admit(self, body: JsonObject, http: Request) -> Admitted[Turn]:
        tokens = self._count(self.check(body, headers=http.headers))

        def answer(turn: Turn) -> Answer:
            message = self._build_message(body, turn, tokens)
            return Answer(
                body=message, events=render_events(message) if body.get("stream") else None
            )

        return Admitted(body=body, answer=answer)

    def _render_failure(self, error: Failure | Refusal, request_id: str) -> JsonObject:
        told: JsonObject = {"type": error.kind, "message": error.message}
        if isinstance(error, Refusal) and error.error_code:
            told["details"] = {"error_code": error.error_code}
        return {"type": "error", "error": told, "request_id": request_id}

    def _render_stream_error(self, error: JsonObject) -> str:
        return render_event({"type": "error", "error": error})

    def _count(self, request: ParsedRequest) -> Tokens:
        tokens = self._meter.count(request)
        if tokens.total > self._context_tokens:
            raise Refusal(
                f"prompt is too long: {tokens.total} tokens > {self._context_tokens} maximum"
            )
        return tokens

    def _build_message(self, body: JsonObject, turn: Turn, tokens: Tokens) -> JsonObject:
        number = len(self.requests)
        content = [_sign(block, body["model"]) for block in turn.blocks]
        for block in content:
            is_declared = any(
                tool.get("name") == block.get("name") and tool.get("allowed_callers")
                for tool in body.get("tools") or ()
            )
            is_called = is_declared and is_programmatic_call(block)
            if is_called and not block["name"].isidentifier():
                # A tool is a Python function there, and this can be the name of none.
                raise Refusal(f"the script's program cannot call {block['name']!r}", status=500)
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


def _sign(block: JsonObject, model: str) -> JsonObject:
    if block["type"] != "thinking":
        return block
    text = json.dumps([model, block["thinking"]])
    return {**block, "signature": sha256(text.encode()).hexdigest()}


def _left_out(turn: Turn) -> frozenset[str]:
    return frozenset(key for key, value in turn.overrides.items() if value is None)
