"""What every HTTP request passes before MCP sees it: accepted headers, then a known key."""

from http import HTTPStatus
from typing import Final

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from toolweft.gateway.conversations import PrincipalUser
from toolweft.gateway.headers import HeaderRules
from toolweft.gateway.keys import KeyRing

__all__ = ("HeaderGuard", "KeyGuard")

_REALM: Final = 'Bearer realm="toolweft"'


class HeaderGuard:
    """Refuses requests under a foreign name (421) or from a foreign page (403)."""

    def __init__(self, app: ASGIApp, *, rules: HeaderRules) -> None:
        self._app = app
        self._rules = rules

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let an HTTP request through, or answer it here."""
        if scope["type"] == "http":
            refusal = self._refusal(Headers(scope=scope))
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, headers: Headers) -> JSONResponse | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._rules.allows_host(hosts[0]):
            return _answer(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"this server is not called {', '.join(hosts)!r}",
                hint='add the name to the configuration: [http] allowed_hosts = ["name:*"]',
            )
        for origin in headers.getlist("origin"):
            if not self._rules.allows_origin(origin):
                return _answer(
                    HTTPStatus.FORBIDDEN,
                    f"pages of {origin!r} may not use this server",
                    hint="add the origin to the configuration: [http] allowed_origins = [...]",
                )
        return None


class KeyGuard:
    """Finds out on whose behalf a request comes; refuses it without a known key (401)."""

    def __init__(self, app: ASGIApp, *, keys: KeyRing) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let an HTTP request through with its user in the scope, or answer it here."""
        if scope["type"] != "http" or self._keys.is_empty:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).getlist("authorization")
        if len(given) != 1:
            await _unauthorized("a bearer key is needed", challenge=_REALM)(scope, receive, send)
            return
        scheme, _, key = given[0].partition(" ")
        principal = self._keys.find(key.strip()) if scheme.lower() == "bearer" else None
        if principal is None:
            challenge = f'{_REALM}, error="invalid_token"'
            await _unauthorized("the bearer key is not known", challenge=challenge)(
                scope, receive, send
            )
            return
        await self._app({**scope, "user": PrincipalUser(principal)}, receive, send)


def _unauthorized(message: str, *, challenge: str) -> JSONResponse:
    return _answer(
        HTTPStatus.UNAUTHORIZED,
        message,
        hint="send the header Authorization: Bearer KEY",
        headers={"WWW-Authenticate": challenge},
    )


def _answer(
    status: HTTPStatus, message: str, *, hint: str, headers: dict[str, str] | None = None
) -> JSONResponse:
    code = status.phrase.lower().replace(" ", "_")
    body = {"error": {"code": code, "message": message, "hint": hint}}
    return JSONResponse(body, status_code=status, headers=headers)
