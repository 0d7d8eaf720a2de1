"""A server that speaks Chat Completions as Ollama, vLLM, llama.cpp and OpenAI do, for tests.

async with OpenAIChatServer([Turn(items=(say("Hello."),))]) as server:
client = AsyncOpenAI(api_key="any", base_url=server.base_url)
"""

import json
from collections.abc import Iterator
from typing import ClassVar, Final

from starlette.requests import Request

from toolweft.core.json import Json, JsonObject
from toolweft.testing.vendors.openai_chat_rules import RULES, ChatRequest
from toolweft.testing.vendors.openai_http import (
    OpenAIStyleServer,
    PrefixMeter,
    Refusal,
    Script,
    Tokens,
    Turn,
    count_tokens,
)
from toolweft.testing.vendors.scripts import Admitted, Answer

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


class OpenAIChatServer(OpenAIStyleServer):
    """An async context manager; serves from its start to its end.

    Args:
        script: what the model answers; an item of a turn is a message.
        models: those that exist.
        key: what requests have to show; None lets everybody in.
        context_tokens: what the model takes.
        takes_images: whether the model sees.
        wants_completion_limit: refuse `max_tokens`, as OpenAI does for models that reason.
    """

    routes: ClassVar[tuple[str, ...]] = ("/v1/chat/completions",)

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
        super().__init__(script, key=key)
        self._models = models
        self._context_tokens = context_tokens
        self._takes_images = takes_images
        self._wants_completion_limit = wants_completion_limit
        self._meter = PrefixMeter()

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

    def _admit(self, body: JsonObject, http: Request) -> Admitted[Turn]:
        del http
        self.check(body)
        tokens = self._count(body)

        def answer(turn: Turn) -> Answer:
            made = self._build_completion(body, turn, tokens)
            if not body.get("stream"):
                return Answer(body=made)
            has_usage = bool((body.get("stream_options") or {}).get("include_usage"))
            return Answer(body=made, events=render_chunks(made, has_usage=has_usage))

        return Admitted(body=body, answer=answer)

    def _render_stream_error(self, error: JsonObject) -> str:
        return _render({"error": error})

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
