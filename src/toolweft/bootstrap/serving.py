"""Serving an open application to clients over MCP.

First the client is answered; what its first questions do not need is opened behind that.
"""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import anyio

from toolweft import __version__
from toolweft.bootstrap.app import App
from toolweft.bootstrap.grace import GRACE_S, Grace
from toolweft.core.calls import Principal
from toolweft.core.clock import SystemClock
from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName
from toolweft.core.secret import Secret
from toolweft.gateway.headers import is_loopback
from toolweft.sources import HttpServerOptions
from toolweft.toolbox import INSTRUCTIONS, Surface

if TYPE_CHECKING:
    # Imports the protocol's SDK.
    from toolweft.gateway.attach import Forwarder
    from toolweft.gateway.mcp_server import GatewayServer

__all__ = ("build_forwarder", "serve_attached", "serve_http", "serve_stdio")

log = logging.getLogger(__name__)

# A client that does not list its tools by then has no other questions either.
_FIRST_ANSWERS_S = 1.0
# In which an answer that is ready goes out.
_PAUSE_S = 0.05


async def serve_stdio(
    app: App, *, on_started: Callable[[], None] | None = None, pass_through: bool | None = None
) -> None:
    """Serve one client over standard input and output until it leaves.

    Args:
        app: what is served.
        on_started: called once everything is there, behind the first answers.
        pass_through: whether every tool is listed as it is, in the place of the four; None: as the
            settings say.
    """
    from toolweft.gateway import stdio

    async with _open_server(app, on_started, pass_through=pass_through) as made:
        await stdio.serve_stdio(made)


async def serve_attached(url: str, *, token: Secret | None) -> None:
    """Serve one client over standard input and output in front of a service at an address.

    Args:
        url: of the service's MCP endpoint: "http://127.0.0.1:8765/mcp".
        token: its bearer key; None where it wants none.

    Raises:
        ConfigError: the address cannot be used, or would show the key to whoever listens.
    """
    from toolweft.gateway import stdio

    await stdio.serve_stdio(build_forwarder(url, token=token))


def build_forwarder(url: str, *, token: Secret | None) -> "Forwarder":
    """What stands in the place of a server; see `serve_attached`."""
    _check_service(url, has_token=token is not None)
    from toolweft.gateway.attach import Forwarder
    from toolweft.sources.mcp.faults import FAULT_KEY
    from toolweft.sources.mcp.http_link import open_http_link

    headers = {}
    if token is not None:
        headers["Authorization"] = Secret(f"Bearer {token.reveal()}", reference=token.reference)
    options = HttpServerOptions(name=SourceName("service"), url=url, headers=headers)

    def is_forgotten(error: Any) -> bool:
        return isinstance(error.data, dict) and error.data.get(FAULT_KEY) == "ended"

    return Forwarder(partial(open_http_link, options), is_forgotten=is_forgotten)


def _check_service(url: str, *, has_token: bool) -> None:
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        parts, is_usable = urlsplit(""), False
    if not is_usable:
        raise ConfigError(
            f"{url!r} is not an http:// or https:// address",
            hint="write what `toolweft serve --http` says, e.g. http://127.0.0.1:8765/mcp",
        )
    if has_token and parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise ConfigError(
            f"{url!r} is not on this machine, and http:// would show the key to whoever listens",
            hint="use https://, or a tunnel that ends on this machine",
        )


async def serve_http(
    app: App,
    *,
    on_listening: Callable[[str], None] | None = None,
    on_started: Callable[[], None] | None = None,
    pass_through: bool | None = None,
) -> None:
    """Serve over streamable HTTP until a signal or cancellation.

    Args:
        app: whose settings name address and keys.
        on_listening: gets the real address once requests are taken.
        on_started: called once everything is there, behind the first answers.
        pass_through: whether every tool is listed as it is, in the place of the four; None: as the
            settings say.

    Raises:
        ConfigError: the address cannot be used, or is open to others without keys or
            without isolation.
    """
    from toolweft.gateway import http

    async with _open_server(app, on_started, pass_through=pass_through) as made:
        await http.serve_http(
            made,
            app.settings.http,
            on_listening=on_listening,
            is_ready=app.is_settled,
            is_isolated=app.backend.capabilities.is_isolated,
        )


@asynccontextmanager
async def _open_server(
    app: App, on_started: Callable[[], None] | None, *, pass_through: bool | None
) -> AsyncIterator["GatewayServer"]:
    """A gateway's server; what its first answers do not need starts behind them."""
    from toolweft.gateway.asides import Asides
    from toolweft.gateway.pass_through import PassThrough
    from toolweft.gateway.server import build_server

    if pass_through is None:
        pass_through = app.settings.gateway.pass_through
    listed = anyio.Event()
    grace = Grace(app.sources, clock=SystemClock())
    passing = None
    if pass_through:
        settle = partial(app.sources.settle, GRACE_S)
        passing = PassThrough(app.catalog, toolbox_for=app.toolbox_for, settle=settle)
        # The first answer says what the sources say of themselves.
        await settle()

    async def surface_for(principal: Principal) -> Surface:
        try:
            await grace.wait()
            return app.toolbox_for(principal).surface()
        finally:
            listed.set()

    asides = Asides(app.sources.aside_sources())
    made = build_server(
        toolbox_for=app.toolbox_for,
        surface_for=surface_for,
        version=__version__,
        instructions=INSTRUCTIONS,
        asks=app.settings.asks,
        contents=app.contents,
        passing=passing,
        asides=asides,
        settle=grace.wait,
    )
    async with _started_behind(app, listed, on_started, is_plain=pass_through):
        with ExitStack() as news:
            news.enter_context(asides.followed())
            if passing is not None:
                news.enter_context(passing.followed(made, app.catalog.subscribe))
            yield made


@asynccontextmanager
async def _started_behind(
    app: App,
    listed: anyio.Event,
    on_started: Callable[[], None] | None,
    *,
    is_plain: bool,
) -> AsyncIterator[None]:
    """Starts the rest meanwhile, as soon as a client has its first listing."""
    tasks = await anyio.create_task_group().__aenter__()
    tasks.start_soon(partial(_start_rest, app, listed, on_started, is_plain=is_plain))
    try:
        yield
    finally:
        tasks.cancel_scope.cancel()
        # The body's error is not the group's: it comes out as it is, not wrapped.
        await tasks.__aexit__(None, None, None)


async def _start_rest(
    app: App, listed: anyio.Event, on_started: Callable[[], None] | None, *, is_plain: bool
) -> None:
    """Sandbox, index, ledger and the servers that nobody asked for yet."""
    with anyio.move_on_after(_FIRST_ANSWERS_S):
        await listed.wait()
    await anyio.sleep(_PAUSE_S)
    if not is_plain:
        app.backend.want()
        try:
            await app.searcher.index_for(app.catalog.snapshot)
        except Exception:
            # Each search tries again, and says what is wrong.
            log.exception("search.index_not_built")
        await anyio.sleep(_PAUSE_S)
    app.open_rest()
    if on_started is not None:
        on_started()
