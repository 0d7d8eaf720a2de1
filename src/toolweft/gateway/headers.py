"""Which Host and Origin headers are accepted: the guard against DNS rebinding.

A web page can make a browser send requests to a server on the user's own machine, under a name
of the page's choice. So the name must be one of ours, and so must the page. Pure.
"""

import ipaddress
import re

from toolweft.core.errors import ConfigError
from toolweft.gateway.options import HttpOptions

__all__ = ("HeaderRules", "check_exposure", "is_loopback")

# A name or an address, an IPv6 one in brackets, and maybe a port.
_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_MAX_PORT = 65535

_LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check_exposure(options: HttpOptions, *, is_isolated: bool = True) -> None:
    """Refuse to serve other machines without keys, or with programs that nothing confines.

    Args:
        options: address and keys.
        is_isolated: whether programs are kept from this machine.

    Raises:
        ConfigError: the address is not a loopback one, and there is no key or no isolation.
    """
    if not is_loopback(options.host) and not is_isolated:
        raise ConfigError(
            f"http.host is {options.host!r}, which other machines can reach, and sandbox.tier is"
            " 'unsafe': whoever calls could do anything this user can",
            hint="take another tier, or listen on 127.0.0.1",
        )
    if not is_loopback(options.host) and not options.keys:
        raise ConfigError(
            f"http.host is {options.host!r}, which other machines can reach, and there is no key",
            hint="add [[http.keys]] with id, user and sha256 (the SHA-256 of a random key), "
            "or listen on 127.0.0.1",
        )


class HeaderRules:
    """The accepted names of the server and origins of pages."""

    def __init__(self, options: HttpOptions) -> None:
        own = options.host if ":" not in options.host else f"[{options.host}]"
        # Any port: whoever forwards one (`ssh -L`) reaches us under another than ours.
        self._hosts = [f"{name}:*" for name in (*_LOOPBACK_NAMES, own)]
        self._hosts += options.allowed_hosts
        self._origins = list(options.allowed_origins)
        if is_loopback(options.host):
            self._origins += [f"{s}://{n}:*" for n in _LOOPBACK_NAMES for s in ("http", "https")]

    def allows_host(self, host: str) -> bool:
        """Whether a Host header names this server."""
        return any(_fits(host, allowed) for allowed in self._hosts)

    def allows_origin(self, origin: str) -> bool:
        """Whether pages of an origin may use this server."""
        scheme, separator, host = origin.partition("://")
        if not separator:
            return False
        for allowed in self._origins:
            allowed_scheme, _, allowed_host = allowed.partition("://")
            if scheme.lower() == allowed_scheme.lower() and _fits(host, allowed_host):
                return True
        return False


def _fits(host: str, allowed: str) -> bool:
    """Whether `name:port` is the allowed one; `:*` allows any port and none."""
    if not allowed.endswith(":*"):
        return host.lower() == allowed.lower()
    parts = _HOST.fullmatch(host)
    if parts is None or int(parts["port"] or 0) > _MAX_PORT:
        return False
    return parts["name"].lower() == allowed.removesuffix(":*").lower()
