"""Every tool of every source as it is, to clients that would rather choose from all themselves.

Tools take the road of any other call; their answers go out as their sources sent them. A question
of a source that speaks 2026-07-28 goes to a client that does too as the answer itself: nothing of
it is kept here, the state in it names the tool. Used by `server`.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import mcp_types
from mcp.shared.exceptions import MCPError

from toolweft.calls.contents import ContentRoad, ContentView
from toolweft.core.calls import Principal, Verbatim
from toolweft.core.client import CallingClient
from toolweft.core.json import JsonObject, JsonSchema
from toolweft.core.ports import SnapshotHolder
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.core.tools import Severity
from toolweft.gateway.conversations import RequestContext, principal_of
from toolweft.gateway.exchanges import Exchanges
from toolweft.gateway.handing_over import is_question, serve_passing
from toolweft.gateway.mcp_server import GatewayServer
from toolweft.gateway.passed import fit_result, pass_tool, read_sent
from toolweft.gateway.wire import wire_reply
from toolweft.programs.per_snapshot import PerSnapshot
from toolweft.toolbox.passing import (
    PassingToolbox,
    ToolPassing,
    join_instructions,
    name_for_clients,
)

__all__ = ("PassThrough", "Settle")

# Returns once the sources are known, or after a while.
Settle: TypeAlias = Callable[[], Awaitable[None]]
# Hears of every new snapshot, until what it returns is called.
Subscribe: TypeAlias = Callable[[Callable[[Snapshot], None]], Callable[[], None]]


class PassThrough:
    """What a pass-through server lists and answers.

    Args:
        holder: knows the newest snapshot.
        toolbox_for: a toolbox of a principal.
        settle: awaited before tools are listed for the first time.
    """

    def __init__(
        self,
        holder: SnapshotHolder,
        *,
        toolbox_for: Callable[[Principal], PassingToolbox],
        settle: Settle,
    ) -> None:
        self._holder = holder
        self._toolbox_for = toolbox_for
        self._settle = settle
        self._has_waited = False
        self._passing = ToolPassing()
        self._lists = PerSnapshot(_Lists)
        # What tells one list from another.
        self._known: dict[str, tuple[str, Severity]] = {}

    def input_schema(self, name: str) -> JsonSchema | None:
        """The schema of a tool by the name that clients see."""
        tool = self._passing.tools(self._holder.snapshot).find(name)
        return None if tool is None else tool.definition.input_schema

    async def list_tools(self, revision: str) -> JsonObject:
        """The answer to `tools/list`, for a revision."""
        if not self._has_waited:
            # What comes later is told as a change.
            await self._settle()
            self._has_waited = True
        snapshot = self._holder.snapshot
        lists = self._lists.of(snapshot)
        tools = lists.of(revision, self._passing.tools(snapshot).listed)
        # The newest revision wants it said; the SDK leaves it out for others.
        return {"tools": tools, "resultType": "complete"}

    async def serve_call(
        self,
        exchanges: Exchanges,
        request: RequestContext,
        params: mcp_types.CallToolRequestParams,
    ) -> Any:
        """The answer to `tools/call`.

        Raises:
            MCPError: there is no such tool, the state is not of it, or its source refused.
        """
        revision = request.protocol_version
        tools = self._passing.tools(self._holder.snapshot)
        tool = tools.find(params.name)
        if tool is None:
            message = f"Unknown tool: {params.name[:200]}"
            alike = tools.named_alike(params.name)
            if alike:
                message += f"; it is one of {', '.join(alike)} now, list the tools again"
            raise MCPError(code=mcp_types.INVALID_PARAMS, message=message)
        toolbox = self._toolbox_for(principal_of(request))

        async def work(client: CallingClient, verbatim: Verbatim | None) -> Any:
            reply = await self._passing.call(
                toolbox, tool, params.arguments or {}, client=client, verbatim=verbatim
            )
            if reply.sent is None:
                return wire_reply(reply, revision=revision)
            result = read_sent(reply.sent)
            return result if is_question(result) else fit_result(result, revision=revision)

        whose = (tool.definition.namespace, tool.definition.name)
        return await serve_passing(exchanges.serve, request, params, whose=whose, work=work)

    def view(self, contents: ContentRoad, principal: Principal) -> ContentView:
        """What a principal sees of resources and prompts: prompts are named as tools are."""
        return ContentView(contents, principal, rule=name_for_clients)

    @contextmanager
    def followed(self, server: GatewayServer, subscribe: Subscribe) -> Iterator[None]:
        """Let a server's clients hear of changes, for as long as it serves."""

        def follow(snapshot: Snapshot) -> None:
            server.instructions = join_instructions(snapshot) or None
            listed = self._passing.tools(snapshot).listed
            known = {name: (tool.pin_hash, tool.severity) for name, tool in listed.items()}
            has_changed, self._known = known != self._known, known
            if has_changed and server.changes is not None:
                server.changes.tools_changed()

        follow(self._holder.snapshot)
        end = subscribe(follow)
        try:
            yield
        finally:
            end()


class _Lists:
    """Tools of one snapshot as each revision has them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._mcp = {
            source.name for source in snapshot.sources.values() if source.kind.startswith("mcp")
        }
        self._known: dict[str, list[JsonObject]] = {}

    def of(self, revision: str, tools: Mapping[str, CatalogTool]) -> list[JsonObject]:
        if revision not in self._known:
            entries = (
                pass_tool(
                    name, tool, revision=revision, is_mcp=tool.definition.namespace in self._mcp
                )
                for name, tool in tools.items()
            )
            self._known[revision] = [entry for entry in entries if entry is not None]
        return self._known[revision]
