"""`toolweft doctor`: what works here, what does not, and why."""

import platform
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import typer

from toolweft.bootstrap import App, open_app
from toolweft.calls.contents import ContentView
from toolweft.catalog import find_idle_rules
from toolweft.catalog.pins.hidden import show_hidden
from toolweft.cli.diagnosis import Diagnosis, LookedUp, render_diagnosis, render_looked_up
from toolweft.cli.exit_codes import ExitCode
from toolweft.cli.masking import mask_urls
from toolweft.cli.options import Common, with_common
from toolweft.cli.output import write, write_json
from toolweft.cli.session import IN_MEMORY, open_session, read_settings, run_async
from toolweft.config import Settings, lookup_paths, read_environment, read_home
from toolweft.core.calls import LOCAL
from toolweft.core.errors import ConfigError, LedgerUnavailable, SandboxUnavailable
from toolweft.core.ports import IsolationReport
from toolweft.sandbox.abilities import MONTY_CAPABILITIES
from toolweft.sandbox.choice import monty_is_installed
from toolweft.sandbox.options import TIER_NAMES, SandboxOptions
from toolweft.stores.location import is_memory

__all__ = ("app", "doctor")

app = typer.Typer(rich_markup_mode=None, add_completion=False)

# Lists of prompts and resources that do not come by then are not looked through.
_SETTLE_S = 5.0
_PACKAGES = (
    "toolweft",
    "mcp",
    "anyio",
    "sqlalchemy",
    "jsonschema-rs",
    "pydantic",
    "pydantic-monty",
)


@app.command()
@with_common
def doctor(common: Common) -> None:
    """Check configuration, servers, sandbox and ledger.

    Ends with 1 when something configured cannot be used.
    """
    try:
        settings = read_settings(common)
    except ConfigError:
        write(render_looked_up(_look_up(read=()), ()))
        raise
    # Whether a server works is known when it runs, not when its tools are remembered.
    settings = replace(settings, discovery=replace(settings.discovery, is_read=False))
    # Its own report says what failed, so nothing is noted on the way.
    found = run_async(lambda: _examine(replace(common, verbosity=-1), settings))
    if common.json:
        write_json(found.to_dict())
    else:
        write(render_diagnosis(found))
    if not found.is_healthy:
        raise typer.Exit(ExitCode.FAILED)


async def _examine(common: Common, settings: Settings) -> Diagnosis:
    failure = ""
    try:
        async with open_session(common, settings=settings) as app_:
            return await _diagnose(app_, settings)
    except LedgerUnavailable as error:
        failure = mask_urls(str(error))
    # The rest can be examined without it: a ledger in memory stands in.
    async with open_session(common, settings=replace(settings, ledger=IN_MEMORY)) as app_:
        found = await _diagnose(app_, settings)
        return replace(found, durability="", ledger_failure=failure)


async def _diagnose(app_: App, settings: Settings) -> Diagnosis:
    failure, hint = "", ""
    try:
        await app_.backend.start()
    except SandboxUnavailable as error:
        failure, hint = error.message, error.hint or ""
    ledger_failure = await _try_ledger(app_)
    snapshot = app_.catalog.snapshot
    capabilities = app_.backend.capabilities
    return Diagnosis(
        looked_up=_look_up(read=settings.files),
        problems=settings.problems,
        sources=tuple(snapshot.sources.values()),
        tool_count=len(snapshot.tools),
        disabled=tuple(
            (tool.qualified, tool.status_reason)
            for tool in snapshot.tools.values()
            if tool.status == "disabled"
        ),
        suspended=tuple(
            (tool.qualified, tool.status_reason)
            for tool in snapshot.tools.values()
            if tool.status == "suspended"
        ),
        flagged=await _find_flagged(app_),
        idle_rules=tuple(map(str, find_idle_rules(settings.catalog.rules, snapshot))),
        pins_path=str(settings.pins.path) if app_.pins.is_kept else "",
        pins_problem=app_.pins.problem,
        example_faults=tuple(
            (tool.qualified, str(fault))
            for tool in snapshot.tools.values()
            for fault in tool.example_faults
        ),
        sandbox="" if failure else f"{capabilities.backend}/{capabilities.tier}",
        is_isolated=capabilities.is_isolated,
        tiers=(*app_.backend.reports, *await _try_other_tiers(settings, app_.backend.reports)),
        sandbox_failure=failure,
        sandbox_hint=hint,
        ledger_url=mask_urls(settings.ledger.url),
        durability="" if ledger_failure else app_.ledger.durability,
        ledger_failure=ledger_failure,
        versions=_versions(capabilities.language),
    )


