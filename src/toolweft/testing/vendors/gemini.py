"""A server that speaks generateContent and Interactions, for tests: local, scripted, strict.

    async with GeminiServer([Turn(items=(say_part("Hello."),))]) as server:
        client = genai.Client(api_key=server.key, http_options={"base_url": server.base_url})

It refuses what the vendor refuses, in the vendor's words where they are known, signs as the vendor
does, and counts tokens and what is read from its cache the same way each time. Nothing in it
thinks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import ClassVar, Final, TypeAlias

from starlette.requests import Request

from toolweft.core.json import JsonObject
from toolweft.testing.vendors.gemini_events import (
    render_event,
    render_generate,
    render_interaction,
)
from toolweft.testing.vendors.gemini_generate_rules import GENERATE_RULES
from toolweft.testing.vendors.gemini_interactions_rules import INTERACTIONS_RULES
from toolweft.testing.vendors.gemini_request import Memory, ParsedRequest, Refusal, render, spell
from toolweft.testing.vendors.scripts import (
    Admitted,
    Answer,
    ScriptOf,
    VendorFailure,
    VendorServer,
    VendorTurn,
)

__all__ = ("Failure", "GeminiServer", "Script", "Turn")

_MODELS: Final = frozenset({"gemini-3.8-flash", "gemini-3.1-pro-preview", "gemini-2.5-flash"})
_OLDER_MODELS: Final = frozenset({"gemini-2.5-flash"})
_MIN_CACHED_TOKENS: Final = 1024
_SIGNED_STEPS: Final = frozenset({"thought", "tool_search_call"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn(VendorTurn):
    """A step in which the model answers."""

    # Parts for generateContent, steps for Interactions.
    items: tuple[JsonObject, ...] = ()
    # finishReason, or status; None: as the items have it.
    stop: str | None = None
    # Fields of the answer in place of ours; None leaves one out.
    overrides: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure(VendorFailure):
    """A step in which the vendor fails, whatever was asked."""

    name: str = "INTERNAL"
    message: str = "An internal error has occurred."
    details: tuple[JsonObject, ...] = ()


Script: TypeAlias = ScriptOf[Turn, Failure]


class GeminiServer(VendorServer[Turn, Failure, Refusal]):
    """An async context manager; serves from its start to its end.

    Args:
        script: what the model answers.
        models: those that exist.
        key: what requests have to show.
        context_tokens: what the model takes.
        min_cached_tokens: shorter prefixes are not cached.
    """

    routes: ClassVar[tuple[str, ...]] = ("/{version}/models/{call}", "/{version}/interactions")

    def __init__(
        self,
        script: Script,
        *,
        models: frozenset[str] = _MODELS,
        key: str = "test-key",
        context_tokens: int = 1_000_000,
        min_cached_tokens: int = _MIN_CACHED_TOKENS,
    ) -> None:
        super().__init__(script, key=key)
        self.memory = Memory()
        self._models = models
        self._context_tokens = context_tokens
        self._min_cached_tokens = min_cached_tokens
        # Each request that was let in, as one text: what a later one begins with alike is cached.
        self._seen: list[str] = []

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

    def _check_key(self, headers: Mapping[str, str], key: str) -> None:
        if headers.get("x-goog-api-key") != key:
            raise Refusal("API key not valid. Please pass a valid API key.")

    def _refuse_body(self) -> Refusal:
        return Refusal("Invalid JSON payload received.")

    def _admit(self, body: JsonObject, http: Request) -> Admitted[Turn]:
        call = http.path_params.get("call")
        if call is None:
            return self._admit_interaction(body)
        model, _, method = call.rpartition(":")
        return self._admit_generate(spell(body), model, method)

    def _admit_generate(self, body: JsonObject, model: str, method: str) -> Admitted[Turn]:
        _check_method(method)
        self.check_generate(body, model=model)
        usage = self._count(body)

        def answer(turn: Turn) -> Answer:
            made = self._build_generated(turn, model, usage)
            is_streamed = method == "streamGenerateContent"
            return Answer(body=made, events=render_generate(made) if is_streamed else None)

        return Admitted(body=body, answer=answer)

    def _admit_interaction(self, body: JsonObject) -> Admitted[Turn]:
        self.check_interaction(body)
        usage = self._count({**body, "stream": None})

        def answer(turn: Turn) -> Answer:
            made = self._build_interaction(turn, body["model"], usage)
            return Answer(
                body=made, events=render_interaction(made) if body.get("stream") else None
            )

        return Admitted(body=body, answer=answer)

    def _render_failure(self, error: Failure | Refusal, request_id: str) -> JsonObject:
        del request_id
        told: JsonObject = {
            "code": error.status,
            "message": error.message,
            "status": error.name,
        }
        if isinstance(error, Failure) and error.details:
            told["details"] = list(error.details)
        return {"error": told}

    def _render_stream_error(self, error: JsonObject) -> str:
        return render_event({"error": error})

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


def _sign(model: str, number: int, item: JsonObject) -> str:
    text = render([model, number, item])
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _override(answer: JsonObject, turn: Turn) -> JsonObject:
    changed = {**answer, **turn.overrides}
    return {key: value for key, value in changed.items() if value is not None}
