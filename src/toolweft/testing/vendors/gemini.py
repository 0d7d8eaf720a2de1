"""A server that speaks generateContent and Interactions, for tests: local, scripted, strict.

    async with GeminiServer([Turn(items=(say_part("Hello."),))]) as server:
        client = genai.Client(api_key=server.key, http_options={"base_url": server.base_url})

It refuses what the vendor refuses, in the vendor's words where they are known, signs as the vendor
does, and counts tokens and what is read from its cache the same way each time. Nothing in it
thinks.
"""

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
from toolweft.testing.vendors.gemini_events import (
    render_event,
    render_generate,
    render_interaction,
)
from toolweft.testing.vendors.gemini_generate_rules import GENERATE_RULES
from toolweft.testing.vendors.gemini_interactions_rules import INTERACTIONS_RULES
from toolweft.testing.vendors.gemini_request import Memory, ParsedRequest, Refusal, render, spell
from toolweft.testing.vendors.serving import ServedApp

__all__ = ("Failure", "GeminiServer", "Script", "Turn")

_MODELS: Final = frozenset({"gemini-3.8-flash", "gemini-3.1-pro-preview", "gemini-2.5-flash"})
_OLDER_MODELS: Final = frozenset({"gemini-2.5-flash"})
_MIN_CACHED_TOKENS: Final = 1024
_SIGNED_STEPS: Final = frozenset({"thought", "tool_search_call"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A step in which the model answers."""

    # Parts for generateContent, steps for Interactions.
    items: tuple[JsonObject, ...] = ()
    # finishReason, or status; None: as the items have it.
    stop: str | None = None
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
    name: str = "INTERNAL"
    message: str = "An internal error has occurred."
    details: tuple[JsonObject, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)


# The steps in order, or a function of the request's body that gives the next one.
Script: TypeAlias = Sequence[Turn | Failure] | Callable[[JsonObject], Turn | Failure]


class GeminiServer:
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
        paths: addresses of every request, refused ones too.
        refusals: messages of what was refused.
    """

    def __init__(
        self,
        script: Script,
        *,
        models: frozenset[str] = _MODELS,
        key: str = "test-key",
        context_tokens: int = 1_000_000,
        min_cached_tokens: int = _MIN_CACHED_TOKENS,
    ) -> None:
        self.base_url = ""
        self.key = key
        self.requests: list[JsonObject] = []
        self.paths: list[str] = []
        self.refusals: list[str] = []
        self.memory = Memory()
        self._script = script
        self._models = models
        self._context_tokens = context_tokens
        self._min_cached_tokens = min_cached_tokens
        # Each request that was let in, as one text: what a later one begins with alike is cached.
        self._seen: list[str] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Serve."""
        app = Starlette(
            routes=[
                Route("/{version}/models/{call}", self._generate, methods=["POST"]),
                Route("/{version}/interactions", self._interact, methods=["POST"]),
            ]
        )
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

    def check_generate(self, body: JsonObject, *, model: str) -> None:
        """Hold a request to generateContent against every rule.

        Raises:
            Refusal: of the first rule that it breaks.
        """
        request = self._parse(body, model)
        for rule in GENERATE_RULES:
            rule(request)

    def check_interaction(self, body: JsonObject) -> None:
        """Hold a request to Interactions against every rule.

        Raises:
            Refusal: of the first rule that it breaks.
        """
        request = self._parse(body, str(body.get("model")))
        for rule in INTERACTIONS_RULES:
            rule(request)

    def _parse(self, body: JsonObject, model: str) -> ParsedRequest:
        return ParsedRequest(
            body=body,
            model=model,
            models=self._models,
            older_models=_OLDER_MODELS,
            memory=self.memory,
        )

    async def _generate(self, http: Request) -> Response:
        model, _, method = http.path_params["call"].rpartition(":")
        try:
            body = spell(await self._read(http))
            _check_method(method)
            self.check_generate(body, model=model)
            usage = self._count(body)
        except Refusal as refusal:
            return self._refuse(refusal)
        step = self._answer(body)
        if isinstance(step, Failure):
            return _fail(step)
        answer = self._build_generated(step, model, usage)
        if method == "streamGenerateContent":
            return _EventStream(list(render_generate(answer)), step)
        return JSONResponse(answer)

    async def _interact(self, http: Request) -> Response:
        try:
            body = await self._read(http)
            self.check_interaction(body)
            usage = self._count({**body, "stream": None})
        except Refusal as refusal:
            return self._refuse(refusal)
        step = self._answer(body)
        if isinstance(step, Failure):
            return _fail(step)
        answer = self._build_interaction(step, body["model"], usage)
        if body.get("stream"):
            return _EventStream(list(render_interaction(answer)), step)
        return JSONResponse(answer)

    async def _read(self, http: Request) -> JsonObject:
        self.paths.append(http.url.path)
        if http.headers.get("x-goog-api-key") != self.key:
            raise Refusal("API key not valid. Please pass a valid API key.")
        try:
            body = await http.json()
        except ValueError as exc:
            raise Refusal("Invalid JSON payload received.") from exc
        if not isinstance(body, dict):
            raise Refusal("Invalid JSON payload received. Unexpected token.")
        return body

    def _count(self, body: JsonObject) -> tuple[int, int]:
        """Tokens of the request, and how many of them an earlier one began with."""
        # Tools and the system's words come first in what is cached.
        last = ("contents", "input")
        ordered = {**{k: v for k, v in body.items() if k not in last}, "said": None}
        text = render(ordered) + "".join(render(item) for key in last for item in body.get(key, ()))
        total = _count_tokens(text)
        if total > self._context_tokens:
            raise Refusal(
                f"The input token count ({total}) exceeds the maximum number of tokens allowed"
                f" ({self._context_tokens})."
            )
        longest = max((_count_alike(text, seen) for seen in self._seen), default=0)
        # Whole tokens alone.
        alike = len(text[:longest].encode("utf-8", "surrogatepass")) // 4
        self._seen.append(text)
        return total, alike if alike >= self._min_cached_tokens else 0

    def _answer(self, body: JsonObject) -> Turn | Failure:
        self.requests.append(body)
        if callable(self._script):
            return self._script(body)
        asked = len(self.requests)
        assert asked <= len(self._script), f"the script has only {len(self._script)} steps"
        return self._script[asked - 1]

    def _build_generated(self, turn: Turn, model: str, usage: tuple[int, int]) -> JsonObject:
        number = len(self.requests)
        parts = [dict(item) for item in turn.items]
        calls = [part for part in parts if "functionCall" in part]
        if calls and model not in _OLDER_MODELS:
            # The first of parallel calls alone.
            calls[0]["thoughtSignature"] = _sign(model, number, calls[0])
        for part in parts:
            if "thoughtSignature" in part:
                self.memory.signed[part["thoughtSignature"]] = part
        total, cached = usage
        written = sum(_count_tokens(render(part)) for part in parts)
        candidate = {
            "index": 0,
            "content": {"role": "model", "parts": parts},
            "finishReason": turn.stop or "STOP",
        }
        answer = {
            "candidates": [candidate],
            "usageMetadata": {
                "promptTokenCount": total,
                "cachedContentTokenCount": cached,
                "candidatesTokenCount": written,
                "totalTokenCount": total + written,
            },
            "modelVersion": model,
            "responseId": f"resp_{number}",
        }
        return _override(answer, turn)

    def _build_interaction(self, turn: Turn, model: str, usage: tuple[int, int]) -> JsonObject:
        number = len(self.requests)
        steps = [dict(item) for item in turn.items]
        for step in steps:
            if step["type"] in _SIGNED_STEPS:
                step["signature"] = _sign(model, number, step)
            if "id" in step:
                self.memory.answers[step["id"]] = steps
        done = {step["call_id"] for step in steps if step["type"] == "tool_search_result"}
        has_calls = any(step["id"] not in done for step in steps if "id" in step)
        total, cached = usage
        written = sum(_count_tokens(render(step)) for step in steps)
        answer = {
            "id": f"int_{number}",
            "object": "interaction",
            "model": model,
            "status": turn.stop or ("requires_action" if has_calls else "completed"),
            "steps": steps,
            "usage": {
                "total_input_tokens": total,
                "total_cached_tokens": cached,
                "total_output_tokens": written,
                "total_thought_tokens": 0,
                "total_tokens": total + written,
            },
        }
        return _override(answer, turn)

    def _refuse(self, refusal: Refusal) -> Response:
        self.refusals.append(refusal.message)
        failure = Failure(status=refusal.status, name=refusal.name, message=refusal.message)
        return _fail(failure)


class _EventStream(Response):
    """The events of an answer, each sent alone; may break off."""

    def __init__(self, events: list[str], turn: Turn) -> None:
        super().__init__(
            status_code=200, headers={"content-type": "text/event-stream; charset=utf-8"}
        )
        # Its length is not known.
        self.raw_headers = [(k, v) for k, v in self.raw_headers if k != b"content-length"]
        self._events = events
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
        for number, data in enumerate(self._events):
            if number == self._turn.break_after:
                if self._turn.stream_error is not None:
                    yield render_event({"error": self._turn.stream_error})
                return
            yield data


def _check_method(method: str) -> None:
    if method not in {"generateContent", "streamGenerateContent"}:
        raise Refusal(f"unknown method {method}", status=404, name="NOT_FOUND")


def _count_alike(text: str, other: str) -> int:
    """Characters that two texts begin with alike."""
    pairs = enumerate(zip(text, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(text), len(other)))


def _count_tokens(text: str) -> int:
    """UTF-8 bytes / 4, rounded up."""
    return -(-len(text.encode("utf-8", "surrogatepass")) // 4)


def _fail(failure: Failure) -> Response:
    error: JsonObject = {
        "code": failure.status,
        "message": failure.message,
        "status": failure.name,
    }
    if failure.details:
        error["details"] = list(failure.details)
    return JSONResponse({"error": error}, status_code=failure.status, headers=dict(failure.headers))


def _sign(model: str, number: int, item: JsonObject) -> str:
    text = render([model, number, item])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _override(answer: JsonObject, turn: Turn) -> JsonObject:
    changed = {**answer, **turn.overrides}
    return {key: value for key, value in changed.items() if value is not None}
