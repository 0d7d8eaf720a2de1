"""A server that speaks OpenAI's Responses API, for tests.

    async with OpenAIServer([Turn(items=(message("Hello."),))]) as server:
        client = AsyncOpenAI(api_key=server.key, base_url=server.base_url)

It keeps no conversation. It remembers what it gave out to be echoed, as its vendor recognises its
own seals, and what requests began with, as its vendor's cache does.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import ClassVar, Final

from starlette.requests import Request

from toolweft.core.json import Json, JsonObject
from toolweft.testing.vendors.openai_events import render_error, render_events
from toolweft.testing.vendors.openai_http import (
    OpenAIStyleServer,
    PrefixMeter,
    Refusal,
    Script,
    Tokens,
    Turn,
    count_tokens,
)
from toolweft.testing.vendors.openai_item_rules import ITEM_RULES
from toolweft.testing.vendors.openai_request import MODELS, ModelFacts, ParsedRequest
from toolweft.testing.vendors.openai_tool_rules import SETTING_RULES
from toolweft.testing.vendors.scripts import Admitted, Answer

__all__ = ("OpenAIServer",)

_ID_STARTS: Final = {
    "message": "msg",
    "function_call": "fc",
    "reasoning": "rs",
    "tool_search_call": "ts",
    "program": "prog",
    "program_output": "po",
}
# Any moment will do; a fixed one keeps answers alike.
_CREATED_AT: Final = 1_790_000_000


class OpenAIServer(OpenAIStyleServer):
    """An async context manager; serves from its start to its end.

    Args:
        script: what the model answers.
        models: those that exist, and what they can.
        key: what requests have to show; None lets everybody in.
    """

    routes: ClassVar[tuple[str, ...]] = ("/v1/responses",)

    def __init__(
        self,
        script: Script,
        *,
        models: Mapping[str, ModelFacts] = MODELS,
        key: str | None = "test-key",
    ) -> None:
        super().__init__(script, key=key)
        self._models = models
        self._issued: dict[str, JsonObject] = {}
        self._reasons: dict[str, str] = {}
        self._meter = PrefixMeter()

    def issue(self, item: JsonObject) -> JsonObject:
        """An output item with all that the vendor puts into it, remembered as given out."""
        number = len(self._issued) + 1
        start = _ID_STARTS.get(item["type"], "item")
        full: JsonObject = {"id": f"{start}_{number}", **item}
        if item["type"] == "reasoning":
            full.setdefault("encrypted_content", f"gAAAA{_digest(full['id'])}")
        elif item["type"] == "program":
            full.setdefault("fingerprint", f"fp_{_digest(full['id'])}")
        self._issued[full["id"]] = full
        return full

    def check(self, body: JsonObject) -> None:
        """Hold a body against every rule.

        Raises:
            Refusal: of the first rule that it breaks.
        """
        request = ParsedRequest(
            body=body, models=self._models, issued=self._issued, reasons=self._reasons
        )
        for rule in (*SETTING_RULES, *ITEM_RULES):
            rule(request)

    def _admit(self, body: JsonObject, http: Request) -> Admitted[Turn]:
        del http
        self.check(body)
        tokens = self._count(body)

        def answer(turn: Turn) -> Answer:
            made = self._build_response(body, turn, tokens)
            return Answer(body=made, events=render_events(made) if body.get("stream") else None)

        return Admitted(body=body, answer=answer)

    def _render_stream_error(self, error: JsonObject) -> str:
        return render_error(error)

    def _count(self, body: JsonObject) -> Tokens:
        request = ParsedRequest(body=body, models=self._models)
        units = [
            *(_visible(tool) for tool in request.tools),
            body.get("instructions") or "",
            *(item for item in request.items if not _is_inside_program(item)),
        ]
        key = f"{body['model']} {body.get('prompt_cache_key')}"
        limit = request.facts.context_tokens
        if sum(map(count_tokens, units)) > limit:
            raise Refusal(
                "Your input exceeds the context window of this model. Please adjust your input and"
                " try again.",
                code="context_length_exceeded",
                param="input",
            )
        return self._meter.count(units, key=key)

    def _build_response(self, body: JsonObject, turn: Turn, tokens: Tokens) -> JsonObject:
        output = [self.issue(item) for item in turn.items]
        reasons = [item["id"] for item in output if item["type"] == "reasoning"]
        for item in output:
            if reasons and item["type"] in {"message", "function_call", "program"}:
                self._reasons[item["id"]] = reasons[0]
        thinking = sum(count_tokens(i) for i in output if i["type"] == "reasoning")
        written = sum(map(count_tokens, output))
        status = "failed" if turn.error else "incomplete" if turn.stop else "completed"
        return {
            "id": f"resp_{len(self.requests)}",
            "object": "response",
            "created_at": _CREATED_AT,
            "status": status,
            "error": turn.error,
            "incomplete_details": {"reason": turn.stop} if turn.stop else None,
            "instructions": body.get("instructions"),
            "max_output_tokens": body.get("max_output_tokens"),
            "metadata": {},
            "model": body["model"],
            "output": output,
            "parallel_tool_calls": True,
            "store": body.get("store", True),
            "temperature": body.get("temperature", 1.0),
            "text": body.get("text") or {"format": {"type": "text"}},
            "tool_choice": "auto",
            "tools": body.get("tools") or [],
            "top_p": 1.0,
            "truncation": "disabled",
            "usage": {
                "input_tokens": tokens.total,
                "input_tokens_details": {
                    "cached_tokens": tokens.cached,
                    "cache_write_tokens": tokens.written,
                },
                "output_tokens": written,
                "output_tokens_details": {"reasoning_tokens": thinking},
                "total_tokens": tokens.total + written,
            },
        }


def _visible(tool: JsonObject) -> Json:
    """What the model reads of a tool: of a deferred one not its schemas."""
    if not tool.get("defer_loading"):
        return tool
    return {key: tool.get(key) for key in ("type", "name", "description")}


def _is_inside_program(item: JsonObject) -> bool:
    """What passes between a program and its tools, which the model does not read."""
    return bool((item.get("caller") or {}).get("type") == "program")


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
