"""One live session with an MCP server: list its tools, call them, hear of changes.

The official client negotiates and correlates; requests go through its session directly, because
the client's own `call_tool` lists tools by itself and validates results, which the road does.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

import anyio
import mcp_types as types
from mcp.client import Client, IncomingMessage
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import RootModel, ValidationError

from toolweft.core.calls import RawResult, TextContent
from toolweft.core.errors import ResultTooLarge, SourceUnavailable
from toolweft.core.ids import ToolName
from toolweft.core.json import Json, JsonObject
from toolweft.sources.mcp.content import read_result
from toolweft.sources.mcp.faults import find_fault_kind, is_closed, render_exception
from toolweft.sources.mcp.link import Link

__all__ = ("Connection", "ConnectionEnded", "ToolPages", "open_connection")

log = logging.getLogger(__name__)

_MAX_PAGES = 1000
_LISTEN_AGAIN_S = 30.0


class _RawObject(RootModel[JsonObject]):
    """A result as it came: nulls, big integers and unknown fields survive."""


class ConnectionEnded(Exception):
    """The connection broke off before an answer came; the owner knows why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPages:
    """A whole tool list, and what was odd about its pages."""

    tools: list[Json]
    # "" where the list ended as it should.
    fault: str = ""
    # The shortest time that a page says it holds; None where none says.
    ttl_s: float | None = None


