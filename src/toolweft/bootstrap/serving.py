"""Serving an open application to clients over MCP."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from toolweft import __version__
from toolweft.bootstrap.app import App
from toolweft.core.calls import Principal
from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName
from toolweft.core.secret import Secret
from toolweft.gateway.headers import is_loopback
from toolweft.sources import HttpServerOptions
from toolweft.toolbox import INSTRUCTIONS, Surface

if TYPE_CHECKING:
    # Imports the protocol's SDK.
    from toolweft.gateway.attach import Forwarder

__all__ = ("build_forwarder", "serve_attached", "serve_http", "serve_stdio")

# A client's first listing waits this long for slow servers.
_LISTING_GRACE_S = 2.0


async def serve_stdio(app: App) -> None:
    """Serve one client over standard input and output until it leaves."""
    from toolweft.gateway import server, stdio

    made = server.build_server(**_conversation_parts(app))
    await stdio.serve_stdio(made)


async def serve_attached(url: str, *, token: Secret | None) -> None:
    """Serve one client over standard input and output in front of a service at an address.

    Args:
        url: of the service's MCP endpoint: "http://127.0.0.1:8765/mcp".
        token: its bearer key; None where it wants none.

    Raises:
        ConfigError: the address cannot be used, or would show the key to whoever listens.
    """
    from toolweft.gateway import stdio

    await stdio.serve_stdio(build_forwarder(url, token=token))


def build_forwarder(url: str, *, token: Secret | None) -> "Forwarder":
    """What stands in the place of a server; see `serve_attached`."""
    _check_service(url, has_token=token is not None)
    from toolweft.gateway.attach import Forwarder
    from toolweft.sources.mcp.faults import FAULT_KEY
    from toolweft.sources.mcp.http_link import open_http_link

    headers = {}
    if token is not None:
        headers["Authorization"] = Secret(f"Bearer {token.reveal()}", reference=token.reference)
    options = HttpServerOptions(name=SourceName("service"), url=url, headers=headers)

    def is_forgotten(error: Any) -> bool:
        return isinstance(error.data, dict) and error.data.get(FAULT_KEY) == "ended"

    return Forwarder(partial(open_http_link, options), is_forgotten=is_forgotten)


def _check_service(url: str, *, has_token: bool) -> None:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_usable = urlsplit(""), False
    if not is_usable:
        raise ConfigError(
            f"{url!r} is not an http:// or https:// address",
            hint="write what `toolweft serve --http` says, e.g. http://127.0.0.1:8765/mcp",
        )
    if has_token and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigError(
            f"{url!r} is not on this machine, and http:// would show the key to whoever listens",
            hint="use https://, or a tunnel that ends on this machine",
        )


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
