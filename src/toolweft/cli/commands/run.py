"""`toolweft run`: a program in the sandbox, its output as it is printed."""

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Annotated

import anyio
import typer

from toolweft.cli.errors import UsageFault
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.first_use import ask_at_first_use
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note, write, write_json
from toolweft.cli.results import render_outcome_error, render_savings, render_stats
from toolweft.cli.session import note_unasked, open_client, open_session, run_async
from toolweft.cli.stopping import Stoppable
from toolweft.cli.streaming import stream_to_stdout
from toolweft.core.calls import LOCAL
from toolweft.core.errors import SandboxUnavailable, ToolweftError
from toolweft.core.programs import ProgramOutcome
from toolweft.toolbox import Toolbox

__all__ = ("app", "load_program", "parse_puts", "run")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
def run(  # noqa: PLR0913 -- one parameter for each option
    common: Common,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="A program; - for stdin.")
    ] = None,
    *,
    code: Annotated[str | None, typer.Option("--code", "-c", help="The program itself.")] = None,
    put: Annotated[
        list[str] | None,
        typer.Option("--put", metavar="NAME=FILE", help="A file for load(NAME); may be repeated."),
    ] = None,
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
    files = parse_puts(put or [])
    work = Stoppable(
        lambda: _run(common, program, files=files, overrides=overrides, environment=environment)
    )
    try:
        outcome = run_async(work.run)
    finally:
        work.end_process()
    assert outcome is not None
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


def parse_puts(pairs: Sequence[str]) -> dict[str, Path]:
    """Name -> file, from texts such as "orders=data/orders.jsonl".

    Raises:
        UsageFault: a text without both, or a name that stands twice.
    """
    files: dict[str, Path] = {}
    for pair in pairs:
        name, _, file = pair.partition("=")
        if not name or not file or name in files:
            problem = "stands twice" if name in files else "is not NAME=FILE"
            hint = "--put orders=orders.jsonl, and load('orders') in the program"
            raise UsageFault(f"--put {pair!r} {problem}", hint=hint)
        files[name] = Path(file)
    return files


async def _run(
    common: Common,
    program: str,
    *,
    files: dict[str, Path],
    overrides: dict[str, str],
    environment: str | None,
) -> ProgramOutcome:
    async with open_session(common, overrides=overrides) as app_:
        await ask_at_first_use(common, app_)
        box = app_.toolbox_for(LOCAL)
        async with _put(box, files), open_client(common, app_) as client:
            run = partial(box.run, program, environment=environment, client=client)
            if common.json:
                return await run()
            async with stream_to_stdout() as on_output:
                return await run(on_output=on_output)


@asynccontextmanager
async def _put(box: Toolbox, files: dict[str, Path]) -> AsyncIterator[None]:
    """Copies of the files, for as long as the program runs: nobody else knows their names.

    Raises:
        SandboxUnavailable: no program could load them.
    """
    if files and not box.handles.can_load:
        raise SandboxUnavailable(
            f"--put {min(files)!r} is of no use: programs of this sandbox cannot load files",
            hint='sandbox.backend = "process" or "container" can; see `toolweft doctor`',
        )
    kept: list[str] = []
    try:
        for name, file in files.items():
            kept.append((await box.put(name, file)).id)
        yield
    finally:
        with anyio.CancelScope(shield=True):
            for handle in kept:
                # What is left over expires.
                with suppress(ToolweftError):
                    await box.handles.drop(handle)


def _report(common: Common, outcome: ProgramOutcome) -> None:
    if outcome.stdout and not outcome.stdout.endswith("\n") and sys.stdout.isatty():
        write("")
    dropped = outcome.stdout_characters - len(outcome.stdout)
    if dropped > 0:
        kept = len(outcome.stdout)
        note(
            f"note: {dropped:,} printed characters were dropped;"
            f" limits.kept_characters is {kept:,}: raise it for more"
        )
    if outcome.value is not None:
        note(f"value: {outcome.value!r}")
    for warning in outcome.warnings:
        hint = f"; {warning.hint}" if warning.hint else ""
        note(f"warning: line {warning.line}: {warning.message}{hint}")
    if outcome.status != "ok":
        note(render_outcome_error(outcome))
    note_unasked(call.status for call in outcome.calls)
    if common.verbosity >= 0:
        note(render_stats(outcome))
    if common.verbosity >= 0 and outcome.stats.calls:
        note(render_savings(outcome))
