"""Resources, prompts and completions of sources as MCP shows them, beside the stored results.

Entries and answers go on as their sources gave them; what a client's revision does not have is
text, or left out. An entry that cannot be shown at all hides no other.
"""

import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types import methods
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from toolweft.calls.contents import ContentView, Freshness, Route
from toolweft.core.calls import Verbatim
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.contents import ContentKind
from toolweft.core.errors import (
    ContentNotFound,
    InvalidArguments,
    SourceRefused,
    ToolweftError,
)
from toolweft.core.handles import HANDLE_SCHEME
from toolweft.core.json import Json, JsonObject
from toolweft.gateway.conversations import RequestContext
from toolweft.gateway.handing_over import PassingWork, Serve, is_question, serve_passing
from toolweft.gateway.options import SETTLE_S
from toolweft.gateway.ports import HandlesPort
from toolweft.gateway.resources import RESOURCE_NOT_FOUND, list_handles, list_templates, read_handle
from toolweft.gateway.wire import fit_block

__all__ = ("ContentHandlers", "Serve")

log = logging.getLogger(__name__)

_PAGE_ENTRIES: Final = 500
_LISTS: Final[dict[ContentKind, tuple[str, str]]] = {
    "resources": ("resources/list", "resources"),
    "templates": ("resources/templates/list", "resourceTemplates"),
    "prompts": ("prompts/list", "prompts"),
}


