"""Sends what the authorization flow asks: to checked addresses, bounded in time and size.

Where to ask is somebody else's text: the MCP server names its authorization server, and that one
names its endpoints. None of them may lead into the user's own network.
"""

from ssl import SSLContext
from typing import Final

import anyio
import anyio.to_thread
import httpx2

from toolweft.core.errors import CallDenied, SourceUnavailable
from toolweft.sources.addresses import Origin, is_loopback, origin_of
from toolweft.sources.checked_transport import CheckedTransport, Resolve, look_up

__all__ = ("OAuthSender", "check_private_way", "is_private_way")

_TIMEOUT_S: Final = 10.0
# Of one request with all that belongs to it.
_WHOLE_TIMEOUT_S: Final = 20.0
_MAX_ANSWER_BYTES: Final = 256 * 1024
_HINT: Final = "if it is meant, name the authorization server as issuer in the server's auth"


def is_private_way(url: str) -> bool:
    """Whether nobody on the way can read along: https, or this machine."""
    origin = origin_of(url)
    return origin is not None and (origin[0] == "https" or is_loopback(origin[1]))


def check_private_way(url: str, *, what: str) -> Origin:
    """Scheme, host and port of an address that tokens may be sent to.

    Raises:
        CallDenied: it is none.
    """
    origin = origin_of(url)
    if origin is None or not is_private_way(url):
        shown = url.partition("?")[0][:200]
        raise CallDenied(
            f"{what} is {shown!r}, which is neither https nor on this machine",
            hint="tokens are sent over https only",
        )
    return origin


class OAuthSender:
    """Asks an MCP server and authorization servers.

    Args:
        server_url: of the MCP server.
        issuer: as configured; empty where it is not.
        resolve: looks up the addresses of a host; the system's way by default.
    """

    def __init__(
        self, *, server_url: str, issuer: str = "", resolve: Resolve | None = None
    ) -> None:
        home = origin_of(server_url)
        given = (home, origin_of(issuer) if issuer else None)
        self._named = frozenset(origin for origin in given if origin is not None)
        # A server on this machine may have its authorization server here too; one that is
        # elsewhere may not lead us to what listens here.
        self._is_home_local = home is not None and is_loopback(home[1])
        self._resolve = resolve or look_up
        self._ssl: SSLContext | None = None

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        """The answer, its body read.

        Raises:
            SourceUnavailable: there is none, or none that can be used.
            CallDenied: the address is not to be reached.
        """
        url = str(request.url)
        origin = check_private_way(url, what="an address of the authorization")
        shown = url.partition("?")[0]
        try:
            with anyio.fail_after(_WHOLE_TIMEOUT_S):
                return await self._send(request, origin, shown)
        except TimeoutError:
            raise SourceUnavailable(
                f"{shown} did not answer within {_WHOLE_TIMEOUT_S:g} s"
            ) from None
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            # Chained to nothing: the library's errors hold the request, tokens and all.
            reason = type(error).__name__
            raise SourceUnavailable(
                f"asking {shown} failed: {reason}",
                hint="check that it runs and can be reached from here",
            ) from None

    async def _send(self, request: httpx2.Request, origin: Origin, shown: str) -> httpx2.Response:
        if self._ssl is None:
            # Reading the certificates takes tens of milliseconds.
            self._ssl = await anyio.to_thread.run_sync(httpx2.create_ssl_context)
        is_local = self._is_home_local and is_loopback(origin[1])
        transport = CheckedTransport(
            self._ssl,
            origin,
            is_named=origin in self._named or is_local,
            resolve=self._resolve,
            hint=_HINT,
        )
        timeout = httpx2.Timeout(_TIMEOUT_S)
        # What the flow builds has no limits of its own.
        request.extensions = {**request.extensions, "timeout": timeout.as_dict()}
        async with httpx2.AsyncClient(
            transport=transport, timeout=timeout, follow_redirects=False, trust_env=False
        ) as client:
            response = await client.send(request, stream=True, auth=None)
            body = bytearray()
            try:
                # An MCP server may answer with a stream that does not end; nobody reads it.
                if not _is_stream(response):
                    async for chunk in response.aiter_bytes():
                        body += chunk
                        if len(body) > _MAX_ANSWER_BYTES:
                            raise SourceUnavailable(
                                f"the answer of {shown} is above {_MAX_ANSWER_BYTES:,} bytes"
                            )
            finally:
                await response.aclose()
        read = httpx2.Response(
            response.status_code,
            headers=[
                (name, value)
                for name, value in response.headers.multi_items()
                if name not in {"content-encoding", "content-length", "transfer-encoding"}
            ],
            content=bytes(body),
            request=request,
        )
        read.next_request = response.next_request
        return read


def _is_stream(response: httpx2.Response) -> bool:
    kind: str = response.headers.get("content-type", "")
    return kind.lower().startswith("text/event-stream")
