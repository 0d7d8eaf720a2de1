"""A server that speaks OpenAI's Responses API, for tests.

    async with OpenAIServer([Turn(items=(message("Hello."),))]) as server:
        client = AsyncOpenAI(api_key=server.key, base_url=server.base_url)

It keeps no conversation. It remembers what it gave out to be echoed, as its vendor recognises its
own seals, and what requests began with, as its vendor's cache does.
"""

from collections.abc import Mapping
from contextlib import AsyncExitStack
from hashlib import sha256
from types import TracebackType
from typing import Final, Self

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolweft.core.json import Json, JsonObject
from toolweft.testing.vendors.openai_events import render_events
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
from toolweft.testing.vendors.openai_item_rules import ITEM_RULES
from toolweft.testing.vendors.openai_request import MODELS, ModelFacts, ParsedRequest
from toolweft.testing.vendors.openai_tool_rules import SETTING_RULES
from toolweft.testing.vendors.serving import ServedApp

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


class OpenAIServer:
    """An async context manager; serves from its start to its end.

    Args:
        script: what the model answers.
        models: those that exist, and what they can.
        key: what requests have to show; None lets everybody in.
    """

    def __init__(
        self,
        script: Script,
        *,
        models: Mapping[str, ModelFacts] = MODELS,
        key: str | None = "test-key",
    ) -> None:
        self.model = ScriptedModel(script)
        self.key = key
        # Set once it serves; with the version.
        self.base_url = ""
        # Headers of each request, refused ones too.
        self.headers: list[dict[str, str]] = []
        # Messages of refusals, for tests that ask why.
        self.refusals: list[str] = []
        # The ports that requests came from: one for each connection.
        self.peers: set[int] = set()
        self._models = models
        self._issued: dict[str, JsonObject] = {}
        self._reasons: dict[str, str] = {}
        self._meter = PrefixMeter()
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Serve."""
        routes = [Route("/v1/responses", self._respond, methods=["POST"])]
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

    async def _respond(self, http: Request) -> Response:
        self.headers.append(dict(http.headers))
        self.peers.add(http.client.port if http.client else 0)
        request_id = f"req_{len(self.headers)}"
        try:
            check_key(http, self.key)
            body = await read_body(http)
            self.check(body)
            tokens = self._count(body)
        except Refusal as refusal:
            self.refusals.append(refusal.message)
            return refuse(refusal, request_id=request_id)
        step = self.model.answer(body)
        if isinstance(step, Failure):
            return refuse(step, request_id=request_id)
        response = self._build_response(body, step, tokens)
        if body.get("stream"):
            return EventStream(
                render_events(response), request_id=request_id, break_after=step.break_after
            )
        return JSONResponse(response, headers={"x-request-id": request_id})

    def _count(self, body: JsonObject) -> Tokens:
        request = ParsedRequest(body=body, models=self._models)
        units = [
            *(_visible(tool) for tool in request.tools),
            body.get("instructions") or "",
            *request.items,
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


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()
