"""Gets tokens from an authorization server: with the SDK's own flows, each request looked at first.

The SDK finds the authorization server, registers, proves and exchanges. Here its requests are sent
one by one, so that none goes where it must not, and what comes back is kept. Nothing that a server
sent, and no token, is repeated in an error.
"""

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import httpx2
from mcp.client.auth import (
    OAuthClientProvider,
    OAuthFlowError,
    OAuthRegistrationError,
    OAuthTokenError,
)
from mcp.client.auth.utils import issuers_match
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthMetadata,
    OAuthToken,
    ProtectedResourceMetadata,
)
from mcp_types.version import LATEST_PROTOCOL_VERSION
from pydantic import AnyUrl, ValidationError

from toolweft.core.clock import Clock
from toolweft.core.errors import SourceUnavailable
from toolweft.core.json import JsonObject
from toolweft.core.secret import reveal
from toolweft.sources.mcp.oauth_answers import plain, render_answer, render_status
from toolweft.sources.mcp.oauth_refusals import TokenRefused, check_refusal
from toolweft.sources.mcp.oauth_sender import OAuthSender, check_private_way
from toolweft.sources.mcp.oauth_storage import FlowStorage
from toolweft.sources.mcp.token_store import Grant
from toolweft.sources.options import HttpServerOptions, OAuthOptions

__all__ = ("OAuthFlow", "Redirect")

# The SDK logs what went wrong with the servers' own words, in which tokens may stand. Whatever it
# is, it is raised from here as well.
logging.getLogger("mcp.client.auth.oauth2").addFilter(lambda _record: False)

_UNAUTHORIZED: Final = frozenset({401, 403})
_OK: Final = 200
# What the SDK ends with, as it reads answers unchecked: addresses that are none, texts that are no
# UTF-8, times that no clock has.
_UNREADABLE: Final = (ValueError, OverflowError, httpx2.InvalidURL)
# What lives longer lives for ever, as far as anybody here will know; clocks end somewhere.
_MAX_LIFE_S: Final = 10 * 366 * 24 * 3600
# A time in the past, so that the SDK refreshes at once.
_LONG_AGO_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """Where a person's browser is sent, and how its return is waited for."""

    # "http://127.0.0.1:PORT/callback".
    url: str
    # Is given the address that the person opens.
    show: Callable[[str], Awaitable[None]]
    # Code, state and issuer, as the browser brought them.
    wait: Callable[[], Awaitable[tuple[str, str, str | None]]]


_Provider: TypeAlias = OAuthClientProvider


