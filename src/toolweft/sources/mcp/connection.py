"""One live session with an MCP server: list its tools, call them, hear of changes.

The official client negotiates and correlates; requests go through its session directly, because
the client's own `call_tool` lists tools by itself and validates results, which the road does.
"""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import anyio
import mcp_types as types
from mcp.client import Client, IncomingMessage
from mcp.client.subscriptions import ListenNotSupportedError, SubscriptionLost
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import RootModel, ValidationError

from toolweft.core.calls import RawResult, TextContent
from toolweft.core.client import CallingClient, Progress
from toolweft.core.errors import AskRefused, ResultTooLarge, SourceUnavailable
from toolweft.core.ids import ToolName
from toolweft.core.json import Json, JsonObject
from toolweft.sources.mcp.asking import LOG_LEVELS, Asker, Callbacks
from toolweft.sources.mcp.asks import clean_meta
from toolweft.sources.mcp.content import (
    MAX_PAGES,
    explain_cut,
    read_result,
    read_ttl,
    without_stamp,
)
from toolweft.sources.mcp.exchange import Exchange, Underway
from toolweft.sources.mcp.faults import build_closed, find_fault_kind, is_closed, render_exception
from toolweft.sources.mcp.link import Link
from toolweft.sources.mcp.rounds import Send, finish
from toolweft.sources.mcp.stamp import stamped
from toolweft.sources.mcp.verbatim import next_round, with_error, with_result

__all__ = ("Connection", "ConnectionEnded", "ToolPages", "open_connection")

log = logging.getLogger(__name__)

_LISTEN_AGAIN_S = 30.0
# A list that changes all the time is asked for about once a second.
_RELIST_PAUSE_S = 0.9


class _RawObject(RootModel[JsonObject]):
    """A result as it came: nulls, big integers and unknown fields survive."""


class _RawRequest(types.Request[dict[str, Any], str]):
    """A request whose parameters go out as they are."""


