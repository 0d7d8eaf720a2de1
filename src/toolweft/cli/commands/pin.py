"""`toolweft pin`: which definitions of tools are accepted, what changed, and accepting it."""

from dataclasses import replace
from typing import Annotated

import typer

from toolweft.bootstrap import App, open_pins
from toolweft.catalog.pins import record_definition
from toolweft.cli.errors import UsageFault
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import Column, note, write, write_json, write_table
from toolweft.cli.pin_report import PinReport, PinRow, accept_rows, compare_pins, render_row
from toolweft.cli.session import open_session, read_settings, run_async
from toolweft.config import Settings
from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName

__all__ = ("accept", "app", "check", "diff", "list_all")

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="Show, compare or accept the definitions of tools.",
)

_COLUMNS = (
    Column(title="tool"),
    Column(title="state"),
    Column(title="suspicious", flexible=True),
)
# Looking must accept nothing.
_LOOK_ONLY = {"pins.mode": "strict"}
_Names = Annotated[
    list[str] | None,
    typer.Argument(metavar="[TOOL|SERVER]...", help="Full names of tools, or servers."),
]


@app.command("list")
@with_common
def list_all(common: Common, names: _Names = None) -> None:
    """Show every tool of the servers: as accepted, changed, new, or removed."""
    report = _report(common, names)
    if common.json:
        write_json(report.to_dict())
        return
    rows = [[row.name, row.state, "; ".join(map(str, row.flags))] for row in report.rows]
    write_table(_COLUMNS, rows)
    _note_about(report, common)


@app.command()
@with_common
def diff(common: Common, names: _Names = None) -> None:
    """Show what is not as it was accepted: [-what went-], {+what came+}."""
    report = _report(common, names)
    if common.json:
        write_json(report.to_dict())
        return
    for row in report.rows:
        if row.state != "same" or (names and row.flags):
            write(render_row(row))
    _note_about(report, common)


@app.command()
@with_common
def check(common: Common, names: _Names = None) -> None:
    """End with 1 where anything is not as it was accepted, or a server could not be asked."""
    report = _report(common, names)
    if common.json:
        write_json(report.to_dict())
    else:
        for row in report.rows:
            if row.state != "same":
                write(f"{row.name}: {row.state}")
        _note_about(report, common)
    if not report.is_clean:
        raise typer.Exit(ExitCode.FAILED)


@app.command()
@with_common
def accept(
    common: Common,
    names: _Names = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="All tools of all servers as they are now.")
    ] = False,
) -> None:
    """Accept tools as they are now, and show what that changes."""
    if bool(names) == everything:
        raise UsageFault(
            "nothing to accept was named" if not names else "both names and --all were given",
            hint="name tools or servers, or give --all; `toolweft pin diff` shows what changed",
        )
    report = _report(common, names)
    settings = read_settings(common)
    rows = [row for row in report.rows if row.state in {"new", "changed", "removed"}]
    try:
        open_pins(settings).change(lambda pins: accept_rows(pins, rows, settings.pins.servers))
    except OSError as exc:
        raise ConfigError(
            f"{report.path!r} cannot be written: {exc}",
            hint="make it writable, or name another place with pins.path",
        ) from exc
    if common.json:
        write_json({**report.to_dict(), "accepted": [row.name for row in rows]})
    else:
        for row in rows:
            write(render_row(row))
        _note_about(report, common)
        if common.verbosity >= 0:
            note(f"accepted {len(rows)} tools in {report.path}")
    if report.not_ready:
        raise typer.Exit(ExitCode.FAILED)


def _report(common: Common, names: list[str] | None) -> PinReport:
    settings = read_settings(common, overrides=_LOOK_ONLY)
    # What a server says now counts, not what it said when its tools were remembered.
    settings = replace(settings, discovery=replace(settings.discovery, is_read=False))
    return run_async(lambda: _compare(common, settings, names or []))


async def _compare(common: Common, settings: Settings, names: list[str]) -> PinReport:
    async with open_session(common, settings=settings, keeps_ledger=False) as app_:
        file = open_pins(settings)
        pins = file.read()
        sources = app_.catalog.snapshot.sources
        asked = {name for name in settings.pins.servers if name in sources}
        ready = {name for name in asked if sources[name].is_usable}
        tools = [
            (tool, record_definition(app_.catalog.source_definition(tool.qualified)))
            for tool in app_.catalog.snapshot.tools.values()
            if tool.definition.namespace in ready
        ]
        rows = compare_pins(pins, tools, ready=ready)
        chosen, servers = _choose(rows, names, app_)
        return PinReport(
            path=str(file.path),
            rows=chosen,
            not_ready=tuple(sorted(name for name in asked - ready if name in servers)),
            moved={
                name: pins[name].reached
                for name in sorted(servers & pins.keys())
                if pins[name].reached not in ("", settings.pins.servers.get(name))
            },
        )


def _choose(
    rows: tuple[PinRow, ...], names: list[str], app_: App
) -> tuple[tuple[PinRow, ...], set[SourceName]]:
    """The rows that are meant, and the servers they belong to.

    Raises:
        UsageFault: a name means no tool and no server.
    """
    snapshot = app_.catalog.snapshot
    servers = set(app_.settings.pins.servers)
    if not names:
        return rows, servers
    chosen: dict[str, PinRow] = {}
    meant: set[SourceName] = set()
    for name in names:
        of_server = {s.name for s in snapshot.sources.values() if name in (s.name, s.python_name)}
        tool = snapshot.find(name)
        found = [
            row
            for row in rows
            if row.source in of_server
            or name in (row.name, f"{row.source}.{row.tool}")
            or (tool is not None and row.name == tool.qualified)
        ]
        if not found and not of_server & servers:
            raise UsageFault(
                f"{name!r} is no tool and no server with accepted definitions",
                hint=f"the servers are: {', '.join(sorted(servers)) or 'none'}; "
                "`toolweft pin list` shows their tools",
            )
        chosen |= {row.name: row for row in found}
        meant |= of_server & servers or {row.source for row in found}
    return tuple(chosen.values()), meant


def _note_about(report: PinReport, common: Common) -> None:
    if common.verbosity < 0:
        return
    for name, before in report.moved.items():
        note(f"note: server {name!r} was reached otherwise when it was accepted: {before}")
    for name in report.not_ready:
        note(f"warning: server {name!r} could not be asked, so its tools are not compared")
    changed = sum(row.state != "same" for row in report.rows)
    flagged = sum(bool(row.flags) for row in report.rows)
    note(f"{len(report.rows)} tools, {changed} not as accepted, {flagged} suspicious")
