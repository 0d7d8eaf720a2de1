"""`toolweft save`: the program of a past run as a tool."""

from collections.abc import Sequence
from typing import Annotated

import typer

from toolweft.cli.errors import UsageFault
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note, write, write_json
from toolweft.cli.session import open_session, run_async
from toolweft.core.calls import LOCAL
from toolweft.core.ids import RunId
from toolweft.core.saved import SAVED_SOURCE, SavedProgram
from toolweft.programs.stubs import render_stub

__all__ = ("app", "parse_parameters", "save")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
def save(
    common: Common,
    run_id: Annotated[
        str, typer.Argument(metavar="RUN", help="As `toolweft runs` lists it; or `last`.")
    ],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the tool: saved.NAME.")],
    *,
    description: Annotated[
        str | None,
        typer.Option("--description", "-d", help="What it does; else the program's docstring."),
    ] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            "-p",
            metavar="NAME=CONSTANT",
            help="A constant that callers may choose; else every one in CAPITALS.",
        ),
    ] = None,
    no_parameters: Annotated[
        bool, typer.Option("--no-parameters", help="Callers may choose nothing.")
    ] = False,
) -> None:
    """Keep the program of a past run as a tool.

    It is found, called and tested like any other. Saving under the same name again makes its
    next version.
    """
    chosen = parse_parameters(parameters or [], wants_none=no_parameters)
    program, stub = run_async(
        lambda: _save(common, RunId(run_id), name, description=description, parameters=chosen)
    )
    if common.json:
        write_json(program.to_dict())
        return
    write(stub)
    if common.verbosity >= 0:
        note(f"version {program.version}, {program.severity}; toolweft saved test {name}")


def parse_parameters(pairs: Sequence[str], *, wants_none: bool) -> dict[str, str] | None:
    """Name -> constant, from texts such as "city=CITY"; None where nothing was chosen.

    Raises:
        UsageFault: a text without both, a name that stands twice, or some beside none.
    """
    if wants_none and pairs:
        raise UsageFault(
            "--parameter and --no-parameters were both given", hint="leave one of them out"
        )
    chosen: dict[str, str] = {}
    for pair in pairs:
        name, _, constant = pair.partition("=")
        if not name or not constant or name in chosen:
            problem = "stands twice" if name in chosen else "is not NAME=CONSTANT"
            raise UsageFault(f"--parameter {pair!r} {problem}", hint="--parameter city=CITY")
        chosen[name] = constant
    return chosen if chosen or wants_none else None


async def _save(
    common: Common,
    run_id: RunId,
    name: str,
    *,
    description: str | None,
    parameters: dict[str, str] | None,
) -> tuple[SavedProgram, str]:
    async with open_session(common) as app_:
        program = await app_.toolbox_for(LOCAL).save(
            run_id, name, description=description, parameters=parameters
        )
        tool = app_.catalog.snapshot.resolve(f"{SAVED_SOURCE}.{name}")
        return program, render_stub(tool, detail="full").rstrip()
