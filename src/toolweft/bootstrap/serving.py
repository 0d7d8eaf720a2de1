"""Serving an open application to clients over MCP."""

from collections.abc import Callable
from functools import partial
from typing import Any

from toolweft import __version__
from toolweft.bootstrap.app import App
from toolweft.core.calls import Principal
from toolweft.toolbox import INSTRUCTIONS, Surface

__all__ = ("serve_http", "serve_stdio")

# A client's first listing waits this long for slow servers.
_LISTING_GRACE_S = 2.0


async def serve_stdio(app: App) -> None:
    """Serve one client over standard input and output until it leaves."""
    from toolweft.gateway import server, stdio

    made = server.build_server(**_conversation_parts(app))
    await stdio.serve_stdio(made)


async def serve_http(app: App, *, on_listening: Callable[[str], None] | None = None) -> None:
    """Serve over streamable HTTP until a signal or cancellation.

    Args:
        app: whose settings name address and keys.
        on_listening: gets the real address once requests are taken.

    Raises:
        ConfigError: the address cannot be used, or is open to others without keys or
            without isolation.
    """
    from toolweft.gateway import http, server

    made = server.build_server(**_conversation_parts(app))
    await http.serve_http(
        made,
        app.settings.http,
        on_listening=on_listening,
        is_ready=app.is_settled,
        is_isolated=app.backend.capabilities.is_isolated,
    )


def _conversation_parts(app: App) -> dict[str, Any]:
    """What a gateway's server is made of; the sandbox starts meanwhile."""
    # Beside everything else, so that the first program finds it running.
    app.backend.want()
    return {
        "toolbox_for": app.toolbox_for,
        "surface_for": partial(_surface_for, app),
        "version": __version__,
        "instructions": INSTRUCTIONS,
    }


async def _surface_for(app: App, principal: Principal) -> Surface:
    await app.sources.settle(_LISTING_GRACE_S)
    return app.toolbox_for(principal).surface()
