"""Options of a command, gathered in dataclasses."""

from dataclasses import dataclass
from typing import Annotated

import typer
from typer.testing import CliRunner

from toolweft.cli.groups import with_groups
from toolweft.cli.options import Common, with_common


@dataclass(frozen=True, slots=True, kw_only=True)
class Colour:
    name: Annotated[str, typer.Option("--name")] = "red"
    is_dark: Annotated[bool, typer.Option("--dark")] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    width: Annotated[int, typer.Option("--width", min=1)] = 3


app = typer.Typer()
seen: list[object] = []


@app.command()
@with_common
@with_groups
def paint(
    common: Common,
    what: str,
    *,
    times: Annotated[int, typer.Option("--times")] = 1,
    colour: Colour,
    size: Size,
) -> None:
    seen.append((common.json, what, times, colour, size))


def run(*arguments: str) -> object:
    seen.clear()
    assert CliRunner().invoke(app, arguments).exit_code == 0
    return seen[0]


def test_each_group_is_filled_from_its_own_options() -> None:
    assert run("wall", "--dark", "--width", "7", "--times", "2", "--json") == (
        True,
        "wall",
        2,
        Colour(is_dark=True),
        Size(width=7),
    )


def test_what_is_not_given_keeps_its_default() -> None:
    assert run("wall") == (False, "wall", 1, Colour(), Size())


def test_an_option_of_a_group_is_checked_like_any_other() -> None:
    assert CliRunner().invoke(app, ["wall", "--width", "0"]).exit_code == 2
