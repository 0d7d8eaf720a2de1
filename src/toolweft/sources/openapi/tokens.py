"""Tokens of OAuth 2 by client credentials: asked for once, kept until they run out."""

import base64
import json
from urllib.parse import quote, urlencode

import anyio

from toolweft.core.clock import Clock
from toolweft.core.errors import SourceUnavailable
from toolweft.core.json import Json
from toolweft.core.secret import Secret, reveal
from toolweft.sources.openapi.client import ServiceClient
from toolweft.sources.openapi.requests import HttpRequest
from toolweft.sources.openapi.security import Credentials
from toolweft.sources.options import ClientCredentials

__all__ = ("TokenKeeper",)

_MAX_ANSWER_BYTES = 1024 * 1024
_OK = 200
# A token is not used in its last seconds, in which it may run out on the way.
_MARGIN_S = 30.0
# Where the server does not say.
_DEFAULT_LIFE_S = 300.0


class TokenKeeper:
    """The token of one client.

    Args:
        credentials: of the client; with its `token_url`.
        client: sends the request for a token.
        clock: tells when a token runs out.
    """

    def __init__(
        self, credentials: ClientCredentials, *, client: ServiceClient, clock: Clock
    ) -> None:
        self._credentials = credentials
        self._client = client
        self._clock = clock
        self._lock = anyio.Lock()
        self._tokens: dict[tuple[str, ...], tuple[Secret, float]] = {}

    async def token(self, scopes: tuple[str, ...]) -> Secret:
        """A token that is still good, for these scopes unless the configuration has others.

        Raises:
            SourceUnavailable: the server gives none.
        """
        wanted = self._credentials.scopes or scopes
        # One request for all who wait.
        async with self._lock:
            known = self._tokens.get(wanted)
            if known is None or known[1] <= self._clock.monotonic_s():
                known = self._tokens[wanted] = await self._ask(wanted)
            return known[0]

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """The tokens at hand, which nobody may see."""
        return tuple(token for token, _ in self._tokens.values())

    def forget(self) -> None:
        """The service refused a token, so that none is to be trusted."""
        self._tokens.clear()

    async def _ask(self, scopes: tuple[str, ...]) -> tuple[Secret, float]:
        form = {"grant_type": "client_credentials"}
        if scopes:
            form["scope"] = " ".join(scopes)
        pair = ":".join(
            quote(reveal(text), safe="")
            for text in (self._credentials.client_id, self._credentials.client_secret)
        )
        basic = base64.b64encode(pair.encode()).decode()
        answer = await self._client.send(
            HttpRequest(
                method="POST",
                url=self._credentials.token_url,
                headers=(
                    ("accept", "application/json"),
                    ("content-type", "application/x-www-form-urlencoded"),
                ),
                content=urlencode(form).encode(),
            ),
            Credentials(headers=(("authorization", f"Basic {basic}"),)),
            max_bytes=_MAX_ANSWER_BYTES,
        )
        try:
            said: Json = json.loads(answer.body)
        except (ValueError, RecursionError):
            said = None
        token = said.get("access_token") if isinstance(said, dict) else None
        is_token = isinstance(token, str) and token.isascii() and token.isprintable()
        if answer.status != _OK or not token or not is_token:
            error = said.get("error") if isinstance(said, dict) else None
            why = f": {error[:80]}" if isinstance(error, str) else ""
            raise SourceUnavailable(
                f"{self._credentials.token_url} gave no token: {answer.title}{why}",
                hint="check client_id and client_secret of the source",
            )
        life = said.get("expires_in")
        life_s = float(life) if isinstance(life, int | float) else _DEFAULT_LIFE_S
        until_s = self._clock.monotonic_s() + max(life_s - _MARGIN_S, life_s / 2)
        return Secret(token, reference=self._credentials.token_url), until_s
