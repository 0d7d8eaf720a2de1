"""Opens the application for one command: settings, logs, progress, and the event loop."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import anyio

from toolweft.bootstrap import App, open_app
from toolweft.cli.collecting import resume_collection
from toolweft.cli.consent import can_ask
from toolweft.cli.logs import configure_logging
from toolweft.cli.options import Common
from toolweft.cli.output import note
from toolweft.cli.progress import show_progress
from toolweft.cli.terminal import StandardInput, TerminalClient
from toolweft.config import Settings, load_settings, read_environment, read_home
from toolweft.core.errors import AmbiguousTool, AskRefused, CatalogError
from toolweft.core.ids import SourceName
from toolweft.core.names import names_source, python_namespace
from toolweft.core.ports import Policy
from toolweft.core.saved import SAVED_SOURCE
from toolweft.core.snapshot import Snapshot, SourceState
from toolweft.stores import LedgerOptions

__all__ = (
    "IN_MEMORY",
    "note_unasked",
    "open_client",
    "open_session",
    "open_without_sources",
    "read_settings",
    "run_async",
    "warn_of_failed_sources",
)

Answer = TypeVar("Answer")

# A ledger for commands that leave nothing to record.
IN_MEMORY = LedgerOptions(url="sqlite://")


def run_async(work: Callable[[], Awaitable[Answer]]) -> Answer:
    """Run one command's work in an event loop of its own."""
    resume_collection()
    return anyio.run(work)


def read_settings(
    common: Common,
    *,
    overrides: Mapping[str, str] | None = None,
    log_level: int = logging.ERROR,
) -> Settings:
    """The settings of this invocation; logs go to stderr from here on.

    Args:
        common: names the file and the folder of recorded definitions, where given.
        overrides: dotted keys from the command's own flags.
        log_level: what is logged without -v or -q.

    Raises:
        ConfigError: the configuration cannot be used.
    """
    configure_logging(common.verbosity, usual=log_level)
    return load_settings(
        config=common.config,
        recorded=common.recorded,
        overrides=overrides or {},
        environ=read_environment(),
        cwd=Path.cwd(),
        home=read_home(),
    )


@asynccontextmanager
async def open_session(
    common: Common,
    *,
    settings: Settings | None = None,
    overrides: Mapping[str, str] | None = None,
    policies: Sequence[Policy] = (),
    keeps_ledger: bool = True,
    tool: str | None = None,
) -> AsyncIterator[App]:
    """The application with every source ready or failed; failures are noted on stderr.

    Args:
        common: the options of this invocation.
        settings: read already; None reads them.
        overrides: dotted keys from the command's own flags.
        policies: more wrappers for every call.
        keeps_ledger: False where nothing is called or run: the ledger is then not even opened.
        tool: the only one that is needed: once it is known, nothing else is waited for.
    """
    settings = settings or read_settings(common, overrides=overrides)
    if not keeps_ledger:
        settings = replace(settings, ledger=IN_MEMORY)
    if common.verbosity >= 0:
        for problem in settings.problems:
            note(f"note: {problem}")
    with show_progress(wanted=common.progress and common.verbosity >= 0) as progress:
        async with open_app(
            settings, policies=policies, on_source=lambda catalog: progress.update(catalog.snapshot)
        ) as app:
            if tool is None:
                await app.settle()
            else:
                await _wait_for(app, tool)
            progress.stop()
            if common.verbosity >= 0:
                warn_of_failed_sources(app.catalog.snapshot, is_enough=tool is not None)
            yield app
        if app.pins.problem and common.verbosity >= 0:
            note(f"warning: {app.pins.problem}")


@asynccontextmanager
async def open_without_sources(common: Common) -> AsyncIterator[App]:
    """The application with no source but saved programs: whatever runs in it reaches no tool."""
    settings = replace(
        read_settings(common), servers=(), broken_servers=(), python_sources=(), problems=()
    )
    async with open_session(common, settings=settings) as app:
        yield app


