"""`toolweft saved`: the programs kept as tools."""

from typing import Annotated

import typer

from toolweft.bootstrap import open_saved
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import Column, note, write, write_json, write_table
from toolweft.cli.results import render_replay
from toolweft.cli.session import open_without_sources, read_settings, run_async
from toolweft.core.calls import LOCAL
from toolweft.core.json import Json
from toolweft.core.saved import SavedProgram
from toolweft.programs.replay import ReplayReport

__all__ = ("app", "check", "list_all", "remove", "show")

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Show, test or remove saved programs.",
)

_COLUMNS = (
    Column(title="program"),
    Column(title="version", right=True),
    Column(title="severity"),
    Column(title="parameters"),
    Column(title="description", flexible=True),
)
_Name = Annotated[str, typer.Argument(metavar="NAME", help="As `toolweft saved list` has it.")]
_Version = Annotated[
    int | None, typer.Option("--version", metavar="N", min=1, help="That one, not the newest.")
]


@app.command("list")
@with_common
def list_all(common: Common) -> None:
    """Show the newest version of every saved program."""
    store = open_saved(read_settings(common))
    programs = run_async(store.latest)
    if common.json:
        write_json({"saved": [program.to_dict() for program in programs]})
        return
    write_table(_COLUMNS, [_row(program) for program in programs])
    if not programs:
        note("no program was saved yet: toolweft save last NAME")


@app.command()
@with_common
def show(common: Common, name: _Name, *, version: _Version = None) -> None:
    """Show one saved program: what it is as a tool, and its text."""
    store = open_saved(read_settings(common))
    program = run_async(lambda: store.find(name, version=version))
    versions = run_async(lambda: store.versions(name))
    if common.json:
        write_json({**program.to_dict(), "code": program.code, "versions": list(versions)})
        return
    facts: dict[str, Json] = {
        "version": f"{program.version} of {', '.join(map(str, versions))}",
        "severity": program.severity,
        "calls": ", ".join(program.needs) or "no tools",
        "parameters": _parameters(program) or "none",
        "from run": f"{program.run_id}, saved {program.saved_at:%Y-%m-%d %H:%M:%S}",
    }
    write(program.description)
    write("")
    write("\n".join(f"{key:<11} {value}" for key, value in facts.items()))
    write(f"\n{program.code.rstrip()}")


@app.command("test")
@with_common
def check(
    common: Common,
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="One of them; else all.")
    ] = None,
    *,
    version: _Version = None,
) -> None:
    """Run saved programs again with the answers of the run they came from, and compare."""
    reports = run_async(lambda: _test(common, name, version))
    if common.json:
        write_json({"tests": {title: report.to_dict() for title, report in reports.items()}})
    for title, report in reports.items():
        if not common.json:
            write(f"{title}: {render_replay(report)}")
    if not all(report.is_same for report in reports.values()):
        raise typer.Exit(ExitCode.FAILED)


@app.command()
@with_common
def remove(common: Common, name: _Name, *, version: _Version = None) -> None:
    """Remove a saved program with all its versions, or one of them."""
    store = open_saved(read_settings(common))
    run_async(lambda: store.remove(name, version=version))
    if common.verbosity >= 0:
        note(f"removed {name}" if version is None else f"removed version {version} of {name}")


async def _test(common: Common, name: str | None, version: int | None) -> dict[str, ReplayReport]:
    async with open_without_sources(common) as app_:
        saved = app_.toolbox_for(LOCAL).saved
        names = [program.name for program in await saved.latest()] if name is None else [name]
        return {title: await saved.test(title, version=version) for title in names}


def _row(program: SavedProgram) -> list[str]:
    return [
        program.name,
        str(program.version),
        program.severity,
        _parameters(program),
        program.description.partition("\n")[0],
    ]


def _parameters(program: SavedProgram) -> str:
    return ", ".join(f"{item.name}={item.default!r}" for item in program.parameters)
