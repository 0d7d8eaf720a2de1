"""Connects to one origin, by an address that was checked first.

A name is looked up once for each connection, its addresses are checked, and the connection goes to
one of them, so a name that changes its address helps nobody. Used wherever somebody else's text
says what to connect to.
"""

from collections.abc import Awaitable, Callable, Sequence
from socket import SOCK_STREAM
from ssl import SSLContext
from typing import TypeAlias

import anyio
import httpx2

from toolweft.core.errors import CallDenied, SourceUnavailable
from toolweft.sources.addresses import Origin, check_addresses

__all__ = ("CheckedTransport", "Resolve", "look_up")

_CONNECT_TIMEOUT_S = 5.0
# A name is looked up again after this, so that a service may move.
_PIN_S = 60.0
# A pool that runs out would hold up calls; what may run at once is the road's choice. As many are
# kept as a program has calls in flight, and for less time than the 5 s after which servers hang up.
_LIMITS = httpx2.Limits(max_connections=None, max_keepalive_connections=128, keepalive_expiry=3.0)

# Host and port to addresses in numbers, at least one.
Resolve: TypeAlias = Callable[[str, int | None], Awaitable[Sequence[str]]]


async def look_up(host: str, port: int | None) -> Sequence[str]:
    """The addresses of a host, as the system knows them.

    Raises:
        OSError: there are none.
    """
    found = await anyio.getaddrinfo(host, port, type=SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class CheckedTransport(httpx2.AsyncBaseTransport):
    """Connects to one origin, by an address that was checked.

    It serves no other: connections are kept by address, and two names may share one.

    Args:
        ssl: for encrypted connections.
        origin: the one.
        is_named: the user's configuration names it, so that it may be private.
        resolve: looks up the addresses of a host.
        hint: what to do where it may not be reached.
    """

    def __init__(
        self,
        ssl: SSLContext,
        origin: Origin,
        *,
        is_named: bool,
        resolve: Resolve,
        hint: str,
    ) -> None:
        self._origin = origin
        self._is_named = is_named
        self._hint = hint
        self._resolve = resolve
        self._inner = httpx2.AsyncHTTPTransport(
            verify=ssl,
            limits=_LIMITS,
        )
        # The address in use, and until when.
        self._pinned = ""
        self._pinned_until_s = 0.0

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request to an address of its host."""
        if request.url.host.rstrip(".") != self._origin[1]:
            # Two readers of addresses that disagree must not let anything through.
            raise CallDenied(f"the address of {self._origin[1]!r} cannot be read in one way")
        if self._pinned and anyio.current_time() < self._pinned_until_s:
            try:
                return await self._send(request, self._pinned)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                self._pinned = ""
        addresses = await self._find_addresses(request.url)
        for address in addresses[:-1]:
            try:
                return await self._send(request, address)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
        return await self._send(request, addresses[-1])

    async def aclose(self) -> None:
        """Close the connections."""
        await self._inner.aclose()

    async def _send(self, request: httpx2.Request, address: str) -> httpx2.Response:
        pinned = httpx2.Request(
            request.method,
            request.url.copy_with(host=address),
            headers=request.headers,
            stream=request.stream,
            # Certificates are for the name.
            extensions={**request.extensions, "sni_hostname": request.url.host},
        )
        response = await self._inner.handle_async_request(pinned)
        if address != self._pinned:
            self._pinned, self._pinned_until_s = address, anyio.current_time() + _PIN_S
        return response

    async def _find_addresses(self, url: httpx2.URL) -> list[str]:
        """The addresses of a host, each of which may be connected to.

        Raises:
            SourceUnavailable: there are none.
            CallDenied: one of them is not to be reached.
        """
        try:
            with anyio.fail_after(_CONNECT_TIMEOUT_S):
                addresses = list(await self._resolve(url.host, url.port))
        except (OSError, UnicodeError) as error:
            raise SourceUnavailable(
                f"the host {url.host!r} cannot be found: {error}", hint="check the address"
            ) from None
        check_addresses(addresses, host=url.host, is_named=self._is_named, hint=self._hint)
        return addresses
