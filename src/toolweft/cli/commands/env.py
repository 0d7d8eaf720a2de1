"""`toolweft env`: Python packages that programs may import, installed once on this machine."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from toolweft.cli.options import Common, with_common
from toolweft.cli.output import Column, note, write, write_json, write_table
from toolweft.cli.session import read_settings
from toolweft.cli.stopping import ending_signals
from toolweft.core.errors import SandboxUnavailable
from toolweft.core.json import JsonObject
from toolweft.sandbox.environment_build import create_environment, remove_environment
from toolweft.sandbox.environment_drafts import remove_left_drafts
from toolweft.sandbox.environments import PackageEnvironment, list_environments, load_environment

__all__ = ("app", "create", "list_all", "remove")

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Make, list or remove environments of Python packages for programs.",
)

_COLUMNS = (
    Column(title="environment"),
    Column(title="packages", flexible=True),
)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="A plain name.")]


@app.command()
@with_common
def create(
    common: Common,
    name: _Name,
    requirements: Annotated[
        Path, typer.Option("--requirements", "-r", metavar="FILE", help="As pip reads it.")
    ],
) -> None:
    """Install packages for programs, from wheels only: nothing is built.

    Importing packages runs their code. They are imported once here: inside the namespaces of tier
    `ns` where it holds, else as you, with an empty environment.
    """
    folder = _folder(common)
    hint = None if requirements.is_file() else "-r takes a file as pip reads it: a package a line"
    with _hinted(hint), _ended_in_order():
        made = create_environment(folder, name, requirements)
    if common.json:
        write_json(_to_dict(made))
    else:
        write(f"{name}: {', '.join(made.packages) or 'no packages'}")
        note(f"toolweft run --environment {name} FILE")


@app.command("list")
@with_common
def list_all(common: Common) -> None:
    """Show every environment and what is in it."""
    folder = _folder(common)
    remove_left_drafts(folder)
    rows: list[JsonObject] = []
    for name in list_environments(folder):
        try:
            rows.append(_to_dict(load_environment(folder, name)))
        except SandboxUnavailable as unusable:
            rows.append({"name": name, "packages": [], "problem": unusable.message})
    if common.json:
        write_json(rows)
    else:
        shown = [[str(row["name"]), _describe(row)] for row in rows]
        write_table(_COLUMNS, shown)


@app.command()
@with_common
def remove(common: Common, name: _Name) -> None:
    """Remove an environment; programs that run in it go on."""
    with _hinted("`toolweft env list` shows what there is"):
        remove_environment(_folder(common), name)
    if common.verbosity >= 0:
        note(f"removed {name}")


@contextmanager
def _hinted(hint: str | None) -> Iterator[None]:
    """A next step for errors that have none of their own."""
    try:
        yield
    except SandboxUnavailable as fault:
        fault.hint = fault.hint or hint
        raise


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Put away what is half done where the process is asked to end, and then end by that signal.

    The work is not the event loop's, so it is left by an exception, as at an interruption.
    """
    came: list[int] = []

    def leave(number: int, _frame: FrameType | None) -> None:
        # Putting away is not interrupted by a second one.
        if not came:
            came.append(number)
            raise SystemExit(128 + number)

    caught = ending_signals()
    for number in caught:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)
        if came:
            with suppress(OSError):
                sys.stdout.flush()
            signal.raise_signal(came[0])


def _folder(common: Common) -> Path:
    folder = read_settings(common).sandbox.environments
    # The configuration always has one.
    assert folder is not None
    return folder


def _to_dict(environment: PackageEnvironment) -> JsonObject:
    return {
        "name": environment.name,
        "packages": list(environment.packages),
        "site": str(environment.site),
    }


def _describe(row: JsonObject) -> str:
    packages = row["packages"]
    shown = ", ".join(map(str, packages)) if isinstance(packages, list) else ""
    return str(row.get("problem", shown))
