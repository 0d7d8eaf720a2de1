"""The streamable HTTP transport: the SDK's own, over a client that says what went wrong.

The SDK reports every HTTP error as one sentence without its status and lets a refused connection
break the whole session. The client here answers such requests with a protocol error that names
the cause, and bounds what it reads.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Protocol

import anyio
import httpx2
import mcp_types as types
from mcp.client import Transport
from mcp.client.streamable_http import streamable_http_client
from pydantic import ValidationError

from toolweft.core.clock import SystemClock
from toolweft.core.errors import CallDenied, SourceUnavailable
from toolweft.core.secret import reveal
from toolweft.sources.mcp.depth import TooDeepError, mend_deep
from toolweft.sources.mcp.faults import FaultKind, build_fault
from toolweft.sources.mcp.halves import mend_halves
from toolweft.sources.mcp.hiding import HidingStream
from toolweft.sources.mcp.mending import MendingStream
from toolweft.sources.options import HttpServerOptions

__all__ = ("HttpLink", "open_http_link")

# To connect, to send, to get a connection of the pool. How long an answer may take is the call's
# own deadline, so reading has none.
_CONNECT_TIMEOUT_S = 10.0
# A session is closed with a request of its own; a server that does not answer it is left alone.
_CLOSE_TIMEOUT_S = 1.0
_JSON = {"content-type": "application/json"}


class _Tokens(Protocol):
    """What `toolweft.sources.mcp.oauth` gives; its module is imported only where it is needed."""

    async def token(self) -> str: ...

    async def after(self, rejected: str) -> str: ...

    def advise(self, response: httpx2.Response) -> str: ...

    def hide(self, data: bytes) -> bytes: ...

    def begun(self, data: bytes) -> int: ...


class _Client(httpx2.AsyncClient):
    """Turns every POST that got no usable answer into a protocol error with its reason."""

    def __init__(self, options: HttpServerOptions, *, tokens: _Tokens | None) -> None:
        headers = {name: reveal(value) for name, value in options.headers.items()}
        if tokens is not None:
            # What comes back is searched for tokens, which cannot be done in what is packed.
            headers["accept-encoding"] = "identity"
        super().__init__(
            headers=headers,
            timeout=httpx2.Timeout(_CONNECT_TIMEOUT_S, read=None),
            # A pool that runs out would hold up calls; what may run at once is the road's choice.
            limits=httpx2.Limits(max_connections=None, max_keepalive_connections=20),
        )
        self._tokens = tokens
        self._place = _place(options)
        self._max_bytes = options.max_message_bytes
        # The server is gone, or has forgotten the session: this client is of no more use.
        self.ended = anyio.Event()
        self.end_reason = ""

    async def send(self, request: httpx2.Request, **how: Any) -> httpx2.Response:
        """Send one request, as `httpx2.AsyncClient` does."""
        if request.method == "DELETE":
            with anyio.fail_after(_CLOSE_TIMEOUT_S):
                return await self._send(request, **how)
        if request.method != "POST":
            return await self._send(request, **how)
        try:
            response = await self._send(request, **how)
        except httpx2.ConnectError as exc:
            return self._end(request, "unreachable", f"cannot connect to {self._place}: {exc}")
        except httpx2.TransportError as exc:
            reason = f"{type(exc).__name__}: {exc}".rstrip(": ")
            return _answer(request, "unreachable", f"asking {self._place} failed: {reason}")
        if response.is_redirect:
            return response
        if _is_stream(response):
            if isinstance(response.stream, httpx2.AsyncByteStream):
                response.stream = MendingStream(response.stream, max_line_bytes=self._max_bytes)
            return response
        try:
            return await self._read(response)
        except (httpx2.TransportError, httpx2.DecodingError) as exc:
            # An answer that breaks off fails its own call; the next one may be whole.
            reason = f"{type(exc).__name__}: {exc}".rstrip(": ")
            return _answer(request, "unreachable", f"{self._place} broke off: {reason}")

    async def _send(self, request: httpx2.Request, **how: Any) -> httpx2.Response:
        """Send one request with a token where one is wanted, and with a new one if that is refused.

        Nothing was done for a request that was refused, so it may be sent again.
        """
        if self._tokens is None:
            return await super().send(request, **how)
        try:
            token = await self._tokens.token()
            request.headers["authorization"] = f"Bearer {token}"
            response = await super().send(request, **how)
            if response.status_code == HTTPStatus.UNAUTHORIZED:
                await response.aclose()
                token = await self._tokens.after(token)
                request.headers["authorization"] = f"Bearer {token}"
                response = await super().send(request, **how)
        except SourceUnavailable as exc:
            return _answer(request, "refused", f"{self._place}: {exc}")
        if _is_stream(response) and isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = HidingStream(
                response.stream, hide=self._tokens.hide, begun=self._tokens.begun
            )
        return response

    def _end(self, request: httpx2.Request, kind: FaultKind, reason: str) -> httpx2.Response:
        self.end_reason = reason
        self.ended.set()
        return _answer(request, kind, reason)

    async def _read(self, response: httpx2.Response) -> httpx2.Response:
        """The same response with its body read, or the error that stands for it."""
        request = response.request
        body = bytearray()
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > self._max_bytes:
                    cap = f"the answer is above the cap of {self._max_bytes:,} bytes"
                    return _answer(request, "too_large", cap)
        finally:
            await response.aclose()
        # A session that the server forgot, whatever it says of it; the SDK sends its id with every
        # request.
        if response.status_code == HTTPStatus.NOT_FOUND and "mcp-session-id" in request.headers:
            return self._end(request, "ended", f"{self._place} ended the session")
        content = mend_halves(bytes(body))
        if response.is_error and not _is_error_response(content):
            return _answer(request, "refused", self._render_status(response))
        try:
            content = mend_deep(content)
        except TooDeepError as exc:
            return _answer(request, "malformed", str(exc))
        if self._tokens is not None:
            content = self._tokens.hide(content)
        kept = [
            (name, value)
            for name, value in response.headers.multi_items()
            # The body is decoded and whole now.
            if name not in {"content-encoding", "content-length", "transfer-encoding"}
        ]
        return httpx2.Response(response.status_code, headers=kept, content=content, request=request)

    def _render_status(self, response: httpx2.Response) -> str:
        status = f"HTTP {response.status_code} {response.reason_phrase}".rstrip()
        answer = f"{self._place} answered {status}"
        if response.status_code not in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            return answer
        if self._tokens is None:
            return f"{answer}; check the server's headers, as Authorization{_advice(response)}"
        return f"{answer}; {self._tokens.advise(response)}"


class HttpLink:
    """A way to one endpoint."""

    def __init__(self, client: _Client, *, options: HttpServerOptions) -> None:
        self._client = client
        self._options = options

    @property
    def transport(self) -> Transport:
        """The two streams."""
        return streamable_http_client(
            self._options.url,
            http_client=self._client,
            max_sse_event_size=self._options.max_message_bytes,
        )

    async def wait_ended(self) -> None:
        """Return when the endpoint cannot be reached any more, or has forgotten the session."""
        await self._client.ended.wait()

    def explain(self) -> str:
        """Why it ended; "" while it has not."""
        return self._client.end_reason

    def last_words(self) -> str:
        """Nothing: what a distant server prints stays there."""
        return ""


@asynccontextmanager
async def open_http_link(options: HttpServerOptions) -> AsyncIterator[HttpLink]:
    """Get ready to reach the server; nothing is sent yet.

    Raises:
        SourceUnavailable: the address cannot be used.
    """
    url = httpx2.URL(options.url)
    if url.scheme not in {"http", "https"} or not url.host:
        raise SourceUnavailable(
            "its url is not an http:// or https:// address",
            hint="correct url in the server's configuration",
        )
    _check_headers(options)
    tokens: _Tokens | None = None
    if options.oauth is not None:
        from toolweft.sources.mcp.oauth import OAuthTokens

        try:
            tokens = OAuthTokens(options, clock=SystemClock())
        except CallDenied as exc:
            raise SourceUnavailable(exc.message, hint=exc.hint) from exc
    async with _Client(options, tokens=tokens) as client:
        yield HttpLink(client, options=options)


def _check_headers(options: HttpServerOptions) -> None:
    """Refuse what no header can hold; libraries would, in words of theirs.

    Raises:
        SourceUnavailable: a header cannot be sent; its value is not told.
    """
    for name, value in options.headers.items():
        text = reveal(value)
        if not (text.isascii() and text.replace("\t", " ").isprintable() and text == text.strip()):
            raise SourceUnavailable(
                f"its header {name!r} holds what no header can: a line break, a blank at an end, a"
                " control character or a letter beyond ASCII",
                hint="correct headers in the server's configuration, or the variable it comes from",
            )


def _is_stream(response: httpx2.Response) -> bool:
    kind = response.headers.get("content-type", "").lower()
    return response.is_success and kind.startswith("text/event-stream")


def _is_error_response(body: bytes) -> bool:
    try:
        message = types.jsonrpc_message_adapter.validate_json(body, by_name=False)
    except ValidationError:
        return False
    return isinstance(message, types.JSONRPCError)


def _advice(response: httpx2.Response) -> str:
    """What a server that was set up without auth says of logging in."""
    if "resource_metadata=" not in response.headers.get("www-authenticate", ""):
        return ""
    return ', or log in: give it auth = {type = "oauth"}'


def _place(options: HttpServerOptions) -> str:
    url = httpx2.URL(options.url)
    if options.secrets:
        # A key may stand anywhere in it, in the path too.
        return f"{url.scheme}://{url.netloc.decode('ascii', 'replace')}"
    return str(url.copy_with(username=None, password=None, query=None))


def _answer(request: httpx2.Request, kind: FaultKind, message: str) -> httpx2.Response:
    """A protocol error in place of an answer; the SDK matches it to its request."""
    error = types.JSONRPCError(jsonrpc="2.0", id=None, error=build_fault(kind, message))
    return httpx2.Response(
        HTTPStatus.BAD_GATEWAY,
        headers=_JSON,
        content=error.model_dump_json(by_alias=True),
        request=request,
    )
