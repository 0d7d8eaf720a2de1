"""Which network addresses somebody else's text may lead to. Pure.

A description of a service is such a text, and so is what a server says of who issues its tokens.
It may name any public server, but nothing inside the user's own network unless the user's own
configuration names that very host and port. What counts is the address that a name has at the
moment of connecting, so neither odd spellings nor a name that changes its address help.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias
from urllib.parse import urlsplit

from toolweft.core.errors import CallDenied

__all__ = ("Origin", "check_addresses", "is_downgrade", "is_loopback", "origin_of")

# Scheme, host in lower case, port.
Origin: TypeAlias = tuple[str, str, int]

_PORTS = {"http": 80, "https": 443}
_NAT64 = ip_network("64:ff9b::/96")
# IPv4 inside IPv6, from the time before the two were told apart.
_COMPATIBLE = ip_network("::/96")
_TRANSLATED = ip_network("::ffff:0:0:0/96")


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port of an http or https address; None where it is none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host or parts.username is not None:
        return None
    return parts.scheme, host.rstrip("."), port or _PORTS[parts.scheme]


def is_downgrade(before: Origin, after: Origin) -> bool:
    """Whether a step leads from an encrypted address to one that is not."""
    return before[0] == "https" and after[0] == "http"


def is_loopback(host: str) -> bool:
    """Whether a host, as it is written, means this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def check_addresses(addresses: Iterable[str], *, host: str, is_named: bool, hint: str) -> None:
    """Refuse a host by the addresses it has right now; one bad one is enough.

    Args:
        addresses: of the host, in numbers.
        host: for messages.
        is_named: the user's configuration names this host and port.
        hint: how it is named, where it is not.

    Raises:
        CallDenied: one of them is not to be reached.
    """
    for text in addresses:
        address = ip_address(text.partition("%")[0])
        for meant in _meanings(address):
            if is_named and (_is_private(meant) or str(meant) == host):
                continue
            if not meant.is_global or meant.is_multicast or _is_special(meant):
                raise _refused(host, text, hint)


def _is_private(address: IPv4Address | IPv6Address) -> bool:
    """Whether it is in somebody's own network, or public; never a cloud's metadata."""
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    return address.is_loopback or address.is_private or address.is_global or _is_shared(address)


def _is_shared(address: IPv4Address | IPv6Address) -> bool:
    return address in ip_network("100.64.0.0/10")


def _is_special(address: IPv4Address | IPv6Address) -> bool:
    return address.is_reserved or address.is_unspecified or address.is_link_local


def _meanings(address: IPv4Address | IPv6Address) -> Iterable[IPv4Address | IPv6Address]:
    """Every address that is reached by it: itself, or those inside."""
    if isinstance(address, IPv4Address):
        return (address,)
    inside: list[IPv4Address | IPv6Address | None] = [address.ipv4_mapped, address.sixtofour]
    inside += address.teredo or ()
    if address in _NAT64 or address in _TRANSLATED or (address in _COMPATIBLE and int(address) > 1):
        inside.append(IPv4Address(address.packed[-4:]))
    found = tuple(item for item in inside if item is not None)
    return found or (address,)


def _refused(host: str, address: str, hint: str) -> CallDenied:
    said = host if host == address else f"{host} ({address})"
    return CallDenied(
        f"{said} is not a public address, and the configuration does not name it",
        hint=hint,
    )
