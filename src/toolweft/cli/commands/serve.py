"""`toolweft serve`: the gateway, over stdio or HTTP.

Clients are answered at once; sources and sandbox start behind that.
"""

import logging
import re
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Final

import anyio
import typer

from toolweft.bootstrap import open_app, serve_attached, serve_http, serve_stdio
from toolweft.cli.collecting import resume_collection
from toolweft.cli.errors import UsageFault
from toolweft.cli.late_packages import defer_packages
from toolweft.cli.logs import configure_logging
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note
from toolweft.cli.session import read_settings, run_async
from toolweft.config import Settings, load_token, make_token
from toolweft.core.secret import Secret
from toolweft.gateway import ApiKey, hash_key

__all__ = ("app", "parse_address", "serve")

log = logging.getLogger(__name__)

app = typer.Typer(rich_markup_mode=None, add_completion=False)

# Its id in the ledger.
_TOKEN_KEY: Final = "token-file"
_PORT = re.compile(r":?(?P<port>\d{1,5})")
_ADDRESS = re.compile(
    r"(?:\[(?P<ipv6>[0-9a-fA-F:.%]+)\]|(?P<host>[^:\[\]\s]+))(?::(?P<port>\d{1,5}))?"
)


@app.command()
@with_common
def serve(
    common: Common,
    address: Annotated[
        str | None, typer.Argument(metavar="[HOST:PORT]", help="With --http: where to listen.")
    ] = None,
    *,
    http: Annotated[bool, typer.Option("--http", help="HTTP instead of stdio.")] = False,
    attach: Annotated[
        str | None, typer.Option(metavar="URL", help="Stdio in front of a running HTTP service.")
    ] = None,
    pass_through: Annotated[
        bool | None,
        typer.Option(
            "--pass-through/--no-pass-through",
            show_default=False,
            help="List every tool as it is, in the place of the four.",
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The service's key; --http makes a missing file."),
    ] = None,
) -> None:
    """Serve the toolbox over MCP: stdio, or HTTP with --http.

    Logs go to stderr. Ends when the client closes stdin, or on SIGINT, SIGTERM or
    SIGHUP.
    """
    if address is not None and not http:
        raise UsageFault(
            f"an address, {address!r}, but no --http", hint=f"toolweft serve --http {address}"
        )
    if token_file is not None and not http and attach is None:
        raise UsageFault(
            f"a token file, {str(token_file)!r}, but nobody who wants it",
            hint="it belongs to --http or to --attach URL",
        )
    if pass_through is not None and attach is not None:
        flag = "--pass-through" if pass_through else "--no-pass-through"
        raise UsageFault(
            f"{flag} and --attach: what is listed is decided by the service",
            hint=f"give {flag} to `toolweft serve --http`",
        )
    if attach is not None:
        _attach(common, attach, http=http, token_file=token_file)
        return
    overrides = {} if address is None else parse_address(address)
    if pass_through is not None:
        overrides["gateway.pass_through"] = "true" if pass_through else "false"
    settings = read_settings(common, overrides=overrides, log_level=logging.WARNING)
    for problem in settings.problems:
        log.warning("config.problem", extra={"problem": problem})
    if not http and sys.stdin.isatty():
        note("serving MCP over stdio; a client is expected at the other end (--http for HTTP)")
    if token_file is not None:
        settings = _with_key(settings, make_token(token_file))
    if not settings.python_sources:
        # Others' code may import the SDK in another order, or in threads of its own.
        defer_packages("mcp", "mcp.client", "mcp.server")
    # Not `run_async`: the collector stays paused until everything is there.
    anyio.run(partial(_serve, settings, http=http))


def _attach(common: Common, url: str, *, http: bool, token_file: Path | None) -> None:
    """Serve over stdio what a service at an address serves; no configuration is read."""
    if http:
        raise UsageFault(
            "--http and --attach: one serves, the other is served",
            hint=f"toolweft serve --attach {url}",
        )
    configure_logging(common.verbosity, usual=logging.WARNING)
    token = None if token_file is None else load_token(token_file)
    run_async(lambda: serve_attached(url, token=token))


def _with_key(settings: Settings, token: Secret) -> Settings:
    """The settings with one more accepted key, of this machine's own user."""
    key = ApiKey(id=_TOKEN_KEY, sha256=hash_key(token.reveal()), tenant="local", user="local")
    return replace(settings, http=replace(settings.http, keys=(*settings.http.keys, key)))


def parse_address(text: str) -> dict[str, str]:
    """The configuration keys an address stands for.

    Args:
        text: `HOST:PORT`, `HOST`, `:PORT`, `PORT` or `[IPV6]:PORT`.

    Raises:
        UsageFault: none of these.
    """
    found = _PORT.fullmatch(text) or _ADDRESS.fullmatch(text)
    if found is None:
        raise UsageFault(
            f"{text!r} is no address", hint="write HOST:PORT, e.g. 127.0.0.1:8765 or [::1]:8765"
        )
    parts = found.groupdict()
    given = {"http.host": parts.get("ipv6") or parts.get("host"), "http.port": parts["port"]}
    return {key: value for key, value in given.items() if value is not None}


async def _serve(settings: Settings, *, http: bool) -> None:
    async with open_app(settings, is_late=True) as app_:
        started = resume_collection
        if http:
            await serve_http(app_, on_listening=_announce, on_started=started)
        else:
            await serve_stdio(app_, on_started=started)


def _announce(address: str) -> None:
    note(f"serving MCP at {address}")
