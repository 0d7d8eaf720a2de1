"""`toolweft import [SOURCE]`: servers of a client, and which of their tools only read."""

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from glob import escape
from pathlib import Path
from typing import Annotated

import typer

from toolweft.catalog.suggestion import sounds_read_only
from toolweft.cli.clients import (
    ChangeOptions,
    MoveOptions,
    plan_with_consent,
    read_surroundings,
    verdicts_to_dict,
    write_verdicts,
)
from toolweft.cli.consent import can_ask, check_consent, is_agreed
from toolweft.cli.errors import UsageFault
from toolweft.cli.groups import with_groups
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import note, write, write_json
from toolweft.cli.session import open_session, read_settings, run_async
from toolweft.cli.undecided import find_undecided, render_undecided
from toolweft.config import Settings
from toolweft.config.clients import (
    CLIENTS,
    FileChange,
    Import,
    apply_import,
    decide_tools,
    parse_bytes,
    plan_import,
    read_bytes,
    render_changes,
    write_change,
)
from toolweft.core.json import JsonObject
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.core.tools import Severity

__all__ = ("app", "import_")

app = typer.Typer(rich_markup_mode=None, add_completion=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _ToolOptions:
    """Which tools only read."""

    read_only: Annotated[
        list[str] | None,
        typer.Option(
            "--read-only",
            metavar="GLOB",
            help="Tools without hints that only read, as SERVER.TOOL; may be repeated.",
        ),
    ] = None


@app.command(name="import")
@with_common
@with_groups
def import_(
    common: Common,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[CLIENT|FILE]",
            help=f"A client ({', '.join(CLIENTS)}) or a file of one; without, nothing is added.",
        ),
    ] = None,
    *,
    change: ChangeOptions,
    move: MoveOptions,
    tools: _ToolOptions,
) -> None:
    """Copy a client's servers to toolweft's configuration; ask which tools only read.

    Tools whose server says nothing count as destructive. They are listed, those that sound
    harmless are suggested, and the answer is kept in the configuration.
    """
    result: JsonObject = {}
    if source is not None:
        plan = _import_servers(common, source, change, move)
        common = replace(common, config=plan.config.path)
        result = {
            "source": str(plan.source),
            "config": str(plan.config.path),
            **verdicts_to_dict(plan.verdicts),
        }
        if change.dry_run:
            if common.json:
                write_json({**result, "changed": False, "diff": render_changes((plan.config,))})
            return
        if plan.config.after is None:
            raise UsageFault(
                f"no server of {str(plan.source)!r} was imported",
                hint="see above why each of them stays",
            )
    result |= _decide(common, change, tools)
    if common.json:
        write_json(result)


def _import_servers(
    common: Common, source: str, change: ChangeOptions, move: MoveOptions
) -> Import:
    around = read_surroundings()
    plan = plan_with_consent(
        lambda choice: plan_import(
            source, change.scope, around, config=common.config, choice=choice
        ),
        move,
        asks=not change.dry_run and not change.yes,
    )
    if not common.json:
        write_verdicts(plan.verdicts, moved=f"copied to {plan.config.path}")
        write(render_changes((plan.config,)), end="")
    if change.dry_run or not plan.config.is_change:
        return plan
    if not check_consent("Make these changes?", given=change.yes):
        raise UsageFault("nothing was changed", hint="run it again to decide anew")
    apply_import(plan, around)
    return plan


def _decide(common: Common, change: ChangeOptions, options: _ToolOptions) -> JsonObject:
    """Settle which tools without hints only read, and keep it."""
    settings = read_settings(common)
    if not settings.files:
        raise UsageFault(
            "there is no configuration to keep decisions in",
            hint="name a client or a file to import from, or a configuration: --config FILE",
        )
    snapshot = run_async(lambda: _load(common, settings))
    undecided = find_undecided(snapshot, settings)
    suggested: set[str] = {
        tool.qualified for tool in undecided if sounds_read_only(tool.definition.name)
    }
    if not common.json:
        _tell(undecided, suggested)
    chosen = _choose(undecided, suggested, change, options)
    if chosen and not change.dry_run:
        _keep(settings.files[-1], {tool.qualified: tool for tool in undecided}, chosen)
    return {
        "unhinted": [
            {"tool": tool.qualified, "suggested": tool.qualified in suggested} for tool in undecided
        ],
        "decided": dict(sorted(chosen.items())),
        "changed": bool(chosen) and not change.dry_run,
    }


async def _load(common: Common, settings: Settings) -> Snapshot:
    async with open_session(common, settings=settings, keeps_ledger=False) as app_:
        return app_.catalog.snapshot


def _tell(undecided: list[CatalogTool], suggested: set[str]) -> None:
    if not undecided:
        write("every tool says whether it only reads, or the configuration does")
        return
    write(render_undecided(undecided, suggested), end="")


def _choose(
    undecided: list[CatalogTool],
    suggested: set[str],
    change: ChangeOptions,
    options: _ToolOptions,
) -> dict[str, Severity]:
    """What is decided of each tool; an answer for all of them settles the rest too."""
    globs = options.read_only or []
    named = {tool.qualified for tool in undecided if _is_named(tool, globs)}
    if globs:
        missed = [glob for glob in globs if not any(_is_named(t, [glob]) for t in undecided)]
        for glob in missed:
            note(f"note: no tool without hints fits --read-only {glob!r}")
    if globs:
        return dict.fromkeys(named, "read_only")
    agreed = change.yes
    if undecided and not agreed:
        if change.dry_run or not can_ask():
            note(
                f"note: {len(undecided)} tools count as destructive until it is decided:"
                " --yes takes the suggestions, --read-only GLOB names others"
            )
            return {}
        agreed = is_agreed(
            f"Do the {len(suggested)} marked tools only read, and the other"
            f" {len(undecided) - len(suggested)} not?"
            if suggested
            else "Keep all of them as destructive, and not ask again?"
        )
        if not agreed:
            note("note: nothing was decided; --read-only GLOB names tools one by one")
            return {}
    return {
        tool.qualified: "read_only" if tool.qualified in suggested else "destructive"
        for tool in undecided
    }


def _is_named(tool: CatalogTool, globs: list[str]) -> bool:
    names = (tool.qualified, f"{tool.definition.namespace}.{tool.definition.name}")
    return any(fnmatchcase(name, glob) for name in names for glob in globs)


def _keep(path: Path, tools: dict[str, CatalogTool], chosen: dict[str, Severity]) -> None:
    """Write the decisions to the configuration."""
    before = read_bytes(path)
    rules: dict[str, dict[str, JsonObject]] = {}
    for name, severity in chosen.items():
        definition = tools[name].definition
        key = escape(definition.name)
        rules.setdefault(definition.namespace, {})[key] = {"severity": severity}
    after = decide_tools(before, parse_bytes(before, path), rules)
    write_change(FileChange(path=path, before=before, after=after))
    reading = sum(severity == "read_only" for severity in chosen.values())
    note(f"{reading} of {len(chosen)} tools only read; kept in {path}")
