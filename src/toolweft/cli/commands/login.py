"""`toolweft login SERVER`: tokens for a server, by a login in a browser."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from toolweft.bootstrap import log_in_to
from toolweft.cli.errors import UsageFault
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note, write, write_json
from toolweft.cli.session import read_settings, run_async
from toolweft.core.json import JsonObject
from toolweft.core.principals import LOCAL, Principal

__all__ = ("app", "login")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
def login(
    common: Common,
    server: Annotated[str, typer.Argument(metavar="SERVER", help="Its name.")],
    *,
    timeout: Annotated[
        int, typer.Option("--timeout", metavar="SECONDS", min=1, help="How long to wait for you.")
    ] = 300,
    tenant: Annotated[
        str, typer.Option(metavar="NAME", help="Whose login: as [[http.keys]] names them.")
    ] = LOCAL.tenant,
    user: Annotated[
        str, typer.Option(metavar="NAME", help="As above; for isolation = 'principal'.")
    ] = LOCAL.user,
) -> None:
    """Log in to a server over HTTP, in a browser.

    Open the address that is shown there, on this machine.

    The tokens are kept in a file that only you can read, and renewed by themselves.
    """
    settings = read_settings(common)
    if common.recorded is not None:
        raise UsageFault("a recorded server has no login", hint="leave out --recorded")
    principal = Principal(tenant, user)
    done = run_async(
        lambda: log_in_to(
            settings, server, principal=principal, show=_show, timeout_s=float(timeout)
        )
    )
    if common.json:
        write_json(done)
    else:
        write(_render(done))


def _show(address: str) -> None:
    note(f"open this address in a browser on this machine:\n\n  {address}\n\nwaiting for it ...")


def _render(done: JsonObject) -> str:
    scopes = f", scopes {' '.join(done['scopes'])}" if done["scopes"] else ""
    expires = ""
    if done["expires_at"] is not None and not done["renewable"]:
        until = datetime.fromtimestamp(done["expires_at"], UTC).strftime("%Y-%m-%d %H:%M UTC")
        expires = f"; not renewable, so good until {until}"
    return f"logged in to {done['server']} at {done['issuer']}{scopes}{expires}"
