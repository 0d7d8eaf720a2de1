"""`toolweft demo`: the whole road with real servers and one program, and what it cost."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from toolweft.cli.demo.connect import render_connections
from toolweft.cli.demo.costs import ASSUMPTIONS
from toolweft.cli.demo.performance import CallCost, Performance, perform
from toolweft.cli.demo.program import QUESTION
from toolweft.cli.demo.recorder import Recorder
from toolweft.cli.demo.servers import (
    find_repository,
    find_server_folder,
    make_repository,
    render_config,
)
from toolweft.cli.demo.tokens import choose_counter
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import Column, note, write, write_json, write_table
from toolweft.cli.results import render_outcome_error, render_stats
from toolweft.cli.session import open_session, read_settings, run_async
from toolweft.config import read_environment

__all__ = ("app", "demo")

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_SOURCES = (
    Column(title="source"),
    Column(title="kind"),
    Column(title="tools", right=True),
    Column(title="start ms", right=True),
)
_CALLS = (
    Column(title="call", flexible=True),
    Column(title="ms", right=True),
    Column(title="result tokens", right=True),
)
_COSTS = (
    Column(title="way"),
    Column(title="context tokens", right=True),
    Column(title="round trips", right=True),
    Column(title="", flexible=True),
)
_WAYS = {
    "direct": "every definition listed, every result read",
    "deferred": "definitions found by search, every result read",
    "program": "definitions found by search, only what it prints read",
}


@app.command()
@with_common
def demo(
    common: Common,
    *,
    servers: Annotated[
        Path | None,
        typer.Option("--servers", metavar="DIR", help="Folder of mcp-server-git and -time."),
    ] = None,
) -> None:
    """Show the whole road with real servers and one program.

    Starts mcp-server-git and mcp-server-time beside a Python source of expense data. No model is
    called. Nothing is kept.
    """
    folder = find_server_folder(servers, places=_places())
    with tempfile.TemporaryDirectory(prefix="toolweft-demo-") as temporary:
        performance = run_async(lambda: _perform(common, servers=folder, temporary=Path(temporary)))
    if common.json:
        write_json(performance.to_dict())
    else:
        _show(performance)
    for fault in performance.faults:
        note(f"error: {fault}")
    if performance.faults:
        raise typer.Exit(ExitCode.FAILED)


async def _perform(common: Common, *, servers: Path, temporary: Path) -> Performance:
    repository = await find_repository(_places()) or await make_repository(temporary / "repository")
    config = temporary / "toolweft.toml"
    text = render_config(servers=servers, repository=repository, ledger=temporary / "ledger.db")
    config.write_text(text, encoding="utf-8")
    settings = read_settings(Common(config=config, verbosity=common.verbosity))
    recorder = Recorder()
    async with open_session(common, settings=settings, policies=(recorder,)) as app_:
        return await perform(
            app_,
            recorder=recorder,
            counter=choose_counter(read_environment()),
            repository=str(repository),
        )


def _places() -> tuple[Path, ...]:
    """Where servers and a repository are looked for: here, above, and this file's checkout."""
    here = Path.cwd()
    return (here, *here.parents, Path(__file__).parents[4])


def _show(performance: Performance) -> None:
    outcome = performance.outcome
    _heading("sources, started together")
    write_table(_SOURCES, [_render_source(performance, i) for i in range(len(performance.sources))])
    _heading("the task")
    write(QUESTION)
    _heading(f"search_tools, {performance.search_tokens} tokens of typed signatures")
    write(performance.search_text)
    _heading("run_code: one program, as a model would write it; no model is called here")
    write(performance.program.rstrip())
    _heading("what it printed: all that a model reads")
    write(outcome.stdout.rstrip() if outcome.status == "ok" else render_outcome_error(outcome))
    write(f"\n{render_stats(outcome)}")
    _heading("what each call cost")
    write_table(_CALLS, [_render_call(call) for call in performance.calls])
    _heading("the same calls in three ways")
    rows = [
        [cost.way, f"{cost.context_tokens:,}", str(cost.round_trips), _WAYS[cost.way]]
        for cost in performance.costs
    ]
    write_table(_COSTS, rows)
    _, deferred, program = (cost.context_tokens for cost in performance.costs)
    saved = 1 - program / deferred
    write(f"against deferred direct calls, the program takes {saved:.0%} less context")
    write(f"tokens: {performance.tokenizer}\n{ASSUMPTIONS}")
    _heading("connect it, after `toolweft init` in your project")
    command = shutil.which("toolweft") or str(Path(sys.argv[0]).absolute())
    write(render_connections(command, str(Path.cwd() / "toolweft.toml")), end="")


def _heading(text: str) -> None:
    write(f"\n== {text}")


def _render_source(performance: Performance, index: int) -> list[str]:
    source = performance.sources[index]
    start = "" if source.start_s is None else f"{source.start_s * 1000:.0f}"
    return [source.name, source.kind, str(source.tool_count), start]


def _render_call(call: CallCost) -> list[str]:
    arguments = ", ".join(f"{key}={value!r}" for key, value in call.arguments.items())
    return [f"{call.tool}({arguments})", f"{call.duration_ms:.1f}", f"{call.result_tokens:,}"]
