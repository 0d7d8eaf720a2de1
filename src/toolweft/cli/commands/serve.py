"""`toolweft serve`: the gateway, over stdio or HTTP.

Clients are answered at once; sources and sandbox start behind that.
"""

import logging
import re
import sys
from typing import Annotated

import typer

from toolweft.bootstrap import open_app, serve_http, serve_stdio
from toolweft.cli.errors import UsageFault
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note
from toolweft.cli.session import read_settings, run_async
from toolweft.config import Settings

__all__ = ("app", "parse_address", "serve")

log = logging.getLogger(__name__)

app = typer.Typer(rich_markup_mode=None, add_completion=False)

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
) -> None:
    """Serve the toolbox over MCP: stdio, or HTTP with --http.

    Logs go to stderr. Ends when the client closes stdin, or on SIGINT, SIGTERM or
    SIGHUP.
    """
    if address is not None and not http:
        raise UsageFault(
            f"an address, {address!r}, but no --http", hint=f"toolweft serve --http {address}"
        )
    overrides = {} if address is None else parse_address(address)
    settings = read_settings(common, overrides=overrides, log_level=logging.WARNING)
    for problem in settings.problems:
        log.warning("config.problem", extra={"problem": problem})
    if not http and sys.stdin.isatty():
        note("serving MCP over stdio; a client is expected at the other end (--http for HTTP)")
    run_async(lambda: _serve(settings, http=http))


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
    async with open_app(settings) as app_:
        if http:
            await serve_http(app_, on_listening=_announce)
        else:
            await serve_stdio(app_)


def _announce(address: str) -> None:
    note(f"serving MCP at {address}")
