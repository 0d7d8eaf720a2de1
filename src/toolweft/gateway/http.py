"""Serves many clients over streamable HTTP, of the stateless and of the handshake revisions.

    /mcp            the protocol; another path by configuration
    /health/live    the process answers
    /health/ready   the sources have settled

Every request passes `guards`. Handshake sessions belong to the principal that opened them: under
another key their id is unknown.
"""

import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.streamable_http_manager import (
    StreamableHTTPASGIApp,
    StreamableHTTPSessionManager,
)
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from toolweft.core.clock import Clock, SystemClock
from toolweft.core.errors import ConfigError
from toolweft.core.json import Json
from toolweft.gateway.guards import HeaderGuard, KeyGuard
from toolweft.gateway.headers import HeaderRules, check_exposure
from toolweft.gateway.kept_streams import KeptStreams
from toolweft.gateway.keys import KeyRing
from toolweft.gateway.mcp_server import GatewayServer
from toolweft.gateway.options import MAX_MESSAGE_BYTES, HttpOptions
from toolweft.gateway.resuming import ResumableStreams
from toolweft.gateway.signals import stop_on_signal
from toolweft.gateway.standing import StandingStreams

__all__ = ("build_app", "serve_http")

log = logging.getLogger(__name__)

# Requests that are still running when the server stops may take this long to end.
_GRACE_S = 3


def _always() -> bool:
    return True


def build_app(
    server: Server[Json],
    options: HttpOptions,
    *,
    is_ready: Callable[[], bool] = _always,
    stopping: anyio.Event | None = None,
    is_isolated: bool = True,
    clock: Clock | None = None,
) -> Starlette:
    """The ASGI application; its lifespan is that of the sessions.

    Args:
        server: from `build_server`.
        options: path, keys and accepted headers.
        is_ready: what `/health/ready` answers.
        stopping: once set, streams that only wait for news are closed.
        is_isolated: whether programs are kept from this machine.
        clock: for tests.

    Raises:
        ConfigError: the address is open to others and there is no key, or no isolation.
    """
    check_exposure(options, is_isolated=is_isolated)
    sessions = StreamableHTTPSessionManager(server, max_request_body_size=MAX_MESSAGE_BYTES)
    protocol: ASGIApp = StreamableHTTPASGIApp(sessions)
    stopping = stopping or anyio.Event()
    kept = KeptStreams(clock or SystemClock())
    protocol = ResumableStreams(protocol, kept=kept, stopping=stopping)
    protocol = StandingStreams(protocol, stopping=stopping)
    protocol = KeyGuard(protocol, keys=KeyRing(options.keys))

    async def live(_request: Request) -> JSONResponse:
        return JSONResponse({"status": "live"})

    async def ready(_request: Request) -> JSONResponse:
        if is_ready():
            return JSONResponse({"status": "ready"})
        return JSONResponse({"status": "starting"}, status_code=HTTPStatus.SERVICE_UNAVAILABLE)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        async with sessions.run():
            yield

    return Starlette(
        routes=[
            Route("/health/live", live),
            Route("/health/ready", ready),
            Route(options.path, protocol),
        ],
        middleware=[Middleware(HeaderGuard, rules=HeaderRules(options))],
        lifespan=lifespan,
    )


async def serve_http(
    server: Server[Json],
    options: HttpOptions,
    *,
    on_listening: Callable[[str], None] | None = None,
    is_ready: Callable[[], bool] = _always,
    is_isolated: bool = True,
    clock: Clock | None = None,
) -> None:
    """Serve until SIGINT, SIGTERM or cancellation; running requests get a moment to end.

    Args:
        server: from `build_server`.
        options: where to listen, and for whom.
        on_listening: gets the real address, "http://127.0.0.1:8765/mcp", once requests are taken.
        is_ready: what `/health/ready` answers.
        is_isolated: whether programs are kept from this machine.
        clock: for tests.

    Raises:
        ConfigError: the address is taken or not ours, or open to others without keys.
    """
    stopping = anyio.Event()
    app = build_app(
        server,
        options,
        is_ready=is_ready,
        stopping=stopping,
        is_isolated=is_isolated,
        clock=clock,
    )
    listener = _listen(options)
    http = _HttpServer(
        uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=_GRACE_S,
        )
    )

    def stop() -> None:
        stopping.set()
        if isinstance(server, GatewayServer):
            server.close_streams()
        http.should_exit = True

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stop_on_signal, stop)
        tasks.start_soon(_serve_shielded, http, listener)
        try:
            await http.listening.wait()
            if on_listening is not None:
                on_listening(_address(listener, options))
            await http.ended.wait()
        finally:
            stop()
            tasks.cancel_scope.cancel()


class _HttpServer(uvicorn.Server):
    """uvicorn without its own signal handling, which would end the process before we clean up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = anyio.Event()
        self.ended = anyio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.listening.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


async def _serve_shielded(http: _HttpServer, listener: socket.socket) -> None:
    # A cancelled uvicorn leaves its connections and its lifespan behind; it is asked to stop
    # instead, and keeps to its own deadline.
    with anyio.CancelScope(shield=True):
        try:
            await http.serve(sockets=[listener])
        finally:
            http.listening.set()
            http.ended.set()


def _listen(options: HttpOptions) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            options.host, options.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as exc:
        raise _cannot_listen(options, exc) from exc
    try:
        # On Windows reuse would let another process take over the address.
        exclusive = getattr(socket, "SO_EXCLUSIVEADDRUSE", None)
        option = socket.SO_REUSEADDR if exclusive is None else exclusive
        listener.setsockopt(socket.SOL_SOCKET, option, 1)
        listener.bind(address)
    except OSError as exc:
        listener.close()
        raise _cannot_listen(options, exc) from exc
    return listener


def _cannot_listen(options: HttpOptions, exc: OSError) -> ConfigError:
    return ConfigError(
        f"cannot listen on {options.host!r}, port {options.port}: {exc.strerror or exc}",
        hint="choose another address with [http] host and port; port 0 takes any free one",
    )


def _address(listener: socket.socket, options: HttpOptions) -> str:
    host = f"[{options.host}]" if ":" in options.host else options.host
    return f"http://{host}:{listener.getsockname()[1]}{options.path}"
