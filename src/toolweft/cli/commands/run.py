"""`toolweft run`: a program in the sandbox, its output as it is printed."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from toolweft.cli.errors import UsageFault
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note, write, write_json
from toolweft.cli.results import render_outcome_error, render_savings, render_stats
from toolweft.cli.session import open_session, run_async
from toolweft.cli.streaming import stream_to_stdout
from toolweft.core.calls import LOCAL
from toolweft.core.programs import ProgramOutcome

__all__ = ("app", "load_program", "run")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
def run(
    common: Common,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A program; - for stdin.")
    ] = None,
    *,
    code: Annotated[str | None, typer.Option("--code", "-c", help="The program itself.")] = None,
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="Memory, e.g. '512 MiB'.")
    ] = None,
    wall: Annotated[
        str | None, typer.Option("--wall", metavar="TIME", help="Time from start to end, '30 s'.")
    ] = None,
    environment: Annotated[
        str | None,
        typer.Option("--environment", "-e", metavar="NAME", help="Packages, see `toolweft env`."),
    ] = None,
) -> None:
    """Run a Python program that calls tools, in the sandbox.

    What it prints goes to stdout as it is printed, everything else to stderr.
    """
    program = load_program(file, code=code)
    limits = {"limits.memory_bytes": memory, "limits.wall_s": wall}
    overrides = {key: value for key, value in limits.items() if value is not None}
    outcome = run_async(lambda: _run(common, program, overrides=overrides, environment=environment))
    if common.json:
        write_json(outcome.to_dict())
    else:
        _report(common, outcome)
    if outcome.status != "ok":
        raise typer.Exit(ExitCode.FAILED)


def load_program(file: Path | None, *, code: str | None) -> str:
    """The program's text, from the one place that was named.

    Raises:
        UsageFault: none or two places, or a file that cannot be read.
    """
    if (file is None) == (code is None):
        problem = "no program was given" if code is None else "a file and -c were both given"
        raise UsageFault(problem, hint="toolweft run FILE, toolweft run -c CODE, or toolweft run -")
    if code is not None:
        return code
    assert file is not None
    try:
        raw = sys.stdin.buffer.read() if file == Path("-") else file.read_bytes()
        return raw.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageFault(
            f"the program {str(file)!r} cannot be read: {exc}", hint="give a UTF-8 text file"
        ) from exc


async def _run(
    common: Common, program: str, *, overrides: dict[str, str], environment: str | None
) -> ProgramOutcome:
    async with open_session(common, overrides=overrides) as app_:
        box = app_.toolbox_for(LOCAL)
        if common.json:
            return await box.run(program, environment=environment)
        async with stream_to_stdout() as on_output:
            return await box.run(program, environment=environment, on_output=on_output)


def _report(common: Common, outcome: ProgramOutcome) -> None:
    if outcome.stdout and not outcome.stdout.endswith("\n") and sys.stdout.isatty():
        write("")
    dropped = outcome.stdout_characters - len(outcome.stdout)
    if dropped > 0:
        note(f"note: {dropped} printed characters were dropped")
    if outcome.value is not None:
        note(f"value: {outcome.value!r}")
    for warning in outcome.warnings:
        hint = f"; {warning.hint}" if warning.hint else ""
        note(f"warning: line {warning.line}: {warning.message}{hint}")
    if outcome.status != "ok":
        note(render_outcome_error(outcome))
    if common.verbosity >= 0:
        note(render_stats(outcome))
    if common.verbosity >= 0 and outcome.stats.calls:
        note(render_savings(outcome))
