"""An authorization server and an MCP server that wants its tokens, on loopback, in a thread.

The authorization server is ours, so that a test can make it forget, lie and rotate; the MCP server
is the official SDK's with its own bearer check.
"""

import base64
import hashlib
import json
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import anyio
import mcp_types as types
import uvicorn
from mcp.server.auth.provider import AccessToken
from mcp.server.auth.settings import AuthSettings
from mcp.server.lowlevel import Server
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route


@dataclass
class Authority:
    """Both servers, what they know, and what they are to do wrong."""

    issuer: str = ""
    mcp_url: str = ""
    # Access token -> seconds since 1970 at which it ends; refresh token -> client id.
    access: dict[str, float] = field(default_factory=dict)
    refreshing: dict[str, str] = field(default_factory=dict)
    clients: dict[str, dict[str, Any]] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    # What was asked: ("token", "refresh_token"), ("register", ""), ...
    asked: list[tuple[str, str]] = field(default_factory=list)
    lifetime_s: int = 3600
    scopes: tuple[str, ...] = ("tools",)
    # Over what is published.
    metadata: dict[str, Any] = field(default_factory=dict)
    # Of the token endpoint, instead of an answer.
    token_status: int = 0
    token_error: str = "temporarily_unavailable"
    token_raw: bytes = b""
    token_delay_s: float = 0.0
    refresh_delay_s: float = 0.0
    # Whether the MCP server repeats the token it was sent.
    repeats_token: bool = False

    def count(self, what: str, grant: str = "") -> int:
        return self.asked.count((what, grant))

    def add_client(self, client_id: str, secret: str = "", **more: Any) -> None:
        self.clients[client_id] = {"client_id": client_id, "client_secret": secret, **more}

    def secrets_of_all(self) -> list[str]:
        """Everything that nobody but the two may see."""
        given = [c.get("client_secret", "") for c in self.clients.values()]
        return [*self.access, *self.refreshing, *self.codes, *filter(None, given)]

    # -- the authorization server

    async def describe(self, request: Request) -> Response:
        self.asked.append(("metadata", ""))
        whole = {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "registration_endpoint": f"{self.issuer}/register",
            "revocation_endpoint": f"{self.issuer}/revoke",
            "response_types_supported": ["code"],
            "code_challenge_methods_supported": ["S256"],
        }
        whole |= self.metadata
        return JSONResponse({key: value for key, value in whole.items() if value is not None})

    async def register(self, request: Request) -> Response:
        self.asked.append(("register", ""))
        wanted = await request.json()
        client_id = f"client-{len(self.clients)}"
        self.clients[client_id] = {
            **wanted,
            "client_id": client_id,
            "client_secret": secrets.token_urlsafe(24),
            "token_endpoint_auth_method": "client_secret_post",
        }
        return JSONResponse(self.clients[client_id], status_code=201)

    async def authorize(self, request: Request) -> Response:
        given = dict(request.query_params)
        self.asked.append(("authorize", given.get("scope", "")))
        client = self.clients[given["client_id"]]
        assert given["redirect_uri"] in client.get("redirect_uris", [given["redirect_uri"]])
        assert given["code_challenge_method"] == "S256"
        assert given["resource"] == self.mcp_url
        code = secrets.token_urlsafe(24)
        self.codes[code] = given
        back = {"code": code, "state": given["state"], "iss": self.issuer}
        return RedirectResponse(f"{given['redirect_uri']}?{urlencode(back)}", status_code=302)

    async def token(self, request: Request) -> Response:
        form = {key: str(value) for key, value in (await request.form()).items()}
        grant = form.get("grant_type", "")
        self.asked.append(("token", grant))
        await anyio.sleep(self.token_delay_s)
        if self.token_status:
            said = json.dumps({"error": self.token_error}).encode()
            return Response(self.token_raw or said, status_code=self.token_status)
        client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
        basic = request.headers.get("authorization", "")
        if basic.startswith("Basic "):
            client_id, _, secret = base64.b64decode(basic[6:]).decode().partition(":")
        client = self.clients.get(client_id)
        if client is None or client.get("client_secret", "") != secret:
            return JSONResponse({"error": "invalid_client"}, status_code=401)
        scope = form.get("scope", "tools")
        match grant:
            case "authorization_code":
                known = self.codes.pop(form["code"], None)
                proof = hashlib.sha256(form["code_verifier"].encode()).digest()
                challenge = base64.urlsafe_b64encode(proof).decode().rstrip("=")
                if known is None or known["code_challenge"] != challenge:
                    return JSONResponse({"error": "invalid_grant"}, status_code=400)
                scope = known.get("scope", "tools")
            case "refresh_token":
                if self.refresh_delay_s:
                    await anyio.sleep(self.refresh_delay_s)
                # Each is good for one use, as the best current practice has it.
                if self.refreshing.pop(form["refresh_token"], None) != client_id:
                    self.access.clear()
                    return JSONResponse({"error": "invalid_grant"}, status_code=400)
            case "client_credentials":
                pass
            case _:
                return JSONResponse({"error": "unsupported_grant_type"}, status_code=400)
        return JSONResponse(self._give(client_id, scope, is_renewable=grant[0] != "c"))

    async def revoke(self, request: Request) -> Response:
        form = {key: str(value) for key, value in (await request.form()).items()}
        self.asked.append(("revoke", ""))
        self.refreshing.pop(form["token"], None)
        self.access.clear()
        return Response(status_code=200)

    def _give(self, client_id: str, scope: str, *, is_renewable: bool) -> dict[str, Any]:
        access, refresh = f"at-{secrets.token_urlsafe(24)}", f"rt-{secrets.token_urlsafe(24)}"
        self.access[access] = time.time() + self.lifetime_s
        given: dict[str, Any] = {
            "access_token": access,
            "token_type": "Bearer",
            "expires_in": self.lifetime_s,
            "scope": scope,
        }
        if is_renewable:
            self.refreshing[refresh] = client_id
            given["refresh_token"] = refresh
        return given

    # -- the MCP server's side

    async def verify_token(self, token: str) -> AccessToken | None:
        if self.access.get(token, 0.0) <= time.time():
            return None
        return AccessToken(
            token=token, client_id="any", scopes=list(self.scopes), resource=self.mcp_url
        )


