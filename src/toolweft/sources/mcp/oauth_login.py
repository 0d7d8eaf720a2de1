"""A person logs in to a server in a browser, which comes back to a port of this machine.

Called by the command line alone. The port is open for one login, on loopback, and takes nothing
but the answer to that login.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hmac import compare_digest
from typing import Final
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import SocketAttribute, SocketStream

from toolweft.core.clock import Clock
from toolweft.core.errors import CallDenied, SourceUnavailable, ToolweftError
from toolweft.sources.checked_transport import Resolve
from toolweft.sources.mcp.oauth_answers import error_code
from toolweft.sources.mcp.oauth_flow import OAuthFlow, Redirect
from toolweft.sources.mcp.oauth_sender import OAuthSender, check_private_way
from toolweft.sources.mcp.token_store import TokenStore
from toolweft.sources.options import HttpServerOptions

__all__ = ("Login", "log_in", "log_out")

_HOST: Final = "127.0.0.1"
_PATH: Final = "/callback"
# A browser's request head, with cookies of other things on this host.
_MAX_HEAD_BYTES: Final = 64 * 1024
_HEAD_TIMEOUT_S: Final = 5.0
_PAGE: Final = "<!doctype html><meta charset=utf-8><title>toolweft</title><p>{}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """What came of it, as far as it may be shown."""

    issuer: str
    scopes: tuple[str, ...]
    # Seconds since 1970; None where the authorization server did not say.
    expires_at_s: float | None
    # False: a person is needed again once it has run out.
    is_renewable: bool


async def log_in(
    options: HttpServerOptions,
    *,
    show: Callable[[str], None],
    timeout_s: float,
    clock: Clock,
    resolve: Resolve | None = None,
) -> Login:
    """Log in anew, whatever is kept.

    Args:
        options: of the server, with `oauth`.
        show: is given the address to open in a browser.
        timeout_s: how long is waited for the person.
        clock: tells when a token was given.
        resolve: looks up the addresses of authorization servers; the system's way by default.

    Raises:
        SourceUnavailable: nothing came of it; the message says why.
        CallDenied: an address is not to be used.
    """
    oauth = options.oauth
    assert oauth is not None
    check_private_way(options.url, what=f"the url of server {options.name!r}")
    sender = OAuthSender(server_url=options.url, issuer=oauth.issuer, resolve=resolve)
    flow = OAuthFlow(options, sender=sender, clock=clock)
    store = TokenStore(options)
    known = await store.load()
    if oauth.grant == "client_credentials":
        grant = await flow.exchange()
    else:
        async with _listening(oauth.redirect_port) as port:
            with anyio.move_on_after(timeout_s) as patience:
                redirect = Redirect(
                    url=f"http://{_HOST}:{port.number}{_PATH}",
                    show=port.shown(show),
                    wait=port.wait,
                )
                grant = await flow.authorize(redirect, known=known)
            if patience.cancelled_caught:
                raise SourceUnavailable(
                    f"nobody logged in within {timeout_s:g} s{port.render_strangers()}",
                    hint=f"run `{options.login_command}` again",
                )
    async with store.locked():
        await store.save(grant)
    tokens = grant.tokens or {}
    return Login(
        issuer=str(grant.metadata.get("issuer", "")),
        scopes=tuple(str(tokens.get("scope") or "").split()),
        expires_at_s=grant.expires_at_s,
        is_renewable=bool(grant.refresh_token) or oauth.grant == "client_credentials",
    )


async def log_out(
    options: HttpServerOptions, *, clock: Clock, resolve: Resolve | None = None
) -> tuple[bool, str]:
    """Forget the tokens, and have the authorization server take them back.

    Returns:
        Whether there were any, and why they were not taken back; "" where they were.
    """
    oauth = options.oauth
    assert oauth is not None
    store = TokenStore(options)
    unusable = "what was kept could not be read"
    async with store.locked():
        try:
            grant = await store.load()
        except SourceUnavailable as exc:
            # What others may have written says nothing of where to take tokens back.
            grant, unusable = None, exc.message
        if not await store.remove():
            return False, ""
    if grant is None:
        return True, unusable
    sender = OAuthSender(server_url=options.url, issuer=oauth.issuer, resolve=resolve)
    flow = OAuthFlow(options, sender=sender, clock=clock)
    try:
        is_revoked = await flow.revoke(grant)
    except (SourceUnavailable, CallDenied) as exc:
        return True, str(exc)
    return True, "" if is_revoked else "the authorization server takes no tokens back"


class _Port:
    """An open port that waits for one browser."""

    def __init__(self, number: int) -> None:
        self.number = number
        self._state = ""
        self._strangers = 0
        self._answered = anyio.Event()
        self._answer: tuple[str, str, str | None] | SourceUnavailable | None = None

    def shown(self, show: Callable[[str], None]) -> Callable[[str], Awaitable[None]]:
        async def note(url: str) -> None:
            self._state = parse_qs(urlsplit(url).query).get("state", [""])[0]
            show(url)

        return note

    async def wait(self) -> tuple[str, str, str | None]:
        """Code, state and issuer of the answer.

        Raises:
            SourceUnavailable: the person or the authorization server refused.
        """
        await self._answered.wait()
        assert self._answer is not None
        if isinstance(self._answer, SourceUnavailable):
            raise self._answer
        return self._answer

    def render_strangers(self) -> str:
        """How many answers were to something else."""
        return f"; {self._strangers} answers with a wrong state were refused" * bool(
            self._strangers
        )

    async def serve(self, stream: SocketStream) -> None:
        """Answer one request of a browser."""
        async with stream:
            try:
                with anyio.fail_after(_HEAD_TIMEOUT_S):
                    status, text = self._take(await _read_head(stream))
                    await stream.send(_render(status, text))
            except (OSError, TimeoutError, anyio.BrokenResourceError, anyio.EndOfStream):
                return

    def _take(self, head: str) -> tuple[str, str]:
        """What is answered to a request; one that is the awaited answer ends the wait."""
        line, *rest = head.split("\r\n")
        hosts = [h.partition(":")[2].strip() for h in rest if h.lower().startswith("host:")]
        method, _, target = line.partition(" ")
        path, _, query = target.partition(" ")[0].partition("#")[0].partition("?")
        # A page elsewhere may reach this port under a name of its own.
        if hosts != [f"{_HOST}:{self.number}"] or method != "GET" or path != _PATH:
            return "404 Not Found", "Nothing is here."
        given = {name: values for name, values in parse_qs(query).items() if len(values) == 1}
        state = given.get("state", [""])[0]
        if not self._state or not compare_digest(state.encode(), self._state.encode()):
            self._strangers += 1
            return "400 Bad Request", "This is no answer to the login that is waited for."
        if self._answered.is_set():
            return "400 Bad Request", "This login is over."
        code = given.get("code", [""])[0]
        if "error" in given or not code:
            self._answer = _refusal(given.get("error", [""])[0])
            said = "The login was refused. You can close this page."
        else:
            self._answer = (code, state, given.get("iss", [None])[0])
            said = "Go back to the terminal: the login is completed there. You can close this page."
        self._answered.set()
        return "200 OK", said


def _refusal(error: str) -> SourceUnavailable:
    code = error_code(error)
    return SourceUnavailable(
        f"the login was refused: {code}" if code else "the login came back without a code"
    )


@asynccontextmanager
async def _listening(number: int) -> AsyncIterator[_Port]:
    try:
        listener = await anyio.create_tcp_listener(local_host=_HOST, local_port=number)
    except OSError as exc:
        raise SourceUnavailable(
            f"port {number} is not free: {exc.strerror}",
            hint="end what uses it, or choose another redirect_port in the server's auth",
        ) from exc
    port = _Port(listener.extra(SocketAttribute.local_port))  # noqa: S610  # nosec B610
    failure: ToolweftError | None = None
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, port.serve)
        try:
            yield port
        except ToolweftError as exc:
            # As it is, not in a group.
            failure = exc
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


async def _read_head(stream: SocketStream) -> str:
    head = b""
    while b"\r\n\r\n" not in head:
        if len(head) > _MAX_HEAD_BYTES:
            raise anyio.EndOfStream
        head += await stream.receive()
    return head.partition(b"\r\n\r\n")[0].decode("latin-1")


def _render(status: str, text: str) -> bytes:
    body = _PAGE.format(text).encode()
    head = (
        f"HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\n"
        f"content-length: {len(body)}\r\ncache-control: no-store\r\n"
        "referrer-policy: no-referrer\r\n"
        "content-security-policy: default-src 'none'\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body
