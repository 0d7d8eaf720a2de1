"""The toolbox as an MCP server, whatever the transport.

`tools/list` answers with what the conversation was shown first, `tools/call` asks its toolbox;
nothing is listed to make a call. Built by the command line, served by `stdio` and `http`.
"""

import logging
from collections.abc import Callable
from functools import partial

import mcp_types
from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError

from toolweft.core.clock import Clock, SystemClock
from toolweft.core.errors import ToolweftError
from toolweft.core.json import Json
from toolweft.gateway.conversations import Conversations, RequestContext
from toolweft.gateway.ports import SurfaceFor, ToolboxFor, ToolboxPort
from toolweft.gateway.progress import report_output
from toolweft.gateway.resources import list_handles, list_templates, read_handle
from toolweft.gateway.wire import wire_failure, wire_reply, wire_tool

__all__ = ("build_server",)

log = logging.getLogger(__name__)

# The list never changes during a conversation; it is private because it may depend on who asks.
_LIST_TTL_MS = 5 * 60 * 1000


def build_server(
    toolbox_for: ToolboxFor,
    *,
    surface_for: SurfaceFor,
    version: str,
    instructions: str = "",
    clock: Clock | None = None,
) -> Server[Json]:
    """An MCP server over toolboxes.

    Args:
        toolbox_for: a toolbox for one conversation of a principal.
        surface_for: what a conversation is shown; awaited at its first listing, so this is where
            to wait until the sources have settled.
        version: of toolweft, as clients show it.
        instructions: told to every client when it connects, before any source is ready.
        clock: for tests.
    """
    conversations = Conversations(
        toolbox_for, surface_for=surface_for, clock=clock or SystemClock()
    )

    async def list_tools(
        ctx: RequestContext, params: mcp_types.PaginatedRequestParams | None
    ) -> mcp_types.ListToolsResult:
        try:
            surface = await conversations.surface(ctx)
        except ToolweftError as exc:
            raise MCPError(code=mcp_types.INTERNAL_ERROR, message=str(exc)) from exc
        return mcp_types.ListToolsResult(tools=[wire_tool(tool) for tool in surface.tools])

    async def call_tool(
        ctx: RequestContext, params: mcp_types.CallToolRequestParams
    ) -> mcp_types.CallToolResult:
        invoke = partial(_invoke, conversations.toolbox(ctx), params, revision=ctx.protocol_version)
        if (ctx.meta or {}).get("progress_token") is None:
            return await invoke(on_output=None)
        async with report_output(ctx.session) as on_output:
            return await invoke(on_output=on_output)

    async def list_resources(
        ctx: RequestContext, _params: mcp_types.PaginatedRequestParams | None
    ) -> mcp_types.ListResourcesResult:
        return await list_handles(conversations.toolbox(ctx).handles)

    async def list_resource_templates(
        _ctx: RequestContext, _params: mcp_types.PaginatedRequestParams | None
    ) -> mcp_types.ListResourceTemplatesResult:
        return list_templates()

    async def read_resource(
        ctx: RequestContext, params: mcp_types.ReadResourceRequestParams
    ) -> mcp_types.ReadResourceResult:
        return await read_handle(conversations.toolbox(ctx).handles, params.uri)

    return Server(
        "toolweft",
        title="toolweft",
        version=version,
        instructions=instructions or None,
        cache_hints={"tools/list": CacheHint(ttl_ms=_LIST_TTL_MS, scope="private")},
        # Without this the SDK lists all tools for each call.
        get_tool_input_schema=conversations.input_schema,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
        on_list_resources=list_resources,
        on_list_resource_templates=list_resource_templates,
        on_read_resource=read_resource,
    )


async def _invoke(
    toolbox: ToolboxPort,
    params: mcp_types.CallToolRequestParams,
    *,
    revision: str,
    on_output: Callable[[str], None] | None,
) -> mcp_types.CallToolResult:
    try:
        reply = await toolbox.invoke(params.name, params.arguments or {}, on_output=on_output)
        return wire_reply(reply, revision=revision)
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
