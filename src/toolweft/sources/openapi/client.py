"""The one place that sends requests: bounded, to addresses that were checked, without a memory.

A name is looked up once for each connection, its addresses are checked, and the connection goes to
one of them. Redirects are followed here, each step checked anew. Proxies and cookies are not used.
"""

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from importlib.metadata import version
from ssl import SSLContext
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urljoin

import anyio
import httpx2

from toolweft.core.errors import CallDenied, ResultTooLarge, SourceUnavailable
from toolweft.sources.addresses import Origin, is_downgrade, origin_of
from toolweft.sources.checked_transport import CheckedTransport, Resolve, look_up
from toolweft.sources.openapi.requests import HttpRequest, Part
from toolweft.sources.openapi.responses import HttpAnswer
from toolweft.sources.openapi.security import Credentials

__all__ = ("ServiceClient",)

_CONNECT_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 2.0
_MAX_REDIRECTS = 5
_HINT = "if it is meant, name host and port in base_url of the source"
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
# After these a POST becomes a GET, as browsers do it.
_TO_GET = frozenset({301, 302, 303})
_SEE_OTHER = 303
_SAFE = frozenset({"GET", "HEAD"})
# How long an answer may take is the deadline of the call.
_TIMEOUT = httpx2.Timeout(_CONNECT_TIMEOUT_S, read=None)


class ServiceClient:
    """Sends requests to one service; an async context manager that owns its connections.

    Args:
        named: origins that the user's configuration names; what is there may be private.
        max_bytes: of an answer.
        mask: takes secrets out of a text.
        resolve: looks up the addresses of a host; the system's way by default.
        read_certificates: gives what servers are trusted by, once, in a thread.
    """

    def __init__(
        self,
        *,
        named: frozenset[Origin],
        max_bytes: int,
        mask: Callable[[str], str],
        resolve: Resolve | None = None,
        read_certificates: Callable[[], SSLContext] = httpx2.create_ssl_context,
    ) -> None:
        self._resolve = resolve or look_up
        self._read_certificates = read_certificates
        self._named = named
        self._max_bytes = max_bytes
        self._mask = mask
        self._stack = AsyncExitStack()
        self._ssl: SSLContext | None = None
        self._reading_ssl = anyio.Lock()
        self._kept: dict[Origin, httpx2.AsyncClient] = {}

    async def __aenter__(self) -> Self:
        """Ready; nothing is connected yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the connections."""
        with anyio.move_on_after(_CLOSE_TIMEOUT_S, shield=True):
            await self._stack.aclose()

    async def send(
        self, request: HttpRequest, credentials: Credentials, *, max_bytes: int | None = None
    ) -> HttpAnswer:
        """The answer to one request, redirects followed.

        Credentials and headers stay with the origin that the request began at.

        Raises:
            SourceUnavailable: the service cannot be reached, or broke off.
            CallDenied: it is not to be reached.
            ResultTooLarge: the answer is above the cap.
        """
        step = request
        home = _origin(request.url)
        most = max_bytes or self._max_bytes
        for _ in range(_MAX_REDIRECTS + 1):
            origin = _origin(step.url)
            if origin == home:
                client = await self._client(origin)
                answer = await self._send_once(_with(step, credentials), client, most)
            else:
                # Where it leads is the service's choice, so nothing of it is kept.
                async with self._build(origin) as client:
                    answer = await self._send_once(step, client, most)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or not location:
                return answer
            step = self._redirected(step, answer.status, location, home=home)
        raise SourceUnavailable(
            f"{self._shown(request.url)} redirects more than {_MAX_REDIRECTS} times"
        )

    async def _send_once(
        self, request: HttpRequest, client: httpx2.AsyncClient, most: int
    ) -> HttpAnswer:
        try:
            async with client.stream(
                request.method,
                request.url,
                headers=_headers(request),
                content=request.content,
                files=_files(request.parts) or None,
            ) as response:
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > most:
                        raise ResultTooLarge(
                            f"the answer of {self._shown(request.url)} is above the cap of"
                            f" {most:,} bytes",
                            hint="ask for less: a page, a range, a filter; or raise "
                            "max_response_bytes of the source",
                        )
                return HttpAnswer(
                    status=response.status_code,
                    reason=response.reason_phrase,
                    headers=_first_values(response.headers),
                    body=bytes(body),
                    url=request.url,
                )
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
            reason = f"{type(error).__name__}: {error}".rstrip(": ")
            # Chained to nothing: the library's own errors hold the request, headers and all.
            raise SourceUnavailable(
                self._mask(f"asking {self._shown(request.url)} failed: {reason}"),
                hint="check that the service runs and can be reached from here",
            ) from None
        except UnicodeError:
            # Its text would hold the whole value.
            raise CallDenied(
                f"a header for {self._shown(request.url)} holds characters no header can carry"
            ) from None

    async def _client(self, origin: Origin) -> httpx2.AsyncClient:
        if self._ssl is None:
            async with self._reading_ssl:
                # Reading the certificates takes tens of milliseconds: a program's first calls,
                # which come at once, read them together.
                if self._ssl is None:
                    self._ssl = await anyio.to_thread.run_sync(self._read_certificates)
        kept = self._kept.get(origin)
        if kept is None:
            kept = self._kept[origin] = self._build(origin)
            self._stack.push_async_callback(kept.aclose)
        return kept

    def _build(self, origin: Origin) -> httpx2.AsyncClient:
        assert self._ssl is not None
        return httpx2.AsyncClient(
            transport=CheckedTransport(
                self._ssl,
                origin,
                is_named=origin in self._named,
                resolve=self._resolve,
                hint=_HINT,
            ),
            # A jar that takes no cookie: one caller's session must not become another's.
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            follow_redirects=False,
            timeout=_TIMEOUT,
            trust_env=False,
        )

    def _redirected(
        self, step: HttpRequest, status: int, location: str, *, home: Origin
    ) -> HttpRequest:
        """The next request.

        Raises:
            CallDenied: it would carry a body elsewhere, or leave encryption.
        """
        here = _origin(step.url)
        url = urljoin(step.url, location).partition("#")[0]
        there = origin_of(url)
        shown = f"{self._shown(step.url)} redirects to {self._shown(url)[:200]!r}"
        if there is None:
            raise CallDenied(f"{shown}, which is no http or https address")
        if is_downgrade(here, there):
            raise CallDenied(f"{shown}, which is not encrypted")
        becomes_get = (status == _SEE_OTHER and step.method not in _SAFE) or (
            status in _TO_GET and step.method == "POST"
        )
        if becomes_get:
            step = replace(step, method="GET", content=None, parts=())
        if there == here:
            return replace(step, url=url)
        if step.method not in _SAFE:
            raise CallDenied(
                f"{shown}, another host, which {step.method} requests do not follow",
                hint="name that host in base_url of the source if it is meant",
            )
        if there == home:
            raise CallDenied(f"{shown}, back to where it began")
        kept = tuple(pair for pair in step.headers if pair[0] == "accept")
        return replace(step, url=url, headers=kept, cookies=())

    def _shown(self, url: str) -> str:
        """The address as far as it may be shown: a query may hold a key."""
        return self._mask(url.partition("?")[0])