async def _wait_for(app: App, tool: str) -> None:
    """Return once a tool is known, or no source is left that may have it.

    Each source ends its start by itself, so that nobody waits longer than its start time-out.
    """
    every = tuple(app.sources.statuses())
    named = tuple(source for source in every if _is_of(tool, source))
    for source in named:
        await app.sources.wait_known(source)
    if not named or SAVED_SOURCE in named:
        # Several may have it, or it uses what others have: the usual time is given to all.
        await app.settle()

    def is_known() -> bool:
        return _is_known(app.catalog.snapshot, tool)

    def is_known_elsewhere() -> bool:
        return tool in app.catalog.snapshot.aliases

    if named or "." not in tool:
        await _settle_those(app, named or every, state="starting", until=is_known)
    # What it is remembered with may be old. For a slip of the pen not every source is started.
    await _settle_those(app, named, state="idle", until=is_known)
    if named and "." not in tool and not is_known():
        # Another source may have a tool of this very name. It is no answer, as the name is one of
        # the named source, but the error offers it.
        await _settle_those(app, every, state="starting", until=is_known_elsewhere)


def _is_of(tool: str, source: SourceName) -> bool:
    # A source's own name may have a dot, too.
    return tool.startswith(f"{source}.") or names_source(
        tool, source=source, namespace=python_namespace(source)
    )


async def _settle_those(
    app: App, sources: Sequence[SourceName], *, state: SourceState, until: Callable[[], bool]
) -> None:
    """Have those in one state ready or failed, all at once; return early where that is enough."""
    if until():
        return
    statuses = app.sources.statuses()
    async with anyio.create_task_group() as tasks:

        async def settle(source: SourceName) -> None:
            await app.sources.settle_one(source)
            if until():
                tasks.cancel_scope.cancel()

        for source in sources:
            # One that turned out to have nothing is not there any more.
            if source in statuses and statuses[source].state == state:
                tasks.start_soon(settle, source)


def _is_known(snapshot: Snapshot, tool: str) -> bool:
    try:
        snapshot.resolve(tool)
    except CatalogError as error:
        # Of several, no more need to be known.
        return isinstance(error, AmbiguousTool)
    return True


@asynccontextmanager
async def open_client(common: Common, app: App) -> AsyncIterator[TerminalClient]:
    """Who is asked what tools ask: the person at the terminal, where there is one.

    Raises:
        ConfigError: the model of `asks.sampling_model` cannot be had.
    """
    # Whoever serves asks nobody here, and starts without it.
    from toolweft.bootstrap.sampling import open_sampler

    entered = StandardInput()
    async with open_sampler(app) as sample:
        yield TerminalClient(
            lines=entered if can_ask() else None,
            forget=entered.forget,
            roots=app.settings.roots,
            sample=sample,
            is_verbose=common.verbosity > 0,
        )


def note_unasked(codes: Iterable[str]) -> None:
    """Say what to do where something was asked, and nobody could answer.

    Args:
        codes: of the calls' failures.
    """
    if AskRefused.code in codes and not can_ask():
        note(
            "note: a tool asked something, and there is no terminal to answer on: run the command"
            " on one; [asks] of the configuration answers for roots and models"
        )


def warn_of_failed_sources(snapshot: Snapshot, *, is_enough: bool = False) -> None:
    """Note every source that did not start, in one line each.

    Args:
        snapshot: what there is.
        is_enough: whether nobody waits for those that are still starting.
    """
    for source in snapshot.sources.values():
        if source.state == "failed":
            note(f"warning: source {source.name!r} is not available: {_in_one_line(source.reason)}")
        elif source.state == "starting" and not (source.tool_count or is_enough):
            note(f"warning: source {source.name!r} is still starting; its tools are not here yet")


def _in_one_line(reason: str) -> str:
    """The first line of a reason; where it announces more, with the last, which says most."""
    lines = reason.strip().splitlines() or [""]
    return f"{lines[0]} {lines[-1].strip()}" if lines[0].endswith(":") else lines[0]