class ConnectionEnded(Exception):
    """The connection broke off before an answer came; the owner knows why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolPages:
    """A whole tool list, and what was odd about its pages."""

    tools: Sequence[Json]
    # "" where the list ended as it should.
    fault: str = ""
    # The shortest time that a page says it holds; None where none says.
    ttl_s: float | None = None


class Connection:
    """A negotiated session; its requests may come from any task."""

    def __init__(self, client: Client, *, asker: Asker, underway: Underway) -> None:
        self._client = client
        self._session = client.session
        self._asker = asker
        self._changed = anyio.Event()
        # The least level that a server before 2026-07-28 was told.
        self._log_level = len(LOG_LEVELS)
        # What it works on; whoever ends the connection looks here.
        self.underway = underway
        self._hearers: list[Callable[[object], None]] = []

    @property
    def client(self) -> Client:
        """The SDK's own, for what has no way round it."""
        return self._client

    @property
    def capabilities(self) -> types.ServerCapabilities:
        """What the server says it can do."""
        return self._client.server_capabilities

    @property
    def protocol_version(self) -> str:
        """The revision both sides speak."""
        return self._client.protocol_version

    @property
    def is_modern(self) -> bool:
        """Whether what the server asks comes as the answer of the call that it is about."""
        return self.protocol_version in MODERN_PROTOCOL_VERSIONS

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
                page = await self.list_page(types.ListToolsRequest(params=params), "tools")
            except MCPError as exc:
                if exc.code == types.METHOD_NOT_FOUND and not self._offers_tools:
                    return ToolPages(tools=[])
                raise
            tools += page.get("tools", ())
            # 0 is what servers say that know of no time.
            ttls_s += filter(None, (read_ttl(page),))
            cursor = page.get("nextCursor")
            if not cursor:
                return ToolPages(tools=tools, ttl_s=min(ttls_s, default=None))
            why = explain_cut(cursor, seen=seen)
            if why:
                return ToolPages(tools=tools, fault=f"tools/list does not end: {why}")
            seen.add(cursor)

    async def call_tool(
        self, name: ToolName, arguments: JsonObject, exchange: Exchange
    ) -> RawResult:
        """One `tools/call`; an error answer is a failed result, for the caller to read.

        Cancelling the await tells the server.

        Raises:
            AskRefused: the server asked what nobody answered, in a way that leaves it no result.
            ConnectionEnded: no answer will come.
            SourceUnavailable: HTTP answered with an error status.
            ResultTooLarge: the answer is above the cap of a message.
        """
        params = {"name": name, "arguments": arguments}
        try:
            raw = await self.request("tools/call", params, exchange)
        except MCPError as exc:
            read = _read_error(exc, is_verbatim=exchange.verbatim is not None)
            return with_error(read, exc, exchange.verbatim)
        except ValidationError as exc:
            return _failed(render_exception(exc))
        if exchange.takes_questions and raw.get("resultType") == "input_required":
            return RawResult(sent={"result": raw})
        if raw.get("resultType", "complete") != "complete":
            return _failed(f"the tool answered with {raw['resultType']!r}, which is no result")
        return with_result(read_result(raw), raw, exchange.verbatim)

    async def request(self, method: str, params: JsonObject, exchange: Exchange) -> JsonObject:
        """One request of a client, with whatever its server asks meanwhile; its result as it came.

        Raises:
            AskRefused: the server asked what nobody answered, in a way that leaves it no result.
            MCPError: it answered with an error, or the connection ended.
            ValidationError: its answer does not fit the protocol.
        """
        client = exchange.client
        meta = clean_meta(client.meta) if client.meta else {}
        if self.is_modern:
            if client.log_level is not None:
                meta[types.LOG_LEVEL_META_KEY] = client.log_level
        else:
            await self._lower_log_level(client)
        whole = {**params, "_meta": meta} if meta else params
        send = partial(self._send_part, method, whole, exchange)
        if self.is_modern and exchange.takes_questions:
            assert exchange.verbatim is not None
            raw = await send(next_round(exchange.verbatim))
        else:
            raw = await self._finish(send, exchange)
        return without_stamp(raw)

    async def _finish(self, send: Send, exchange: Exchange) -> JsonObject:
        with self.underway.attend(exchange):
            try:
                return await finish(send, asker=self._asker, exchange=exchange)
            except AskRefused as exc:
                if self.underway.is_over:
                    # Nobody refused: the question went with the connection.
                    raise build_closed() from exc
                raise

    async def watch_changes(self, relist: Callable[[], Awaitable[None]]) -> None:
        """Call `relist` after changes of the tool list, once for those that come together."""
        async with anyio.create_task_group() as tasks:
            if self.is_modern and self._announces_changes:
                tasks.start_soon(self._listen)
            while True:
                await self._changed.wait()
                self._changed = anyio.Event()
                await relist()
                # A server may say so a hundred times a second.
                await anyio.sleep(_RELIST_PAUSE_S)

    def note_change(self) -> None:
        """The server said that its tools changed."""
        self._changed.set()

    @contextmanager
    def hearing(self, hear: Callable[[object], None]) -> Iterator[None]:
        """Give every message that the server sends of its own accord to one more hearer."""
        self._hearers.append(hear)
        try:
            yield
        finally:
            self._hearers.remove(hear)

    def hear(self, message: object) -> None:
        """The server sent something of its own accord."""
        if isinstance(message, types.ToolListChangedNotification):
            self.note_change()
        self._asker.hear(message)
        for hear in tuple(self._hearers):
            hear(message)

    async def list_page(self, request: types.ClientRequest, key: str) -> JsonObject:
        """One page of any list, by its key, as it came: one bad entry costs no other.

        Raises:
            MCPError: the server refused, or the connection ended.
            ValidationError: it is no such list at all.
        """
        try:
            return await self.tell(request)
        except ValidationError as exc:
            page = await self._send_unchecked(request)
            if not isinstance(page.get(key), list):
                raise exc from None
            cursor = page.get("nextCursor")
            return {**page, "nextCursor": cursor if isinstance(cursor, str) else None}

    @property
    def _offers_tools(self) -> bool:
        return self._client.server_capabilities.tools is not None

    @property
    def _announces_changes(self) -> bool:
        tools = self._client.server_capabilities.tools
        return tools is not None and tools.list_changed is True

    async def tell(self, request: types.ClientRequest) -> JsonObject:
        """The raw answer to a request that we make for ourselves."""
        with self.underway.enter(Exchange(is_own=True)):
            return (await self._session.send_request(request, _RawObject)).root

    async def _send_unchecked(self, request: types.ClientRequest) -> JsonObject:
        # The session has no way to switch its checks off, so this goes through its parts.
        data = request.model_dump(by_alias=True, mode="json", exclude_none=True)
        options: CallOptions = {}
        self._session._stamp(data, options)  # noqa: SLF001 (no public way)
        dispatcher = self._session._dispatcher  # noqa: SLF001 (no public way)
        raw = await dispatcher.send_raw_request(data["method"], data.get("params"), options)
        return _RawObject.model_validate(raw).root

    async def _send_part(
        self, method: str, params: JsonObject, exchange: Exchange, more: JsonObject
    ) -> JsonObject:
        request = _RawRequest(method=method, params={**params, **more})
        with self.underway.enter(exchange):
            try:
                return await self._send_once(request, exchange.client)
            except MCPError as exc:
                if exc.code != types.HEADER_MISMATCH:
                    raise
        # The session learns which arguments go into headers from a listing of its own.
        with self.underway.enter(Exchange(is_own=True)):
            await self._learn_headers()
        with self.underway.enter(exchange):
            return await self._send_once(request, exchange.client)

    async def _send_once(self, request: _RawRequest, client: CallingClient) -> JsonObject:
        async def report(progress: float, total: float | None, message: str | None) -> None:
            client.report(Progress(progress=progress, total=total, message=message))

        # Asking for progress always makes the server report it.
        callback = report if client.wants_progress else None
        raw = await self._session.send_request(request, _RawObject, progress_callback=callback)
        return raw.root

    async def _lower_log_level(self, client: CallingClient) -> None:
        """Have the server log for this client too; others are given no more than they asked for."""
        wanted = client.log_level
        if wanted not in LOG_LEVELS or self._client.server_capabilities.logging is None:
            return
        level = LOG_LEVELS.index(wanted)
        if level >= self._log_level:
            return
        self._log_level = level
        request = _RawRequest(method="logging/setLevel", params={"level": wanted})
        try:
            await self._session.send_request(request, _RawObject)
        except (MCPError, ValidationError) as exc:
            log.info("source.log_level_refused", extra={"reason": render_exception(exc)})

    async def _learn_headers(self) -> None:
        cursor: str | None = None
        for _ in range(MAX_PAGES):
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
async def open_connection(
    link: Link, *, asker: Asker, on_contended: Callable[[], None]
) -> AsyncIterator[Connection]:
    """Negotiate a session over a link; close it on leaving.

    Args:
        link: the way to the server.
        asker: puts its questions to clients.
        on_contended: called when it asked without saying for which of several calls.

    Raises:
        MCPError: the server refused, or the link ended.
        ValidationError: its answer does not fit the protocol.
    """
    connection: Connection | None = None
    underway = Underway()
    callbacks = Callbacks(asker, underway=underway, on_contended=on_contended)

    async def hear(message: IncomingMessage) -> None:
        if connection is not None:
            connection.hear(message)

    client = Client(
        stamped(link.transport),
        mode="auto",
        cache=None,
        message_handler=hear,
        client_info=types.Implementation(name="toolweft", version=version("toolweft")),
        elicitation_callback=callbacks.elicit,
        sampling_callback=callbacks.sample,
        sampling_capabilities=types.SamplingCapability(tools=types.SamplingToolsCapability()),
        list_roots_callback=callbacks.list_roots,
        logging_callback=callbacks.hear_log,
    )
    async with client:
        connection = Connection(client, asker=asker, underway=underway)
        try:
            yield connection
        finally:
            underway.end()


def _read_error(error: MCPError, *, is_verbatim: bool) -> RawResult:
    kind = find_fault_kind(error)
    if is_closed(error) or kind == "ended":
        raise ConnectionEnded from error
    if kind == "too_large":
        raise ResultTooLarge(error.message, hint="ask the tool for less: a page, a range, a filter")
    if kind in {"refused", "unreachable"}:
        raise SourceUnavailable(error.message)
    if error.code == types.MISSING_REQUIRED_CLIENT_CAPABILITY and not is_verbatim:
        raise AskRefused(render_exception(error), hint="call it from a client that can be asked")
    return _failed(render_exception(error))


def _failed(reason: str) -> RawResult:
    return RawResult(content=(TextContent(reason),), is_error=True)