def _origin(url: str) -> Origin:
    origin = origin_of(url)
    assert origin is not None, "addresses are checked before they are asked"
    return origin


def _with(request: HttpRequest, credentials: Credentials) -> HttpRequest:
    """The request with credentials, which come after what an argument says."""
    headers = {name.lower(): value for name, value in (*request.headers, *credentials.headers)}
    encoded = [f"{quote(k, safe='')}={quote(v, safe='')}" for k, v in credentials.query]
    path, separator, query = request.url.partition("?")
    names = {pair.partition("=")[0] for pair in encoded}
    pairs = [p for p in query.split("&") if separator and p.partition("=")[0] not in names]
    url = "?".join(filter(None, (path, "&".join([*pairs, *encoded]))))
    cookies = (f"{name}={quote(value, safe='')}" for name, value in credentials.cookies)
    return replace(
        request,
        url=url,
        headers=tuple(headers.items()),
        cookies=(*request.cookies, *cookies),
    )


def _headers(request: HttpRequest) -> list[tuple[str, str]]:
    headers = [("user-agent", _user_agent()), *request.headers]
    if request.cookies:
        headers.append(("cookie", "; ".join(request.cookies)))
    return headers


@cache
def _user_agent() -> str:
    # Read from disk, which is slower than a request on loopback.
    return f"toolweft/{version('toolweft')}"


def _files(parts: tuple[Part, ...]) -> list[tuple[str, Any]]:
    return [
        (part.name, (part.filename, part.content, part.media_type))
        if part.media_type
        else (part.name, (part.filename, part.content))
        for part in parts
    ]


def _first_values(headers: httpx2.Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in headers.multi_items():
        found.setdefault(name.lower(), value)
    return found
