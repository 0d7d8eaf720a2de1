"""The SDK's server, as a gateway needs it: truthful about changes, and with an end for streams."""

from collections.abc import Awaitable, Callable
from typing import Any

import mcp_types as types
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.server import NotificationOptions

from toolweft.calls.contents import ContentView
from toolweft.core.json import Json
from toolweft.gateway.changes import Changes
from toolweft.gateway.contents import ContentHandlers
from toolweft.gateway.conversations import RequestContext
from toolweft.gateway.handing_over import Serve
from toolweft.gateway.ports import HandlesPort

__all__ = ("GatewayServer",)


class GatewayServer(Server[Json]):
    """A server whose resources and prompts are those of sources, and change as theirs do.

    Attributes:
        changes: who hears of that; None before `offer_contents`.
    """

    changes: Changes | None = None
    _has_changing_tools = False

    def offer_handles(self, handles_for: Callable[[RequestContext], HandlesPort]) -> None:
        """Serve stored results, and nothing of sources."""
        self._offer_resources(ContentHandlers(None, handles_for=handles_for, serve=None))

    def offer_contents(
        self,
        view_for: Callable[[RequestContext], ContentView],
        *,
        handles_for: Callable[[RequestContext], HandlesPort] | None,
        serve: Serve | None = None,
        has_changing_tools: bool = False,
        is_passing: bool = False,
    ) -> None:
        """Serve the resources, prompts and completions of sources, and news of them.

        Args:
            view_for: what the one behind a request sees.
            handles_for: the stored results beside them; None shows none.
            serve: asks clients what a read or a prompt asks; None: they are not asked.
            has_changing_tools: whether clients hear that tools changed, by `changes`.
            is_passing: as of `ContentHandlers`.
        """
        lists = ContentHandlers(
            view_for, handles_for=handles_for, serve=serve, is_passing=is_passing
        )
        self._offer_resources(lists)
        changes = self.changes = Changes(view_for, has_tools=has_changing_tools)
        self._has_changing_tools = has_changing_tools
        paginated = types.PaginatedRequestParams
        self.add_request_handler("prompts/list", paginated, lists.list_prompts)
        self.add_request_handler("prompts/get", types.GetPromptRequestParams, lists.get_prompt)
        self.add_request_handler("completion/complete", types.CompleteRequestParams, lists.complete)
        self.add_request_handler(
            "resources/subscribe", types.SubscribeRequestParams, changes.subscribe
        )
        self.add_request_handler(
            "resources/unsubscribe", types.UnsubscribeRequestParams, changes.unsubscribe
        )
        self.add_request_handler(
            "subscriptions/listen", types.SubscriptionsListenRequestParams, changes.listen
        )
        self.add_notification_handler(
            "notifications/initialized", types.NotificationParams, changes.hear
        )

    def offer_asides(self, roots_changed: Callable[[RequestContext], Awaitable[None]]) -> None:
        """Hear what handshake clients say between calls.

        Args:
            roots_changed: the folders of the client behind a notification are others now.
        """

        async def hear(ctx: RequestContext, _params: types.NotificationParams) -> None:
            await roots_changed(ctx)

        self.add_notification_handler(
            "notifications/roots/list_changed", types.NotificationParams, hear
        )

    def close_streams(self) -> None:
        """End what only waits for news, as the server stops."""
        if self.changes is not None:
            self.changes.close()

    def create_initialization_options(self, *args: Any, **kwargs: Any) -> Any:
        """What handshake clients are told; the SDK's transports ask for it without arguments."""
        if not args:
            kwargs.setdefault("notification_options", self._notification_options())
        return super().create_initialization_options(*args, **kwargs)

    def get_capabilities(self, *args: Any, **kwargs: Any) -> types.ServerCapabilities:
        """What the server can do; lists of tools change only where they do."""
        if not args:
            kwargs.setdefault("notification_options", self._notification_options())
        capabilities = super().get_capabilities(*args, **kwargs)
        if capabilities.tools is not None:
            capabilities.tools.list_changed = self._has_changing_tools
        return capabilities

    def _notification_options(self) -> NotificationOptions:
        has_news = self.changes is not None
        return NotificationOptions(
            prompts_changed=has_news,
            resources_changed=has_news,
            tools_changed=self._has_changing_tools,
        )

    def _offer_resources(self, lists: ContentHandlers) -> None:
        paginated = types.PaginatedRequestParams
        self.add_request_handler("resources/list", paginated, lists.list_resources)
        self.add_request_handler("resources/templates/list", paginated, lists.list_templates)
        self.add_request_handler("resources/read", types.ReadResourceRequestParams, lists.read)
