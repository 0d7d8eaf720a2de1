"""The toolbox as an MCP server, whatever the transport.

`tools/list` answers with what the conversation was shown first, `tools/call` asks its toolbox;
nothing is listed to make a call. Resources and prompts of sources stand beside stored results.
Built by the command line, served by `stdio` and `http`.
"""

import logging
from functools import partial
from typing import Any, Final

import mcp_types
from mcp.server.caching import CacheHint
from mcp.shared.exceptions import MCPError

from toolweft.calls.contents import ContentRoad, ContentView
from toolweft.core.clock import Clock, SystemClock
from toolweft.core.errors import ToolweftError
from toolweft.gateway.asides import Asides
from toolweft.gateway.clients import FrontClient
from toolweft.gateway.conversations import Conversations, RequestContext, principal_of
from toolweft.gateway.exchanges import Exchanges, lifespan
from toolweft.gateway.mcp_server import GatewayServer
from toolweft.gateway.options import AskOptions
from toolweft.gateway.pass_through import PassThrough, Settle
from toolweft.gateway.ports import HandlesPort, SurfaceFor, ToolboxFor, ToolboxPort
from toolweft.gateway.wire import wire_failure, wire_reply, wire_tool

__all__ = ("build_server",)

log = logging.getLogger(__name__)

# The list never changes during a conversation; it is private because it may depend on who asks.
_LIST_TTL_MS = 5 * 60 * 1000

# Of a toolbox's tools those whose answers depend on every source.
_LOOKING: Final = frozenset({"search_tools", "describe_tools"})


async def _at_once() -> None:
    """Nothing to wait for."""


def build_server(  # noqa: PLR0913 -- everything it uses is handed in
    toolbox_for: ToolboxFor,
    *,
    surface_for: SurfaceFor,
    version: str,
    instructions: str = "",
    asks: AskOptions | None = None,
    clock: Clock | None = None,
    contents: ContentRoad | None = None,
    passing: PassThrough | None = None,
    asides: Asides | None = None,
    settle: Settle = _at_once,
) -> GatewayServer:
    """An MCP server over toolboxes.

    Args:
        toolbox_for: a toolbox for one conversation of a principal.
        surface_for: what a conversation is shown; awaited at its first listing, so this is where
            to wait until the sources have settled.
        version: of toolweft, as clients show it.
        instructions: told to every client when it connects, before any source is ready.
        asks: how long clients may take to answer what tools ask; None for the usual.
        clock: for tests.
        contents: resources and prompts of sources; None where there are none.
        passing: what is listed and called in the place of the toolbox's own tools.
        asides: pass on what sources and clients say between calls; None passes nothing on.
        settle: awaited before a call that looks for tools, as no client need list them first; one
            that names a tool waits for its source alone.
    """
    conversations = Conversations(
        toolbox_for, surface_for=surface_for, clock=clock or SystemClock()
    )
    exchanges = Exchanges(asks or AskOptions(), log_level_of=conversations.log_level, asides=asides)

    async def list_tools(
        ctx: RequestContext, params: mcp_types.PaginatedRequestParams | None
    ) -> Any:
        if passing is not None:
            return await passing.list_tools(ctx.protocol_version)
        try:
            surface = await conversations.surface(ctx)
        except ToolweftError as exc:
            raise MCPError(code=mcp_types.INTERNAL_ERROR, message=str(exc)) from exc
        return mcp_types.ListToolsResult(tools=[wire_tool(tool) for tool in surface.tools])

    async def call_tool(ctx: RequestContext, params: mcp_types.CallToolRequestParams) -> Any:
        if passing is not None:
            return await passing.serve_call(exchanges, ctx, params)
        work = partial(_invoke, conversations.toolbox(ctx), params, settle)
        return await exchanges.serve(ctx, params, work)

    async def set_logging_level(
        ctx: RequestContext, params: mcp_types.SetLevelRequestParams
    ) -> mcp_types.EmptyResult:
        conversations.set_log_level(ctx, params.level)
        return mcp_types.EmptyResult()

    server = GatewayServer(
        "toolweft",
        title="toolweft",
        version=version,
        instructions=instructions or None,
        cache_hints={"tools/list": CacheHint(ttl_ms=_LIST_TTL_MS, scope="private")},
        # Without this the SDK lists all tools for each call.
        get_tool_input_schema=(passing or conversations).input_schema,
        lifespan=lifespan,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )
    # Not by the constructor, which warns of a thing that handshake clients do not do without.
    server.add_request_handler(
        "logging/setLevel", mcp_types.SetLevelRequestParams, set_logging_level
    )
    server.middleware.append(exchanges.boundary)
    if asides is not None:
        server.offer_asides(partial(asides.roots_changed, serve=exchanges.serve))

    def handles_for(ctx: RequestContext) -> HandlesPort:
        return conversations.toolbox(ctx).handles

    if contents is None:
        server.offer_handles(handles_for)
    else:
        server.offer_contents(
            partial(_view, contents, passing),
            handles_for=handles_for,
            serve=exchanges.serve,
            has_changing_tools=passing is not None,
            is_passing=passing is not None,
        )
    return server


def _view(contents: ContentRoad, passing: PassThrough | None, ctx: RequestContext) -> ContentView:
    principal = principal_of(ctx)
    if passing is not None:
        return passing.view(contents, principal)
    return ContentView(contents, principal)


async def _invoke(
    toolbox: ToolboxPort,
    params: mcp_types.CallToolRequestParams,
    settle: Settle,
    client: FrontClient,
) -> mcp_types.CallToolResult:
    if params.name in _LOOKING:
        await settle()
    on_output = client.print if client.wants_progress else None
    try:
        reply = await toolbox.invoke(
            params.name, params.arguments or {}, on_output=on_output, client=client
        )
        return wire_reply(reply, revision=client.revision)
    except ToolweftError as exc:
        return wire_failure(exc)
    except Exception:
        log.exception("gateway.call_failed", extra={"tool": params.name})
        return wire_failure(
            ToolweftError(
                f"{params.name!r} failed inside toolweft",
                hint="the reason is in the log of the gateway",
            )
        )
