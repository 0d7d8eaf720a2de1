"""`toolweft runs`: what the ledger knows of past programs."""

from typing import Annotated

import typer

from toolweft.bootstrap import open_reader, read_models
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import Column, note, write, write_json, write_table
from toolweft.cli.results import render_replay
from toolweft.cli.session import open_without_sources, read_settings, run_async
from toolweft.core.calls import LOCAL
from toolweft.core.errors import RunNotFound
from toolweft.core.ids import RunId
from toolweft.core.json import Json, JsonObject
from toolweft.programs.replay import ReplayReport

__all__ = ("app", "list_runs", "models", "replay", "show")

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    invoke_without_command=True,
    help="Show past runs, their calls and what models cost, or replay one.",
)

_RUNS = (
    Column(title="run"),
    Column(title="started"),
    Column(title="status"),
    Column(title="calls", right=True),
    Column(title="ms", right=True),
    Column(title="tokens kept out", right=True),
)
_CALLS = (
    Column(title="#", right=True),
    Column(title="tool", flexible=True),
    Column(title="caller"),
    Column(title="status"),
    Column(title="ms", right=True),
    Column(title="tokens kept out", right=True),
)
_MODELS = (
    Column(title="model", flexible=True),
    Column(title="role"),
    Column(title="asked", right=True),
    Column(title="failed", right=True),
    Column(title="tokens in", right=True),
    Column(title="cached", right=True),
    Column(title="out", right=True),
    Column(title="US$", right=True),
)
_FACTS = ("run_id", "at", "status", "limit", "error_type", "error_line", "backend", "container_id")


@app.callback()
@with_common
def list_runs(
    common: Common,
    *,
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
) -> None:
    """Show past runs and their calls, newest first."""
    if context.invoked_subcommand is not None:
        return
    reader = open_reader(read_settings(common))
    runs = run_async(lambda: reader.runs(principal=None, limit=limit))
    if common.json:
        write_json({"runs": list(runs)})
        return
    write_table(_RUNS, [_render_run(run) for run in runs])
    if not runs:
        note("no runs yet: toolweft run -c 'print(6 * 7)'")


@app.command()
@with_common
def show(
    common: Common,
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="As `toolweft runs` lists it.")],
) -> None:
    """Show one run: how it ended, and each of its calls."""
    reader = open_reader(read_settings(common))
    run = run_async(lambda: reader.run(RunId(run_id)))
    if run is None:
        raise RunNotFound(
            f"the ledger has no run {run_id!r}", hint="`toolweft runs` lists the latest"
        )
    if common.json:
        write_json(run)
        return
    write("\n".join(f"{name:<13} {run[name]}" for name in _FACTS if run.get(name) is not None))
    stats = run.get("stats") or {}
    write("\n".join(f"{name:<13} {value}" for name, value in stats.items() if value is not None))
    if run["calls"]:
        write("")
        write_table(_CALLS, [_render_call(call) for call in run["calls"]])


@app.command()
@with_common
def replay(
    common: Common,
    run_id: Annotated[
        str, typer.Argument(metavar="RUN_ID", help="As `toolweft runs` lists it; or `last`.")
    ],
) -> None:
    """Run a past program again with the answers it got then; no tool is called."""
    report = run_async(lambda: _replay(common, RunId(run_id)))
    if common.json:
        write_json(report.to_dict())
    else:
        write(render_replay(report))
    if not report.is_same:
        raise typer.Exit(ExitCode.FAILED)


async def _replay(common: Common, run_id: RunId) -> ReplayReport:
    async with open_without_sources(common) as app_:
        return await app_.toolbox_for(LOCAL).saved.replay(run_id)


@app.command()
@with_common
def models(
    common: Common,
    days: Annotated[int, typer.Option("--days", min=1, max=36_500, help="So far back.")] = 30,
    run_id: Annotated[
        str | None, typer.Option("--run", metavar="RUN_ID", help="Only what this run asked.")
    ] = None,
) -> None:
    """Show what models were asked, and what that cost."""
    settings = read_settings(common)
    only = None if run_id is None else RunId(run_id)
    asked = run_async(lambda: read_models(settings, days=days, run_id=only))
    costs = [row["cost_usd"] for row in asked if row["cost_usd"] is not None]
    if common.json:
        write_json({"days": days, "models": list(asked), "cost_usd": sum(costs)})
        return
    write_table(_MODELS, [_render_model(row) for row in asked])
    if not asked:
        note("no model was asked in this time")
        return
    unpriced = sum(row["unpriced"] for row in asked)
    rest = f"; {unpriced:,} requests have no known price" if unpriced else ""
    note(f"${sum(costs):.4f} in {days} days{rest}")


def _render_model(row: JsonObject) -> list[str]:
    return [
        row["model"],
        row["role"],
        f"{row['requests']:,}",
        f"{row['failures']:,}",
        f"{row['input_tokens'] + row['cache_write_tokens']:,}",
        f"{row['cache_read_tokens']:,}",
        f"{row['output_tokens']:,}",
        "" if row["cost_usd"] is None else f"{row['cost_usd']:.4f}",
    ]


def _render_run(run: JsonObject) -> list[str]:
    stats = run.get("stats") or {}
    return [
        run["run_id"],
        _render_time(run["at"]),
        _render_status(run),
        _render_number(stats.get("calls")),
        _render_number(stats.get("wall_s"), factor=1000),
        _render_number(stats.get("tokens_withheld")),
    ]


def _render_call(call: JsonObject) -> list[str]:
    return [
        _render_number(call.get("call_index")),
        str(call["tool"]),
        str(call["caller"]),
        call["status"] or "not ended",
        _render_number(call.get("duration_ms")),
        _render_number(call.get("tokens_withheld")),
    ]


def _render_status(run: JsonObject) -> str:
    status = run["status"] or "not ended"
    return f"{status}: {run['limit']}" if run.get("limit") else str(status)


def _render_time(at: str) -> str:
    """To the second; the ledger has microseconds."""
    return f"{at[:10]} {at[11:19]}"


def _render_number(value: Json, *, factor: float = 1) -> str:
    if value is None:
        return ""
    return f"{value * factor:.1f}" if isinstance(value, float) else str(value)
