"""The token of one server, for whoever sends it requests: kept, renewed in time, never shown.

A person is needed only where there is no grant yet or the one there is was taken back; that is said
with the command that helps, and nothing waits for it.
"""

import math
from dataclasses import replace
from typing import Final

import anyio
import httpx2
from mcp.client.auth.utils import extract_scope_from_www_auth

from toolweft.core.clock import Clock
from toolweft.core.errors import CallDenied, SourceUnavailable
from toolweft.sources.checked_transport import Resolve
from toolweft.sources.mcp.oauth_flow import OAuthFlow
from toolweft.sources.mcp.oauth_refusals import TokenRefused
from toolweft.sources.mcp.oauth_sender import OAuthSender, check_private_way
from toolweft.sources.mcp.token_store import Grant, TokenStore
from toolweft.sources.options import HttpServerOptions

__all__ = ("OAuthTokens",)

# A token is not used in its last seconds, in which it may run out on the way.
_MARGIN_S: Final = 30.0
# What is kept is looked at again after this, so that a login or logout elsewhere counts soon.
_LOOK_AGAIN_S: Final = 2.0
# A server that refuses one token and soon after the one in its place refuses the next one too.
_YOUNG_S: Final = 10.0


class OAuthTokens:
    """Tokens for the requests to one server.

    Args:
        options: of the server, with `oauth`.
        clock: tells when a token runs out.
        resolve: looks up the addresses of authorization servers; the system's way by default.

    Raises:
        CallDenied: the server's own address is not one that tokens may be sent to.
    """

    def __init__(
        self, options: HttpServerOptions, *, clock: Clock, resolve: Resolve | None = None
    ) -> None:
        assert options.oauth is not None
        check_private_way(options.url, what=f"the url of server {options.name!r}")
        self._login = options.login_command
        self._is_interactive = options.oauth.grant == "authorization_code"
        self._store = TokenStore(options)
        sender = OAuthSender(server_url=options.url, issuer=options.oauth.issuer, resolve=resolve)
        self._flow = OAuthFlow(options, sender=sender, clock=clock)
        self._clock = clock
        self._turn = anyio.Lock()
        self._grant: Grant | None = None
        self._looked_at_s = -math.inf
        self._replaced_at_s = -math.inf
        # Why there was no token when last asked, and when that was.
        self._failure: SourceUnavailable | None = None
        self._failed_at_s = -math.inf
        # Every token that a request carried lately; a server may repeat one.
        self._sent: list[str] = []

    async def token(self) -> str:
        """A token that is good as far as is known.

        Raises:
            SourceUnavailable: there is none; the message says what a person can do.
        """
        grant = await self._known()
        if grant is None or not self._is_good(grant):
            grant = await self._renewed(rejected="")
        return self._handed_out(grant)

    async def after(self, rejected: str) -> str:
        """Another token, as the server refused this one.

        Raises:
            SourceUnavailable: there is no other; the message says what a person can do.
        """
        return self._handed_out(await self._renewed(rejected=rejected))

    def advise(self, response: httpx2.Response) -> str:
        """What a person can do where the server refuses a good token."""
        scope = extract_scope_from_www_auth(response)
        wanted = " ".join("".join(c for c in scope or "" if c.isprintable()).split()[:20])[:200]
        add = f"it wants the scopes {wanted!r}: add them to auth.scopes, then " if wanted else ""
        return f"{add}`{self._login}` logs in again"

    def hide(self, data: bytes) -> bytes:
        """What a server answered, without the tokens it was sent."""
        for token in self._sent:
            data = data.replace(token.encode(), b"***")
        return data

    def begun(self, data: bytes) -> int:
        """How many bytes at the end may be the beginning of a token that was sent."""
        return max((_overlap(data, token.encode()) for token in self._sent), default=0)

    def _handed_out(self, grant: Grant) -> str:
        token = grant.access_token
        if token not in self._sent:
            self._sent = [token, *self._sent][:2]
        return token

    async def _known(self) -> Grant | None:
        now_s = self._clock.monotonic_s()
        if now_s - self._looked_at_s >= _LOOK_AGAIN_S:
            self._grant = await self._store.load()
            self._looked_at_s = now_s
        return self._grant

    async def _renewed(self, *, rejected: str) -> Grant:
        began_s = self._clock.monotonic_s()
        # One request for all who wait, here and in other processes.
        async with self._turn:
            # Who came before an attempt failed would only wait as long again.
            if self._failure is not None and self._failed_at_s > began_s:
                raise SourceUnavailable(self._failure.message, hint=self._failure.hint)
            try:
                return await self._renewed_alone(rejected=rejected)
            except SourceUnavailable as exc:
                # Not the error itself, which holds the frames it came through, tokens and all.
                self._failure = SourceUnavailable(exc.message, hint=exc.hint)
                self._failed_at_s = self._clock.monotonic_s()
                raise

    async def _renewed_alone(self, *, rejected: str) -> Grant:
        async with self._store.locked():
            grant = await self._store.load()
            if grant is None or grant.access_token == rejected or not self._is_good(grant):
                if rejected and self._clock.monotonic_s() - self._replaced_at_s < _YOUNG_S:
                    raise SourceUnavailable(
                        "the server refuses a token that is new",
                        hint="check the scopes, and that the account may use this server",
                    )
                grant = await self._asked(grant)
                if not _is_header_value(grant.access_token):
                    raise SourceUnavailable(
                        "the authorization server gave a token that no header can hold",
                        hint="only whoever runs it can change this",
                    )
                if rejected:
                    self._replaced_at_s = self._clock.monotonic_s()
            self._grant, self._looked_at_s = grant, self._clock.monotonic_s()
            return grant

    async def _asked(self, grant: Grant | None) -> Grant:
        try:
            if not self._is_interactive:
                renewed = await self._flow.exchange()
            elif grant is None or grant.tokens is None:
                raise self._needs_login("nobody is logged in")
            else:
                # Once it is asked for, the old refresh token may be good for nothing: a caller who
                # gives up must not take the new one away. The sender's time-outs bound it.
                with anyio.CancelScope(shield=True):
                    renewed = await self._flow.refresh(grant)
                    await self._store.save(renewed)
                return renewed
        except TokenRefused as refused:
            assert grant is not None
            # The registration stays, for the next login, as long as it is good for one.
            client = {} if refused.is_unknown else grant.client
            await self._store.save(replace(grant, tokens=None, client=client))
            raise self._needs_login("the login has run out or was taken back") from None
        except CallDenied as exc:
            raise SourceUnavailable(f"no token can be had: {exc.message}", hint=exc.hint) from exc
        await self._store.save(renewed)
        return renewed

    def _is_good(self, grant: Grant) -> bool:
        if not _is_header_value(grant.access_token):
            return False
        if grant.expires_at_s is None:
            return True
        left_s = grant.expires_at_s - self._clock.now().timestamp()
        lives_s = (grant.tokens or {}).get("expires_in")
        margin_s = _MARGIN_S
        if isinstance(lives_s, int) and lives_s < 2 * _MARGIN_S:
            margin_s = lives_s / 2
        return left_s > margin_s

    def _needs_login(self, why: str) -> SourceUnavailable:
        return SourceUnavailable(f"{why}: `{self._login}` is needed")


def _is_header_value(token: str) -> bool:
    return bool(token) and token.isascii() and token.isprintable()


def _overlap(data: bytes, token: bytes) -> int:
    """The longest end of `data` that `token` begins with."""
    longest = min(len(data), len(token) - 1)
    return next((n for n in range(longest, 0, -1) if data.endswith(token[:n])), 0)