class OAuthFlow:
    """The ways to a token of one server.

    Args:
        options: of the server, with `oauth`.
        sender: sends the requests.
        clock: tells when a token was given.
    """

    def __init__(self, options: HttpServerOptions, *, sender: OAuthSender, clock: Clock) -> None:
        assert options.oauth is not None
        self._options = options
        self._oauth: OAuthOptions = options.oauth
        self._sender = sender
        self._clock = clock

    async def authorize(self, redirect: Redirect, *, known: Grant | None) -> Grant:
        """A grant that a person agrees to in a browser.

        Args:
            redirect: to the person and back.
            known: what was kept of an earlier time; its registration is used again.

        Raises:
            SourceUnavailable: no token came of it; the message says why.
            CallDenied: an address is not to be used.
        """

        async def come_back() -> AuthorizationCodeResult:
            code, state, issuer = await redirect.wait()
            return AuthorizationCodeResult(code=code, state=state, iss=issuer)

        async def show(url: str) -> None:
            check_private_way(url, what="the page to log in at")
            await redirect.show(url)

        storage = FlowStorage(client=self._client(redirect.url, known))
        provider = OAuthClientProvider(
            self._options.url,
            OAuthClientMetadata(
                client_name="toolweft",
                redirect_uris=[AnyUrl(redirect.url)],
                scope=" ".join(self._oauth.scopes) or None,
            ),
            storage,
            show,
            come_back,
        )
        return await self._run(provider, storage, needs_proof=True)

    async def exchange(self) -> Grant:
        """A grant for the client itself.

        Raises:
            SourceUnavailable: no token came of it; the message says why.
            CallDenied: an address is not to be used.
        """
        # It brings a library for signed assertions, which takes tens of milliseconds.
        from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider

        storage = FlowStorage()
        provider = ClientCredentialsOAuthProvider(
            self._options.url,
            storage,
            reveal(self._oauth.client_id),
            reveal(self._oauth.client_secret),
            token_endpoint_auth_method=self._oauth.client_auth,
            scope=" ".join(self._oauth.scopes) or None,
            issuer=self._oauth.issuer,
        )
        return await self._run(provider, storage, needs_proof=False)

    async def refresh(self, grant: Grant) -> Grant:
        """A grant with new tokens in place of those that ran out.

        Raises:
            TokenRefused: the refresh token is of no more use, or there is none.
            SourceUnavailable: the authorization server cannot be asked now.
            CallDenied: its address is not to be used.
        """
        if not grant.refresh_token:
            raise TokenRefused
        provider, storage = self._resumed(grant)
        assert provider.context.oauth_metadata is not None
        self._check_issuer(provider.context.oauth_metadata)
        flow = provider.async_auth_flow(self._probe())
        try:
            answer = await self._sender.send(await anext(flow))
            # With a token that no header can hold the SDK gives up; what it was given is kept.
            with suppress(*_UNREADABLE):
                await flow.asend(answer)
        finally:
            await flow.aclose()
        if storage.new_tokens is not None:
            return self._grant(provider, storage)
        check_refusal(answer, is_configured=bool(self._oauth.client_id))
        raise SourceUnavailable(
            f"the authorization server gave no new token: {render_answer(answer)}",
            hint=f"try again; where that stays so, `{self._options.login_command}` logs in again",
        )

    def _resumed(self, grant: Grant) -> tuple[_Provider, FlowStorage]:
        """The SDK's flow where it was when the grant was kept, its token run out.

        Raises:
            TokenRefused: what was kept is not what an authorization server gives.
        """
        try:
            storage = FlowStorage(
                tokens=OAuthToken.model_validate(grant.tokens), client=self._stored_client(grant)
            )
            metadata = OAuthMetadata.model_validate(grant.metadata)
            resource = (
                None
                if grant.resource is None
                else ProtectedResourceMetadata.model_validate(grant.resource)
            )
        except ValidationError:
            raise TokenRefused from None
        nowhere = OAuthClientMetadata(redirect_uris=[AnyUrl("http://localhost")])
        provider = OAuthClientProvider(self._options.url, nowhere, storage)
        provider.context.oauth_metadata = metadata
        provider.context.auth_server_url = str(metadata.issuer)
        provider.context.protected_resource_metadata = resource
        provider.context.client_info = storage.client
        provider.context.token_expiry_time = _LONG_AGO_S
        return provider, storage

    async def revoke(self, grant: Grant) -> bool:
        """Tell the authorization server that the tokens are not used any more; whether it agreed.

        Raises:
            SourceUnavailable: it cannot be asked.
            CallDenied: its address is not to be used.
        """
        try:
            provider, storage = self._resumed(grant)
        except TokenRefused:
            return False
        metadata, client = provider.context.oauth_metadata, storage.client
        assert metadata is not None
        assert client is not None
        token = grant.refresh_token or grant.access_token
        if metadata.revocation_endpoint is None or not token:
            return False
        self._check_issuer(metadata)
        form = {"token": token, "client_id": client.client_id}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        form, headers = provider.context.prepare_token_auth(form, headers)
        endpoint = str(metadata.revocation_endpoint)
        answer = await self._sender.send(
            httpx2.Request("POST", endpoint, data=form, headers=headers)
        )
        return answer.status_code == _OK

    async def _run(self, provider: _Provider, storage: FlowStorage, *, needs_proof: bool) -> Grant:
        probe = self._probe()
        flow = provider.async_auth_flow(probe)
        last: httpx2.Response | None = None
        try:
            request = await anext(flow)
            while True:
                if request.method == "POST" and request is not probe:
                    self._check_ready(provider, request, needs_proof=needs_proof)
                last = await self._sender.send(request)
                if request is probe and storage.new_tokens is None:
                    last = self._with_scopes(last)
                request = await flow.asend(last)
        except StopAsyncIteration:
            pass
        except (OAuthFlowError, *_UNREADABLE) as error:
            raise _explained(error, provider, last) from None
        finally:
            await flow.aclose()
        assert last is not None
        if storage.new_tokens is None:
            raise SourceUnavailable(
                f"the server did not ask for a login: it answered {render_status(last)}",
                hint="use it without auth, or check its url",
            )
        if last.status_code in _UNAUTHORIZED:
            raise SourceUnavailable(
                f"the server refuses the new token: it answered {render_status(last)}",
                hint="check the scopes, and that the account may use this server",
            )
        return self._grant(provider, storage)

    def _check_ready(
        self, provider: _Provider, request: httpx2.Request, *, needs_proof: bool
    ) -> None:
        """Refuse to register or to send a secret before all is in order.

        Raises:
            SourceUnavailable: it is not.
            CallDenied: a page is not to be opened.
        """
        metadata = provider.context.oauth_metadata
        if metadata is None:
            raise SourceUnavailable(
                f"{_name(provider)} publishes nothing of itself, as an authorization server has to",
                hint="ask whoever runs the server; a key can be given in headers",
            )
        self._check_issuer(metadata)
        if self._oauth.client_id and "json" in request.headers.get("content-type", ""):
            raise SourceUnavailable(
                f"{_name(provider)} does not know the configured client",
                hint="check issuer and client_id in the server's auth",
            )
        methods = metadata.code_challenge_methods_supported or []
        if needs_proof and "S256" not in methods:
            raise SourceUnavailable(
                f"{_name(provider)} does not say that it supports PKCE with S256, without which"
                " a login could be stolen",
                hint="ask whoever runs it",
            )

    def _check_issuer(self, metadata: OAuthMetadata) -> None:
        wanted, found = self._oauth.issuer, str(metadata.issuer)
        if wanted and not issuers_match(found, wanted):
            raise SourceUnavailable(
                f"the server leads to the authorization server {plain(found)}, but issuer is"
                f" {wanted!r}",
                hint="correct issuer in the server's auth, if the other one is meant",
            )

    def _probe(self) -> httpx2.Request:
        """A request that needs a token, and does nothing."""
        headers = {name: reveal(value) for name, value in self._options.headers.items()}
        headers |= {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": LATEST_PROTOCOL_VERSION,
        }
        ping = {"jsonrpc": "2.0", "id": 0, "method": "ping"}
        return httpx2.Request("POST", self._options.url, json=ping, headers=headers)

    def _with_scopes(self, response: httpx2.Response) -> httpx2.Response:
        """The server's refusal, asking for the scopes that are configured."""
        if not self._oauth.scopes or response.status_code not in _UNAUTHORIZED:
            return response
        challenge = response.headers.get("www-authenticate", "")
        # The first of a name is what is read.
        wanted = f'Bearer scope="{" ".join(self._oauth.scopes)}"'
        rest = challenge.strip().removeprefix("Bearer").strip()
        response.headers["www-authenticate"] = f"{wanted}, {rest}" if rest else wanted
        return response

    def _client(self, redirect_url: str, known: Grant | None) -> OAuthClientInformationFull | None:
        """The client to log in as; None has toolweft registered."""
        if self._oauth.client_id:
            secret = reveal(self._oauth.client_secret)
            return OAuthClientInformationFull(
                client_id=reveal(self._oauth.client_id),
                client_secret=secret or None,
                token_endpoint_auth_method=self._oauth.client_auth if secret else "none",
                redirect_uris=[AnyUrl(redirect_url)],
            )
        if known is None:
            return None
        try:
            client = OAuthClientInformationFull.model_validate(known.client)
        except ValidationError:
            return None
        # Authorization servers compare the whole of it, port included.
        return client if AnyUrl(redirect_url) in (client.redirect_uris or ()) else None

    def _stored_client(self, grant: Grant) -> OAuthClientInformationFull:
        client = OAuthClientInformationFull.model_validate(grant.client)
        if self._oauth.client_id:
            client.client_secret = reveal(self._oauth.client_secret) or None
        return client

    def _grant(self, provider: _Provider, storage: FlowStorage) -> Grant:
        context, tokens = provider.context, storage.new_tokens
        assert tokens is not None
        assert context.oauth_metadata is not None
        assert context.client_info is not None
        client = _dump(context.client_info)
        if self._oauth.client_id:
            client.pop("client_secret", None)
        lives_s = None if tokens.expires_in is None else min(tokens.expires_in, _MAX_LIFE_S)
        resource = context.protected_resource_metadata
        return Grant(
            tokens={**_dump(tokens), **({} if lives_s is None else {"expires_in": lives_s})},
            expires_at_s=None if lives_s is None else self._clock.now().timestamp() + lives_s,
            client=client,
            metadata=_dump(context.oauth_metadata),
            resource=None if resource is None else _dump(resource),
        )


