"""The application `toolweft`: its options, its table of commands, its way out."""

from typing import Annotated

import typer

from toolweft import __version__
from toolweft.cli.boundary import run_guarded
from toolweft.cli.collecting import pause_collection
from toolweft.cli.lazy import LazyGroup, add_commands
from toolweft.cli.options import Common, with_common

__all__ = ("app", "root", "run")

_EPILOG = """\
Results go to stdout, everything else to stderr; NO_COLOR is honoured.

Exit codes: 0 done; 1 the tool, program or check that was asked for failed; 2 the command line or
the configuration cannot be used; 3 a fault of toolweft itself; 130 interrupted; 141 the reader of
stdout went away.
"""


def run() -> None:
    """Run the command line and end the process with its exit code."""
    pause_collection()
    raise SystemExit(run_guarded(app))


def _show_version(*, wanted: bool) -> None:
    if wanted:
        typer.echo(f"toolweft {__version__}")
        raise typer.Exit


app = typer.Typer(
    name="toolweft",
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
add_commands(app)


@app.callback()
@with_common
def root(
    _common: Common,
    *,
    _version: Annotated[
        bool,
        typer.Option(
            "--version",
            is_eager=True,
            callback=lambda value: _show_version(wanted=value),
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Any model, thousands of tools, one program."""