class ContentHandlers:
    """Answers the requests of all clients.

    Args:
        view_for: what the one behind a request sees of sources; None where there are none.
        handles_for: the stored results of the one behind a request; None shows none.
        serve: does what may ask, and puts it to the client; None: nobody is asked.
        is_passing: whether clients get what sources say as it is: no stored results in lists, and
            questions as answers.
    """

    def __init__(
        self,
        view_for: Callable[[RequestContext], ContentView] | None,
        *,
        handles_for: Callable[[RequestContext], HandlesPort] | None,
        serve: Serve | None,
        is_passing: bool = False,
    ) -> None:
        self._is_passing = is_passing
        self._serve = serve or _serve_nobody
        self._view_for = view_for
        self._handles_for = handles_for

    # --------------------------------------------------------------------------------- listing

    async def list_resources(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> JsonObject:
        """The newest stored results, then the resources of sources."""
        stored: list[JsonObject] = []
        if self._handles_for is not None and not self._is_passing:
            listed = await list_handles(self._handles_for(ctx))
            stored = [_dump(resource) for resource in listed.resources]
        return await self._list(ctx, params, "resources", stored)

    async def list_templates(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> JsonObject:
        """The template of stored results, then those of sources."""
        stored: list[JsonObject] = []
        if self._handles_for is not None and not self._is_passing:
            stored = [_dump(template) for template in list_templates().resource_templates]
        return await self._list(ctx, params, "templates", stored)

    async def list_prompts(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> JsonObject:
        """The prompts of sources."""
        return await self._list(ctx, params, "prompts", [])

    async def _list(
        self,
        ctx: RequestContext,
        params: types.PaginatedRequestParams | None,
        kind: ContentKind,
        stored: list[JsonObject],
    ) -> JsonObject:
        entries, fresh = stored, Freshness(ttl_ms=0, is_public=False)
        if self._view_for is not None:
            view = self._view_for(ctx)
            await view.settle(SETTLE_S)
            entries = [*stored, *view.entries(kind)]
            fresh = view.freshness(kind)
        method, key = _LISTS[kind]
        start = _read_cursor(None if params is None else params.cursor, len(entries))
        end = start + _PAGE_ENTRIES
        page: JsonObject = {}
        if end < len(entries):
            page["nextCursor"] = str(end)
        if ctx.protocol_version in MODERN_PROTOCOL_VERSIONS:
            # Stored results are one client's own, and come and go.
            is_own = kind == "resources" and self._handles_for is not None and not self._is_passing
            page |= {
                "resultType": "complete",
                "ttlMs": 0 if is_own else fresh.ttl_ms,
                "cacheScope": "public" if fresh.is_public and not is_own else "private",
            }
        page[key] = _showable(method, ctx.protocol_version, {**page, key: entries[start:end]}, key)
        return page

    # ----------------------------------------------------------------------------------- using

    async def read(self, ctx: RequestContext, params: types.ReadResourceRequestParams) -> Any:
        """A stored result, or a resource of a source."""
        uri = str(params.uri)
        is_stored = self._view_for is None or uri.startswith(HANDLE_SCHEME)
        if self._handles_for is not None and is_stored:
            return await read_handle(self._handles_for(ctx), uri)

        async def work(client: CallingClient, verbatim: Verbatim | None) -> JsonObject:
            try:
                answer = await self._view(ctx).read(uri, client=client, verbatim=verbatim)
            except ToolweftError as exc:
                raise _as_mcp(exc, ctx, uri=uri) from exc
            return answer if is_question(answer) else _complete(answer, ctx, holds=True)

        return await self._serve_source(ctx, params, work, lambda view: view.find_resource(uri))

    async def get_prompt(self, ctx: RequestContext, params: types.GetPromptRequestParams) -> Any:
        """A prompt of a source."""

        async def work(client: CallingClient, verbatim: Verbatim | None) -> JsonObject:
            view = self._view(ctx)
            try:
                answer = await view.get_prompt(
                    params.name, params.arguments, client=client, verbatim=verbatim
                )
            except ToolweftError as exc:
                raise _as_mcp(exc, ctx) from exc
            if is_question(answer):
                return answer
            return _complete(_fit_messages(answer, ctx.protocol_version), ctx)

        return await self._serve_source(
            ctx, params, work, lambda view: view.find_prompt(params.name)
        )

    async def complete(self, ctx: RequestContext, params: types.CompleteRequestParams) -> Any:
        """Suggestions of a source for an argument of its prompt or template."""
        asked = _dump(params)
        asked.pop("_meta", None)
        try:
            return _complete(await self._view(ctx).complete(asked), ctx)
        except ToolweftError as exc:
            raise _as_mcp(exc, ctx) from exc

    async def _serve_source(
        self,
        ctx: RequestContext,
        params: Any,
        work: PassingWork,
        find: Callable[[ContentView], Route],
    ) -> Any:
        """Do what may ask: the client by us, or by the answer itself where that is passed on."""
        if not self._is_passing:
            return await self._serve(ctx, params, lambda client: work(client, None))
        try:
            route = find(self._view(ctx))
        except ToolweftError as exc:
            raise _as_mcp(exc, ctx, uri=getattr(params, "uri", "")) from exc
        whose = (route.source, route.original)
        return await serve_passing(self._serve, ctx, params, whose=whose, work=work)

    def _view(self, ctx: RequestContext) -> ContentView:
        if self._view_for is None:
            raise ContentNotFound("there is nothing of any source here")
        return self._view_for(ctx)


async def _serve_nobody(
    _ctx: RequestContext, _params: Any, work: Callable[[CallingClient], Awaitable[Any]]
) -> Any:
    return await work(NOBODY)


def _dump(model: Any) -> JsonObject:
    dumped: JsonObject = model.model_dump(by_alias=True, mode="json", exclude_none=True)
    return dumped


def _read_cursor(cursor: str | None, count: int) -> int:
    if cursor is None:
        return 0
    if not cursor.isascii() or not cursor.isdigit() or not 0 < int(cursor[:9]) <= count:
        raise MCPError(types.INVALID_PARAMS, f"there is no page {cursor[:40]!r}; list anew")
    return int(cursor[:9])


def _showable(method: str, revision: str, page: JsonObject, key: str) -> list[JsonObject]:
    """The entries that the revision can show, as it shows them."""
    try:
        return _sieve(method, revision, page, key)
    except ValidationError:
        shown: list[JsonObject] = []
        for entry in page[key]:
            try:
                shown += _sieve(method, revision, {**page, key: [entry]}, key)
            except ValidationError:
                log.warning("gateway.entry_left_out", extra={"list": method})
        return shown


def _sieve(method: str, revision: str, page: JsonObject, key: str) -> list[JsonObject]:
    entries: list[JsonObject] = methods.serialize_server_result(method, revision, page)[key]
    return entries


def _complete(answer: JsonObject, ctx: RequestContext, *, holds: bool = False) -> JsonObject:
    """The answer with what its revision wants of every one.

    Args:
        answer: of a source, whatever revision that speaks.
        ctx: whom it is for.
        holds: whether such answers say how long they hold.
    """
    if ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        return answer
    lasting = {"ttlMs": 0, "cacheScope": "private"} if holds else {}
    return {"resultType": "complete", **lasting, **answer}


def _fit_messages(answer: JsonObject, revision: str) -> JsonObject:
    messages = answer.get("messages")
    if not isinstance(messages, list):
        return answer

    def fit(message: Json) -> Json:
        if not isinstance(message, dict) or "content" not in message:
            return message
        return {**message, "content": fit_block(message["content"], revision=revision)}

    return {**answer, "messages": [fit(message) for message in messages]}


def _as_mcp(error: ToolweftError, ctx: RequestContext, *, uri: str = "") -> MCPError:
    """An error as clients of the protocol read it; a source's own keeps its code and data."""
    about = {"uri": uri} if uri else None
    match error:
        case SourceRefused():
            data = error.data
            if uri and isinstance(data, dict) and uri.endswith(str(data.get("uri", "\0"))):
                # The client knows it by the address that it asked for.
                data = {**data, "uri": uri}
            return MCPError(error.wire_code, error.message, data)
        case ContentNotFound() if uri and ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS:
            return MCPError(RESOURCE_NOT_FOUND, str(error), about)
        case ContentNotFound() | InvalidArguments():
            return MCPError(types.INVALID_PARAMS, str(error), about)
        case _:
            return MCPError(types.INTERNAL_ERROR, f"{error.code}: {error}", about)
