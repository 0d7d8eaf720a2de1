"""`toolweft ask`: a task for the agent, its progress on stderr and its answer on stdout."""

from contextlib import aclosing
from typing import Annotated

import typer

from toolweft.agent.events import TaskFinished
from toolweft.agent.results import AgentResult
from toolweft.bootstrap.agent import Agent
from toolweft.cli.asking import EventLines, render_total
from toolweft.cli.errors import UsageFault
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note, write, write_error, write_json
from toolweft.cli.session import note_unasked, open_client, open_session, read_settings, run_async
from toolweft.core.calls import LOCAL

__all__ = ("app", "ask")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@app.command()
@with_common
def ask(
    common: Common,
    task: Annotated[str, typer.Argument(help="What is to be found out or done.")],
    *,
    planner: Annotated[
        list[str] | None,
        typer.Option(
            "--planner",
            metavar="VENDOR:MODEL",
            help="Who plans; repeated, the others stand in for the first.",
        ),
    ] = None,
    worker: Annotated[
        list[str] | None,
        typer.Option(
            "--worker", metavar="VENDOR:MODEL", help="Who answers inside programs; may be repeated."
        ),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", metavar="USD", help="Stop before it costs more.")
    ] = None,
    max_turns: Annotated[
        int | None, typer.Option("--max-turns", metavar="N", help="Replies of the planner.")
    ] = None,
) -> None:
    """Let a model work on a task with all tools.

    What happens goes to stderr as it happens, the answer to stdout. Models come from the flags or
    from [models] of the configuration, their keys from the environment.
    """
    if not task.strip():
        raise UsageFault("the task is empty", hint='toolweft ask "Which issues are open?"')
    result = run_async(
        lambda: _ask(common, task, planner, worker, max_cost=max_cost, max_turns=max_turns)
    )
    if common.json:
        write_json(result.to_dict())
    elif result.text:
        write(result.text)
    if common.verbosity >= 0 and not common.json:
        note_unasked(call.status for call in result.calls)
        note(render_total(result))
    if result.error is not None and not (common.json and result.is_ok):
        write_error(result.error.code, result.error.message, hint=result.error.hint)
    if not result.is_ok:
        raise typer.Exit(ExitCode.FAILED)


async def _ask(
    common: Common,
    task: str,
    planner: list[str] | None,
    worker: list[str] | None,
    *,
    max_cost: float | None,
    max_turns: int | None,
) -> AgentResult:
    settings = read_settings(common)
    models = {"planner": planner or None, "worker": worker or None}
    bounds = {"max_cost": max_cost, "max_turns": max_turns}
    # Before servers are started: a model that cannot be had needs none.
    Agent(**models, config=settings, **bounds)  # type: ignore[arg-type]  # as named
    async with (
        open_session(common, settings=settings) as app_,
        open_client(common, app_) as client,
    ):
        parts = {"toolbox": app_.toolbox_for(LOCAL), "client": client}
        agent = Agent(**models, config=settings, **parts, **bounds)  # type: ignore[arg-type]  # as named
        lines = EventLines()
        result: AgentResult | None = None
        async with aclosing(agent.stream(task)) as events:  # type: ignore[type-var]  # a generator
            async for event in events:
                if isinstance(event, TaskFinished):
                    result = event.result
                elif common.verbosity >= 0:
                    for line in lines.add(event):
                        note(line)
    assert result is not None, "a task ends with its result"
    return result
