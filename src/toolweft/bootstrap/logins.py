"""Logging in to a server and out again, without opening anything else."""

from collections.abc import Callable

from toolweft.config import Settings
from toolweft.core.clock import SystemClock
from toolweft.core.errors import ConfigError
from toolweft.core.json import JsonObject
from toolweft.core.principals import LOCAL, Principal
from toolweft.sources import HttpServerOptions

__all__ = ("log_in_to", "log_out_of")


async def log_in_to(
    settings: Settings,
    name: str,
    *,
    principal: Principal = LOCAL,
    show: Callable[[str], None],
    timeout_s: float,
) -> JsonObject:
    """Log in to one server; what came of it, as far as it may be shown.

    Args:
        settings: with the server.
        name: of the server.
        principal: whose login it is; others than the local one matter where a server has
            `isolation = "principal"`.
        show: is given the address to open in a browser.
        timeout_s: how long is waited for the person.

    Raises:
        ConfigError: there is no such server, or it wants no login.
        SourceUnavailable: nothing came of it; the message says why.
        CallDenied: an address is not to be used.
    """
    from toolweft.sources.mcp.oauth_login import log_in

    server = _find(settings, name).on_behalf_of(principal)
    login = await log_in(server, show=show, timeout_s=timeout_s, clock=SystemClock())
    return {
        "server": name,
        "issuer": login.issuer,
        "scopes": list(login.scopes),
        "expires_at": login.expires_at_s,
        "renewable": login.is_renewable,
    }


async def log_out_of(settings: Settings, name: str, *, principal: Principal = LOCAL) -> JsonObject:
    """Forget the tokens of one server, and have them taken back.

    Raises:
        ConfigError: there is no such server, or it wants no login.
        SourceUnavailable: what is kept cannot be removed.
    """
    from toolweft.sources.mcp.oauth_login import log_out

    removed, reason = await log_out(
        _find(settings, name).on_behalf_of(principal), clock=SystemClock()
    )
    return {"server": name, "removed": removed, "revoked": removed and not reason, "reason": reason}


def _find(settings: Settings, name: str) -> HttpServerOptions:
    """The options of one server.

    Raises:
        ConfigError: there is no such server, or it wants no login.
    """
    for broken in settings.broken_servers:
        if broken.name == name:
            raise ConfigError(broken.reason, hint=broken.hint)
    found = {server.name: server for server in settings.servers}
    server = next((server for key, server in found.items() if key == name), None)
    if isinstance(server, HttpServerOptions) and server.oauth is not None:
        return server
    wanting = [s.name for s in found.values() if isinstance(s, HttpServerOptions) and s.oauth]
    listed = f"those that do: {', '.join(sorted(wanting))}" if wanting else "none does"
    what = "there is no server" if server is None else "no login is configured for the server"
    raise ConfigError(
        f"{what} {name!r}",
        hint=f'a server with a url and auth = {{type = "oauth"}} wants one; {listed}',
    )