class Connection:
    """A negotiated session; its requests may come from any task."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._session = client.session
        self._changed = anyio.Event()

    @property
    def protocol_version(self) -> str:
        """The revision both sides speak."""
        return self._client.protocol_version

    @property
    def instructions(self) -> str:
        """What the server says of itself; "" where it says nothing."""
        return self._client.instructions or ""

    async def list_tools(self) -> ToolPages:
        """Every page of the tool list, raw.

        Raises:
            MCPError: the server refused.
            ValidationError: its answer is no tool list.
        """
        tools: list[Json] = []
        cursor: str | None = None
        seen: set[str] = set()
        ttls_s: list[float] = []
        while True:
            params = None if cursor is None else types.PaginatedRequestParams(cursor=cursor)
            try:
                page = await self._list_page(types.ListToolsRequest(params=params))
            except MCPError as exc:
                if exc.code == types.METHOD_NOT_FOUND and not self._offers_tools:
                    return ToolPages(tools=[])
                raise
            tools += page.get("tools", ())
            ttls_s += _read_ttl(page)
            cursor = page.get("nextCursor")
            if not cursor:
                return ToolPages(tools=tools, ttl_s=min(ttls_s, default=None))
            if cursor in seen or len(seen) >= _MAX_PAGES:
                pages = len(seen) + 1
                return ToolPages(
                    tools=tools,
                    fault=f"tools/list does not end: cursor {cursor!r} again after {pages} pages",
                )
            seen.add(cursor)

    async def call_tool(self, name: ToolName, arguments: JsonObject) -> RawResult:
        """One `tools/call`; an error answer is a failed result, for the caller to read.

        Cancelling the await tells the server.

        Raises:
            ConnectionEnded: no answer will come.
            SourceUnavailable: HTTP answered with an error status.
            ResultTooLarge: the answer is above the cap of a message.
        """
        try:
            raw = await self._send_call(name, arguments)
        except MCPError as exc:
            return _read_error(exc)
        except ValidationError as exc:
            return _failed(render_exception(exc))
        if raw.get("resultType", "complete") != "complete":
            return _failed(
                f"the tool asks back ({raw['resultType']!r}), which cannot be answered here"
            )
        return read_result(raw)

    async def watch_changes(self, relist: Callable[[], Awaitable[None]]) -> None:
        """Call `relist` after changes of the tool list, once for those that come together."""
        async with anyio.create_task_group() as tasks:
            if self.protocol_version in MODERN_PROTOCOL_VERSIONS and self._announces_changes:
                tasks.start_soon(self._listen)
            while True:
                await self._changed.wait()
                self._changed = anyio.Event()
                await relist()

    def note_change(self) -> None:
        """The server said that its tools changed."""
        self._changed.set()

    @property
    def _offers_tools(self) -> bool:
        return self._client.server_capabilities.tools is not None

    @property
    def _announces_changes(self) -> bool:
        tools = self._client.server_capabilities.tools
        return tools is not None and tools.list_changed is True

    async def _send(self, request: types.ClientRequest) -> JsonObject:
        return (await self._session.send_request(request, _RawObject)).root

    async def _list_page(self, request: types.ListToolsRequest) -> JsonObject:
        """One page as it came, where the SDK refuses all of it for one bad tool.

        Raises:
            ValidationError: it is no tool list at all.
        """
        try:
            return await self._send(request)
        except ValidationError as exc:
            page = await self._send_unchecked(request)
            if not isinstance(page.get("tools"), list):
                raise exc from None
            cursor = page.get("nextCursor")
            return {**page, "nextCursor": cursor if isinstance(cursor, str) else None}

    async def _send_unchecked(self, request: types.ListToolsRequest) -> JsonObject:
        # The session has no way to switch its checks off, so this goes through its parts.
        data = request.model_dump(by_alias=True, mode="json", exclude_none=True)
        options: CallOptions = {}
        self._session._stamp(data, options)  # noqa: SLF001 (no public way)
        dispatcher = self._session._dispatcher  # noqa: SLF001 (no public way)
        raw = await dispatcher.send_raw_request(data["method"], data.get("params"), options)
        return _RawObject.model_validate(raw).root

    async def _send_call(self, name: ToolName, arguments: JsonObject) -> JsonObject:
        params = types.CallToolRequestParams(name=name, arguments=arguments)
        request = types.CallToolRequest(params=params)
        try:
            return await self._send(request)
        except MCPError as exc:
            if exc.code != types.HEADER_MISMATCH:
                raise
        # The session learns which arguments go into headers from a listing of its own.
        await self._learn_headers()
        return await self._send(request)

    async def _learn_headers(self) -> None:
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            page = await self._client.list_tools(cursor=cursor)
            cursor = page.next_cursor
            if cursor is None:
                return

    async def _listen(self) -> None:
        """Keep a subscription to tool changes open; every gap counts as a change."""
        while True:
            try:
                async with self._client.listen(tools_list_changed=True) as subscription:
                    async for _ in subscription:
                        self.note_change()
            except ListenNotSupportedError:
                return
            except (SubscriptionLost, MCPError) as exc:
                log.info("source.listen_lost", extra={"reason": render_exception(exc)})
            await anyio.sleep(_LISTEN_AGAIN_S)
            self.note_change()


@asynccontextmanager
async def open_connection(link: Link) -> AsyncIterator[Connection]:
    """Negotiate a session over a link; close it on leaving.

    Raises:
        MCPError: the server refused, or the link ended.
        ValidationError: its answer does not fit the protocol.
    """
    connection: Connection | None = None

    async def hear(message: IncomingMessage) -> None:
        if connection is not None and isinstance(message, types.ToolListChangedNotification):
            connection.note_change()

    client = Client(
        link.transport,
        mode="auto",
        cache=None,
        message_handler=hear,
        client_info=types.Implementation(name="toolweft", version=version("toolweft")),
    )
    async with client:
        connection = Connection(client)
        yield connection


def _read_ttl(page: JsonObject) -> list[float]:
    """Seconds that a page holds; nothing where it does not say, and 0 is what servers say then."""
    ttl_ms = page.get("ttlMs")
    if isinstance(ttl_ms, bool) or not isinstance(ttl_ms, int | float):
        return []
    return [ttl_ms / 1000] if ttl_ms > 0 else []


def _read_error(error: MCPError) -> RawResult:
    kind = find_fault_kind(error)
    if is_closed(error) or kind == "ended":
        raise ConnectionEnded from error
    if kind == "too_large":
        raise ResultTooLarge(error.message, hint="ask the tool for less: a page, a range, a filter")
    if kind in {"refused", "unreachable"}:
        raise SourceUnavailable(error.message)
    return _failed(render_exception(error))


def _failed(reason: str) -> RawResult:
    return RawResult(content=(TextContent(reason),), is_error=True)
