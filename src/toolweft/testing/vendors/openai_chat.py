"""A server that speaks Chat Completions as Ollama, vLLM, llama.cpp and OpenAI do, for tests.

async with OpenAIChatServer([Turn(items=(say("Hello."),))]) as server:
client = AsyncOpenAI(api_key="any", base_url=server.base_url)
"""

import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Final, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolweft.core.json import Json, JsonObject
from toolweft.testing.vendors.openai_chat_rules import RULES, ChatRequest
from toolweft.testing.vendors.openai_http import (
    EventStream,
    Failure,
    PrefixMeter,
    Refusal,
    Script,
    ScriptedModel,
    Tokens,
    Turn,
    check_key,
    count_tokens,
    read_body,
    refuse,
)
from toolweft.testing.vendors.serving import ServedApp

__all__ = ("OpenAIChatServer", "call", "render_chunks", "say")

# Any moment will do; a fixed one keeps answers alike.
_CREATED_AT: Final = 1_790_000_000
_PIECE_CHARACTERS: Final = 7


def say(text: str | None, *calls: JsonObject, **fields: Json) -> JsonObject:
    """A message of the model: its text, its calls, and fields of a server's own."""
    message: JsonObject = {"role": "assistant", "content": text, **fields}
    return {**message, "tool_calls": list(calls)} if calls else message


def call(name: str, arguments: Json, *, call_id: str) -> JsonObject:
    """A call of a function; arguments that are text go out as they are."""
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": text}}


class OpenAIChatServer:
    """An async context manager; serves from its start to its end.

    Args:
        script: what the model answers; an item of a turn is a message.
        models: those that exist.
        key: what requests have to show; None lets everybody in.
        context_tokens: what the model takes.
        takes_images: whether the model sees.
        wants_completion_limit: refuse `max_tokens`, as OpenAI does for models that reason.
    """

    def __init__(
        self,
        script: Script,
        *,
        models: frozenset[str] = frozenset({"local"}),
        key: str | None = None,
        context_tokens: int = 32_000,
        takes_images: bool = True,
        wants_completion_limit: bool = False,
    ) -> None:
        self.model = ScriptedModel(script)
        # Set once it serves; with the version.
        self.base_url = ""
        # Headers of each request, refused ones too.
        self.headers: list[dict[str, str]] = []
        self.refusals: list[str] = []
        # The ports that requests came from: one for each connection.
        self.peers: set[int] = set()
        self._key = key
        self._models = models
        self._context_tokens = context_tokens
        self._takes_images = takes_images
        self._wants_completion_limit = wants_completion_limit
        self._meter = PrefixMeter()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Serve."""
        routes = [Route("/v1/chat/completions", self._respond, methods=["POST"])]
        address = await self._stack.enter_async_context(ServedApp(Starlette(routes=routes)))
        self.base_url = f"{address}/v1"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop."""
        await self._stack.aclose()

    @property
    def requests(self) -> list[JsonObject]:
        """The bodies that were let in."""
        return self.model.requests

    def check(self, body: JsonObject) -> None:
        """Hold a body against every rule.

        Raises:
            Refusal: of the first rule that it breaks.
        """
        request = ChatRequest(
            body=body,
            models=self._models,
            takes_images=self._takes_images,
            wants_completion_limit=self._wants_completion_limit,
        )
        for rule in RULES:
            rule(request)

    async def _respond(self, http: Request) -> Response:
        self.headers.append(dict(http.headers))
        self.peers.add(http.client.port if http.client else 0)
        request_id = f"req_{len(self.headers)}"
        try:
            check_key(http, self._key)
            body = await read_body(http)
            self.check(body)
            tokens = self._count(body)
        except Refusal as refusal:
            self.refusals.append(refusal.message)
            return refuse(refusal, request_id=request_id)
        step = self.model.answer(body)
        if isinstance(step, Failure):
            return refuse(step, request_id=request_id)
        completion = self._build_completion(body, step, tokens)
        if body.get("stream"):
            has_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            return EventStream(
                render_chunks(completion, has_usage=has_usage),
                request_id=request_id,
                break_after=step.break_after,
            )
        return JSONResponse(completion, headers={"x-request-id": request_id})

    def _count(self, body: JsonObject) -> Tokens:
        units = [*(body.get("tools") or ()), *body["messages"]]
        total = sum(map(count_tokens, units))
        if total > self._context_tokens:
            raise Refusal(
                f"This model's maximum context length is {self._context_tokens} tokens. However,"
                f" your messages resulted in {total} tokens.",
                code="context_length_exceeded",
                param="messages",
            )
        return self._meter.count(units, key=str(body["model"]))

    def _build_completion(self, body: JsonObject, turn: Turn, tokens: Tokens) -> JsonObject:
        message = turn.items[0]
        stop = turn.stop or ("tool_calls" if message.get("tool_calls") else "stop")
        written = count_tokens(message)
        completion: JsonObject = {
            "id": f"chatcmpl-{len(self.requests)}",
            "object": "chat.completion",
            "created": _CREATED_AT,
            "model": body["model"],
            "choices": [{"index": 0, "message": message, "finish_reason": stop, "logprobs": None}],
            "usage": {
                "prompt_tokens": tokens.total,
                "prompt_tokens_details": {"cached_tokens": tokens.cached},
                "completion_tokens": written,
                "completion_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": tokens.total + written,
            },
        }
        return {**completion, "error": turn.error} if turn.error else completion


def render_chunks(completion: JsonObject, *, has_usage: bool) -> Iterator[str]:
    """A completion as the chunks of a stream, as they stand on the wire."""
    head: JsonObject = {
        **{key: completion[key] for key in ("id", "created", "model")},
        "object": "chat.completion.chunk",
    }
    if completion.get("error"):
        yield _render({**head, "choices": [], "error": completion["error"]})
        return
    choice = completion["choices"][0]
    for delta in _list_deltas(choice["message"]):
        yield _render({**head, "choices": [_delta_choice(delta, None)]})
    yield _render({**head, "choices": [_delta_choice({}, choice["finish_reason"])]})
    if has_usage:
        yield _render({**head, "choices": [], "usage": completion["usage"]})
    yield "data: [DONE]\n\n"


def _delta_choice(delta: JsonObject, finish: str | None) -> JsonObject:
    return {"index": 0, "delta": delta, "finish_reason": finish}


def _list_deltas(message: JsonObject) -> Iterator[JsonObject]:
    text = message.get("content")
    calls = message.get("tool_calls") or ()
    own = {k: v for k, v in message.items() if k not in {"content", "tool_calls"}}
    yield {**own, "content": None if text is None else ""}
    for piece in _split(text or ""):
        yield {"content": piece}
    for index, whole in enumerate(calls):
        function = whole["function"]
        begun = {**whole, "index": index, "function": {**function, "arguments": ""}}
        yield {"tool_calls": [begun]}
        for piece in _split(function["arguments"]):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def _split(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE_CHARACTERS):
        yield text[start : start + _PIECE_CHARACTERS]


def _render(chunk: JsonObject) -> str:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"