async def _find_flagged(app_: App) -> tuple[tuple[str, str], ...]:
    """What is suspicious in what servers say, and of what they say it."""
    snapshot = app_.catalog.snapshot
    view = ContentView(app_.contents, LOCAL)
    await view.settle(_SETTLE_S)
    return tuple(
        (show_hidden(named), show_hidden(str(flag)))
        for named, flags in (
            *((tool.qualified, tool.flags) for tool in snapshot.tools.values()),
            *((f"server {s.name}", s.flags) for s in snapshot.sources.values()),
            *((f"prompt {name}", found) for name, found in view.flags("prompts").items()),
            *((f"resource {uri}", found) for uri, found in view.flags("resources").items()),
            *((f"resource {uri}", found) for uri, found in view.flags("templates").items()),
        )
        for flag in flags
    )


async def _try_ledger(app_: App) -> str:
    """Why the ledger cannot be written and read; empty where it can."""
    try:
        await app_.ledger.flush()
        if not is_memory(app_.settings.ledger.url):
            await app_.reader.runs(principal=None, limit=1)
    except LedgerUnavailable as error:
        return mask_urls(str(error))
    return ""


def _other_sandboxes(options: SandboxOptions, tried: Collection[str]) -> list[SandboxOptions]:
    """The options again, once for each tier and backend that starting did not need."""
    if options.tier != "auto" or options.backend == "monty":
        return []
    others = [replace(options, tier=tier) for tier in TIER_NAMES if tier not in tried]
    is_untried = MONTY_CAPABILITIES.tier not in tried
    if options.backend == "auto" and monty_is_installed() and is_untried:
        others.append(replace(options, backend="monty"))
    return others


async def _try_other_tiers(
    settings: Settings, tried: Sequence[IsolationReport]
) -> list[IsolationReport]:
    """The dry runs of the tiers that starting did not need, each over an empty house."""
    names = {report.tier for report in tried}
    found: list[IsolationReport] = []
    for sandbox in _other_sandboxes(settings.sandbox, names):
        empty = replace(
            settings,
            servers=(),
            broken_servers=(),
            python_sources=(),
            openapi_sources=(),
            ledger=IN_MEMORY,
            sandbox=sandbox,
        )
        async with open_app(empty) as app_:
            with suppress(SandboxUnavailable):
                await app_.backend.start()
            found += app_.backend.reports
    return found


def _look_up(*, read: tuple[Path, ...]) -> tuple[LookedUp, ...]:
    paths = lookup_paths(environ=read_environment(), cwd=Path.cwd(), home=read_home())
    resolved = {path.resolve() for path in read}
    # Named on the command line, in the environment, or included.
    named = [path for path in read if path.resolve() not in {p.resolve() for p in paths}]
    return tuple(
        LookedUp(path=str(path), exists=path.is_file(), is_read=path.resolve() in resolved)
        for path in (*named, *paths)
    )


def _versions(language: str) -> tuple[tuple[str, str], ...]:
    found = [("Python", platform.python_version()), ("programs", language)]
    for package in _PACKAGES:
        try:
            found.append((package, version(package)))
        except PackageNotFoundError:
            found.append((package, "not installed"))
    return (*found, (platform.system(), platform.release()))