def _dump(model: Any) -> JsonObject:
    dumped: JsonObject = model.model_dump(mode="json", exclude_none=True)
    return dumped


def _explained(
    error: Exception, provider: _Provider, last: httpx2.Response | None
) -> SourceUnavailable:
    """What went wrong in a flow of the SDK, without the servers' own words."""
    match error:
        case OAuthRegistrationError():
            return SourceUnavailable(
                f"toolweft cannot be registered at {_name(provider)}: {render_answer(last)}",
                hint="register a client there yourself, and give its client_id in auth",
            )
        case OAuthTokenError() | ValidationError():
            return SourceUnavailable(f"{_name(provider)} gave no token: {render_answer(last)}")
        case OAuthFlowError():
            # Of these only addresses are quoted, but for a state that does not fit.
            text = str(error)
            said = "the answer is not one to this login" if "State" in text else plain(text)
            return SourceUnavailable(f"the login cannot be completed: {said}")
        case _:
            return SourceUnavailable(
                f"{_name(provider)} sent what cannot be read: {render_answer(last)}",
                hint="only whoever runs it can change this",
            )


def _name(provider: _Provider) -> str:
    context = provider.context
    known = context.oauth_metadata.issuer if context.oauth_metadata else context.auth_server_url
    return plain(str(known or "the authorization server"))
