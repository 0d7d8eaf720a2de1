"""`toolweft tools`: every tool, with what the catalog decided about it."""

from collections.abc import Sequence
from typing import Annotated

import typer

from toolweft.catalog import IdleRule, find_idle_rules
from toolweft.catalog import lint_examples as lint_examples_of
from toolweft.cli.describe import source_to_dict, tool_to_dict
from toolweft.cli.errors import UsageFault
from toolweft.cli.example_report import ExampleReport, render_report, render_totals
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.first_use import ask_at_first_use
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import Column, note, write, write_json, write_table
from toolweft.cli.session import open_session, run_async
from toolweft.core.snapshot import CatalogTool, Snapshot

__all__ = ("app", "select_tools", "tools")

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_COLUMNS = (
    Column(title="tool"),
    Column(title="severity"),
    Column(title="callers"),
    Column(title="deferred"),
    Column(title="status"),
    Column(title="description", flexible=True),
)


@app.command()
@with_common
def tools(
    common: Common,
    *,
    source: Annotated[
        str | None, typer.Option("--source", "-s", metavar="NAME", help="Only this source's.")
    ] = None,
    lint_examples: Annotated[
        bool,
        typer.Option(
            "--lint-examples", help="Judge the tools' input examples; end with 1 on a finding."
        ),
    ] = False,
) -> None:
    """List every tool with severity, callers and status."""
    snapshot, idle = run_async(lambda: _load_snapshot(common))
    shown = select_tools(snapshot, source=source)
    if lint_examples:
        _report_examples(common, snapshot, shown, source=source)
        return
    if common.json:
        sources = [source_to_dict(status) for status in snapshot.sources.values()]
        write_json({"tools": [tool_to_dict(tool) for tool in shown], "sources": sources})
        return
    write_table(_COLUMNS, [_render_row(tool) for tool in shown])
    if common.verbosity >= 0:
        note(_render_summary(snapshot, shown=len(shown)))
        _note_lists(snapshot, source=source)
        _note_left_out(shown)
        _note_pins(shown)
        for rule in idle:
            note(f"warning: {rule}")


def _report_examples(
    common: Common, snapshot: Snapshot, shown: Sequence[CatalogTool], *, source: str | None
) -> None:
    report = ExampleReport(
        tools=len(shown),
        examples=sum(len(tool.definition.input_examples) for tool in shown),
        findings=tuple(finding for tool in shown for finding in lint_examples_of(tool)),
        not_ready=tuple(
            status.name
            for status in snapshot.sources.values()
            if not status.is_usable and source in (None, status.name, status.python_name)
        ),
    )
    if common.json:
        write_json(report.to_dict())
    else:
        if report.findings:
            write(render_report(report.findings))
        if common.verbosity >= 0:
            note(render_totals(report))
    if not report.is_clean:
        raise typer.Exit(ExitCode.FAILED)


def _note_lists(snapshot: Snapshot, *, source: str | None) -> None:
    """Say what was wrong with a server's own list."""
    for status in snapshot.sources.values():
        if source in (None, status.name, status.python_name):
            for text in status.notes:
                note(f"warning: source {status.name!r}: {text}")


def _note_left_out(shown: Sequence[CatalogTool]) -> None:
    """Say that examples are not shown; why is the lint's to tell."""
    faulty = [tool.qualified for tool in shown if tool.example_faults]
    if faulty:
        note(
            f"note: examples are left out of {_list_some(faulty)}"
            "; `toolweft tools --lint-examples` says why"
        )


def _note_pins(shown: Sequence[CatalogTool]) -> None:
    suspended = [tool.qualified for tool in shown if tool.status == "suspended"]
    if suspended:
        note(f"warning: suspended: {_list_some(suspended)}; `toolweft pin diff` says why")
    flagged = [tool.qualified for tool in shown if tool.flags]
    if flagged:
        note(f"warning: suspicious: {_list_some(flagged)}; `toolweft pin list` says why")


def _list_some(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 3} more tools" if len(names) > 3 else ""
    return f"{', '.join(names[:3])}{rest}"


async def _load_snapshot(common: Common) -> tuple[Snapshot, tuple[IdleRule, ...]]:
    """All tools, and the decisions that are about none of them."""
    async with open_session(common, keeps_ledger=False) as app_:
        await ask_at_first_use(common, app_)
        snapshot = app_.catalog.snapshot
        return snapshot, find_idle_rules(app_.settings.catalog.rules, snapshot)


def select_tools(snapshot: Snapshot, *, source: str | None) -> list[CatalogTool]:
    """The tools of one source, or of all, by source and name.

    Raises:
        UsageFault: there is no such source.
    """
    known = {status.python_name for status in snapshot.sources.values()} | set(snapshot.sources)
    if source is not None and source not in known:
        raise UsageFault(
            f"there is no source named {source!r}",
            hint=f"the sources are: {', '.join(sorted(snapshot.sources)) or 'none'}",
        )
    shown = [
        tool
        for tool in snapshot.tools.values()
        if source in (None, tool.definition.namespace, tool.python_namespace)
    ]
    return sorted(shown, key=lambda tool: tool.qualified)


def _render_row(tool: CatalogTool) -> list[str]:
    return [
        tool.qualified,
        tool.severity,
        "+".join(sorted(tool.callers)) or "none",
        "yes" if tool.deferred else "no",
        tool.status,
        tool.definition.short_description,
    ]


def _render_summary(snapshot: Snapshot, *, shown: int) -> str:
    ready = sum(source.is_usable for source in snapshot.sources.values())
    return f"{shown} tools; {ready} of {len(snapshot.sources)} sources ready"