def _build_mcp(authority: Authority, port: int) -> Starlette:
    async def list_tools(ctx: Any, params: Any) -> types.ListToolsResult:
        schema = {"type": "object"}
        tool = types.Tool(name="echo", description="Echo it.", input_schema=schema)
        return types.ListToolsResult(tools=[tool])

    async def call_tool(ctx: Any, params: Any) -> types.CallToolResult:
        sent = params.arguments or {}
        if authority.repeats_token:
            sent = {"heard": ctx.request.headers["authorization"]}
        text = types.TextContent(type="text", text=json.dumps(sent))
        return types.CallToolResult(content=[text], structured_content=sent)

    server = Server("guarded", version="1", on_list_tools=list_tools, on_call_tool=call_tool)
    return server.streamable_http_app(
        host="127.0.0.1",
        auth=AuthSettings(
            issuer_url=authority.issuer,
            resource_server_url=f"http://127.0.0.1:{port}/mcp",
            required_scopes=["tools"],
            validate_token_resource=True,
        ),
        token_verifier=authority,
    )


def _listen() -> socket.socket:
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


@contextmanager
def _served(app: Starlette, listening: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: server.run(sockets=[listening]), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        thread.join(10)
        listening.close()


@contextmanager
def open_authority() -> Iterator[Authority]:
    """Both servers, until the block is left."""
    issuing, guarded = _listen(), _listen()
    authority = Authority(issuer=f"http://127.0.0.1:{issuing.getsockname()[1]}")
    port = guarded.getsockname()[1]
    authority.mcp_url = f"http://127.0.0.1:{port}/mcp"
    well_known = "/.well-known/oauth-authorization-server"
    issuing_app = Starlette(
        routes=[
            Route(well_known, authority.describe),
            Route("/register", authority.register, methods=["POST"]),
            Route("/authorize", authority.authorize),
            Route("/token", authority.token, methods=["POST"]),
            Route("/revoke", authority.revoke, methods=["POST"]),
        ]
    )
    with _served(issuing_app, issuing), _served(_build_mcp(authority, port), guarded):
        yield authority
