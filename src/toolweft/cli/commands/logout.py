"""`toolweft logout SERVER`: forget the tokens of a server."""

from typing import Annotated

import typer

from toolweft.bootstrap import log_out_of
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note, write, write_json
from toolweft.cli.session import read_settings, run_async
from toolweft.core.principals import LOCAL, Principal

__all__ = ("app", "logout")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
def logout(
    common: Common,
    server: Annotated[str, typer.Argument(metavar="SERVER", help="Its name.")],
    *,
    tenant: Annotated[
        str, typer.Option(metavar="NAME", help="Whose login: as [[http.keys]] names them.")
    ] = LOCAL.tenant,
    user: Annotated[
        str, typer.Option(metavar="NAME", help="As above; for isolation = 'principal'.")
    ] = LOCAL.user,
) -> None:
    """Forget the tokens of a server, and have them taken back."""
    settings = read_settings(common)
    done = run_async(lambda: log_out_of(settings, server, principal=Principal(tenant, user)))
    if common.json:
        write_json(done)
        return
    write(f"logged out of {server}" if done["removed"] else f"nobody was logged in to {server}")
    if done["reason"]:
        note(f"note: the tokens may be good until they run out: {done['reason']}")
