"""Who hears that lists or resources changed: sessions of clients, and their streams.

A handshake client hears of every list, and of the resources its session subscribed to. A client of
the stateless revision opens a stream (`subscriptions/listen`) and hears there what it asked for.
What waits to be told is a set: news that come faster than a client reads merge, and nobody who
tells waits for anybody who reads.
"""

from collections.abc import Awaitable, Callable, Set
from functools import partial
from typing import Final

import anyio
import anyio.lowlevel
import mcp_types as types
from mcp.server.subscriptions import (
    SUBSCRIPTION_ID_META_KEY,
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import event_to_notification

from toolweft.calls.contents import ContentView, Subscribed
from toolweft.core.contents import ContentKind, ResourceChanged
from toolweft.core.errors import ContentNotFound
from toolweft.core.ids import SourceName
from toolweft.gateway.conversations import RequestContext, connection_of
from toolweft.gateway.options import SETTLE_S
from toolweft.gateway.resources import RESOURCE_NOT_FOUND
from toolweft.gateway.standing import wait_until_reachable

__all__ = ("Changes", "Hearer")

# In a connection's own state.
_HEARER_KEY: Final = "toolweft.hearer"
_RUNNING_KEY: Final = "toolweft.hearing"
# Of one session or stream; a server is asked about each.
_MAX_SUBSCRIPTIONS: Final = 1_000
_MAX_STREAMS: Final = 1_024
_LISTS: Final[dict[ContentKind, ServerEvent]] = {
    "resources": ResourcesListChanged(),
    "templates": ResourcesListChanged(),
    "prompts": PromptsListChanged(),
}


class Hearer:
    """One session or stream, and what it has not been told yet; a `ContentListener`.

    Args:
        view: of whose contents it hears.
        wants: which lists it hears of.
    """

    def __init__(self, view: ContentView, *, wants: frozenset[ServerEvent]) -> None:
        self._view = view
        self._wants = wants
        self._subscribed: dict[str, Subscribed] = {}
        # Of nobody so far; a server that comes up may have them.
        self._sought: set[str] = set()
        self._waiting: dict[ServerEvent, None] = {}
        self._wake = anyio.Event()
        self._is_over = False
        self._end_watch = view.watch(self)

    def subscribe(self, uri: str) -> None:
        """Hear of changes of a resource from now on.

        Raises:
            ContentNotFound: there is none.
            MCPError: it hears of too many already.
        """
        if uri in self._subscribed:
            return
        if len(self._subscribed) + len(self._sought - {uri}) >= _MAX_SUBSCRIPTIONS:
            raise MCPError(
                types.INVALID_REQUEST, f"at most {_MAX_SUBSCRIPTIONS:,} resources are followed"
            )
        self._subscribed[uri] = self._view.subscribe(uri)

    def seek(self, uri: str) -> None:
        """Hear of changes of a resource as soon as there is one.

        Raises:
            MCPError: it hears of too many already.
        """
        try:
            self.subscribe(uri)
        except ContentNotFound:
            self._sought.add(uri)
        else:
            self._sought.discard(uri)

    def unsubscribe(self, uri: str) -> None:
        """No longer hear of changes of a resource."""
        self._sought.discard(uri)
        subscribed = self._subscribed.pop(uri, None)
        if subscribed is not None:
            subscribed.end()

    def contents_changed(self, source: SourceName, kinds: Set[ContentKind]) -> None:
        """Lists of a source are no longer what they were."""
        if not self._view.sees(source):
            return
        for kind in kinds:
            self.tell(_LISTS[kind])
        for uri in tuple(self._sought):
            self.seek(uri)

    def resource_changed(self, change: ResourceChanged) -> None:
        """A resource changed that somebody subscribed to, not always this one."""
        covering = [one for one in self._subscribed.values() if one.covers(change)]
        for one in covering:
            is_part = change.uri != one.original
            uri = self._view.shown_uri(change.source, change.uri) if is_part else one.shown
            self.tell(ResourceUpdated(uri=uri))

    def tell(self, event: ServerEvent) -> None:
        """Have it told, where it wants to hear of that."""
        if isinstance(event, ResourceUpdated) or event in self._wants:
            self._waiting[event] = None
            self._wake.set()

    async def run(
        self,
        send: Callable[[ServerEvent], Awaitable[None]],
        *,
        wait_until_reachable: Callable[[], Awaitable[None]] = anyio.lowlevel.checkpoint,
    ) -> None:
        """Send everything it is told, until it is closed; closes it in any case.

        Args:
            send: tells the client one thing.
            wait_until_reachable: awaited before each; what comes meanwhile merges.
        """
        try:
            while True:
                await self._wake.wait()
                self._wake = anyio.Event()
                while self._waiting:
                    await wait_until_reachable()
                    event = next(iter(self._waiting))
                    del self._waiting[event]
                    await send(event)
                if self._is_over:
                    return
        finally:
            self.close()

    def close(self) -> None:
        """End it and its subscriptions; what waits is still sent."""
        self._is_over = True
        self._wake.set()
        self._end_watch()
        for uri in tuple(self._subscribed):
            self.unsubscribe(uri)


class Changes:
    """Every hearer there is.

    Args:
        view_for: what the one behind a request sees.
        has_tools: whether lists of tools change here.
    """

    def __init__(
        self, view_for: Callable[[RequestContext], ContentView], *, has_tools: bool = False
    ) -> None:
        self._view_for = view_for
        self._has_tools = has_tools
        self._hearers: set[Hearer] = set()
        self._streams = 0

    def tools_changed(self) -> None:
        """The list of tools is another now."""
        if self._has_tools:
            for hearer in tuple(self._hearers):
                hearer.tell(ToolsListChanged())

    def close(self) -> None:
        """End all of them, as the server stops."""
        for hearer in tuple(self._hearers):
            hearer.close()

    # ---------------------------------------------------------------------- handshake sessions

    async def hear(self, ctx: RequestContext, _params: types.NotificationParams | None) -> None:
        """Tell a session that is ready now; lasts as long as it does."""
        session = ctx.session

        async def send(event: ServerEvent) -> None:
            match event:
                case ToolsListChanged():
                    await session.send_tool_list_changed()
                case PromptsListChanged():
                    await session.send_prompt_list_changed()
                case ResourcesListChanged():
                    await session.send_resource_list_changed()
                case ResourceUpdated():
                    await session.send_resource_updated(event.uri)

        connection = connection_of(ctx)
        if connection.state.get(_RUNNING_KEY):
            return
        connection.state[_RUNNING_KEY] = True
        await self._hearer(ctx).run(send, wait_until_reachable=partial(wait_until_reachable, ctx))

    async def subscribe(
        self, ctx: RequestContext, params: types.SubscribeRequestParams
    ) -> types.EmptyResult:
        """Tell the request's session of changes of a resource."""
        hearer = self._hearer(ctx)
        if not await self._view_for(ctx).settle(SETTLE_S):
            # Nobody knows yet whether there is one.
            hearer.seek(params.uri)
            return types.EmptyResult()
        try:
            hearer.subscribe(params.uri)
        except ContentNotFound as exc:
            # As of a read, in the words of the revisions that have this request.
            raise MCPError(RESOURCE_NOT_FOUND, str(exc), {"uri": params.uri}) from exc
        return types.EmptyResult()

    async def unsubscribe(
        self, ctx: RequestContext, params: types.UnsubscribeRequestParams
    ) -> types.EmptyResult:
        """Tell the request's session no longer."""
        self._hearer(ctx).unsubscribe(params.uri)
        return types.EmptyResult()

    def _hearer(self, ctx: RequestContext) -> Hearer:
        """The one of the request's session; it goes with the session."""
        connection = connection_of(ctx)
        found = connection.state.get(_HEARER_KEY)
        if isinstance(found, Hearer):
            return found
        hearer = self._open(ctx, self._every_list())
        connection.state[_HEARER_KEY] = hearer
        connection.exit_stack.callback(self._close, hearer)
        return hearer

    # ------------------------------------------------------------------------------- streams

    async def listen(
        self, ctx: RequestContext, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Serve one stream until its client leaves or the server stops."""
        if self._streams >= _MAX_STREAMS:
            raise MCPError(types.INTERNAL_ERROR, f"{_MAX_STREAMS:,} streams are open already")
        if ctx.request_id is None:
            raise MCPError(types.INVALID_REQUEST, "subscriptions/listen is a request")
        meta = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}
        honoured = self._honour(params.notifications)
        hearer = self._open(ctx, _wanted_lists(honoured))

        async def send(event: ServerEvent) -> None:
            note = event_to_notification(event, dict(meta))
            await ctx.session.send_notification(note, related_request_id=ctx.request_id)

        self._streams += 1
        try:
            for uri in honoured.resource_subscriptions or ():
                # One that nobody has is as one that never changes.
                hearer.seek(uri)
            acknowledged = types.SubscriptionsAcknowledgedNotificationParams(
                notifications=honoured, _meta=dict(meta)
            )
            await ctx.session.send_notification(
                types.SubscriptionsAcknowledgedNotification(params=acknowledged),
                related_request_id=ctx.request_id,
            )
            await hearer.run(send)
        finally:
            self._streams -= 1
            self._close(hearer)
        return types.SubscriptionsListenResult(_meta=dict(meta))

    def _honour(self, asked: types.SubscriptionFilter) -> types.SubscriptionFilter:
        """What of a filter is told of here."""
        return types.SubscriptionFilter(
            tools_list_changed=(self._has_tools and asked.tools_list_changed) or None,
            prompts_list_changed=asked.prompts_list_changed or None,
            resources_list_changed=asked.resources_list_changed or None,
            resource_subscriptions=list(asked.resource_subscriptions or ()) or None,
        )

    def _every_list(self) -> frozenset[ServerEvent]:
        lists: set[ServerEvent] = {PromptsListChanged(), ResourcesListChanged()}
        return frozenset(lists | {ToolsListChanged()} if self._has_tools else lists)

    def _open(self, ctx: RequestContext, wants: frozenset[ServerEvent]) -> Hearer:
        hearer = Hearer(self._view_for(ctx), wants=wants)
        self._hearers.add(hearer)
        return hearer

    def _close(self, hearer: Hearer) -> None:
        hearer.close()
        self._hearers.discard(hearer)


def _wanted_lists(asked: types.SubscriptionFilter) -> frozenset[ServerEvent]:
    wanted: dict[ServerEvent, bool | None] = {
        ToolsListChanged(): asked.tools_list_changed,
        PromptsListChanged(): asked.prompts_list_changed,
        ResourcesListChanged(): asked.resources_list_changed,
    }
    return frozenset(event for event, is_wanted in wanted.items() if is_wanted)
