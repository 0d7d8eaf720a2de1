"""Everything that is open at once, and the opening of it, in order."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio

from toolweft.bootstrap.answers import AnswerBook, AnsweredRoad
from toolweft.bootstrap.derived import open_derived
from toolweft.bootstrap.parts import (
    PythonTool,
    build_pin_book,
    build_pin_keeper,
    build_sources,
    learned_uses,
    open_embeddings,
    open_journal,
)
from toolweft.calls import ResultKeeper, Road
from toolweft.calls.contents import ContentNews, ContentRoad, ContentView
from toolweft.catalog import Catalog
from toolweft.config import Settings, load_settings, read_environment, read_home
from toolweft.core.calls import LOCAL, Principal
from toolweft.core.clock import RandomIds, SystemClock
from toolweft.core.ids import RunId
from toolweft.core.json import Json, JsonObject
from toolweft.core.ports import (
    Ledger,
    LedgerReader,
    Policy,
    SandboxBackend,
)
from toolweft.core.saved import SavedStore
from toolweft.core.search import TextEmbedder
from toolweft.core.workers import Workers
from toolweft.policies import AllowedCaller, Deadline, ValidateArguments
from toolweft.programs import ProgramRunner
from toolweft.programs.journalling import JournalKeeper
from toolweft.programs.replay import Replayer
from toolweft.programs.saved import SavedRunner
from toolweft.sandbox import LazyBackend
from toolweft.sandbox.choice import build_backend, expected
from toolweft.search import CatalogSearcher
from toolweft.sources import (
    PatientRoad,
    SavedSource,
    SourceGroup,
)
from toolweft.stores import (
    ObservedLedger,
    SqlLedger,
    SqlLedgerReader,
)
from toolweft.stores.handles import FileHandleStore
from toolweft.stores.pins import LockFile, PinKeeper
from toolweft.stores.saved import FileSavedStore
from toolweft.toolbox import SavedParts, Surfaces, Toolbox, VisibleTools

__all__ = (
    "App",
    "OpenToolbox",
    "PythonTool",
    "open_app",
    "open_pins",
    "open_reader",
    "open_saved",
    "open_toolbox",
    "read_models",
)

# A command and the library wait this long for slow servers: one that hangs must not hold up the
# others. A call of its tools still waits for it.
_SETTLE_S = 10.0


class OpenToolbox(Protocol):
    """A conversation's view of everything that is open, on behalf of one principal."""

    def __call__(self, principal: Principal, *, workers: Workers | None = None) -> Toolbox:
        """A toolbox whose programs may ask these workers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """Everything that is open, for as long as it is open."""

    settings: Settings
    catalog: Catalog
    sources: SourceGroup
    ledger: Ledger
    reader: LedgerReader
    backend: LazyBackend
    runner: ProgramRunner
    searcher: CatalogSearcher
    pins: PinKeeper
    answers: AnswerBook
    toolbox_for: OpenToolbox
    contents: ContentRoad
    # Opens what was left to be opened late; see `open_app`.
    open_rest: Callable[[], None]

    def is_settled(self) -> bool:
        """Whether of every source the tools are known, or it has failed."""
        return self.sources.is_settled

    async def settle(self) -> None:
        """Return once every source is known or has failed, after ten seconds at the latest."""
        await self.sources.settle(min(self.settings.start_wait_s, _SETTLE_S))


@asynccontextmanager
async def open_app(  # noqa: PLR0913 -- all that may stand in for a part, most of it seldom given
    settings: Settings,
    *,
    tools: Sequence[PythonTool] = (),
    policies: Sequence[Policy] = (),
    on_source: Callable[[Catalog], None] | None = None,
    sandbox: SandboxBackend | None = None,
    embedder: TextEmbedder | None = None,
    is_late: bool = False,
) -> AsyncIterator[App]:
    """Open ledger, catalog, sources, road, sandbox and programs; close them in reverse.

    Sources start at once, concurrently, and in the background: await `App.settle` where their
    tools must be there. The sandbox starts with the first program.

    Args:
        settings: what to open, from `toolweft.config`.
        tools: Python functions, specs, modules and objects, as the source "local".
        policies: more wrappers for every call, inside toolweft's own, nearest to the source.
        on_source: hears of every change of the catalog; called in the event loop.
        sandbox: in place of the one the settings name.
        embedder: in place of the one the settings name; whoever made it opens and closes it.
        is_late: the database is opened by the first event or by `App.open_rest`, for a quick start;
            servers that are remembered start with the first call or then.

    Raises:
        ConfigError: two sources have one name, or the lock file cannot be used.
        LedgerUnavailable: the ledger cannot be opened.
    """
    time, ids = SystemClock(), RandomIds()
    async with AsyncExitStack() as stack:
        derived = await stack.enter_async_context(open_derived(settings, clock=time))
        book = build_pin_book(settings)
        catalog = Catalog(settings.catalog, pins=book, clock=time, derived=derived)
        if on_source is not None:
            catalog.subscribe(lambda _snapshot: on_source(catalog))
        answers = AnswerBook(settings, catalog=catalog)
        saved_store = FileSavedStore(settings.saved, ids=ids)
        saved_source = SavedSource(saved_store, listener=catalog)
        news = ContentNews()
        rest = anyio.Event()
        sources = build_sources(
            settings,
            tools,
            saved=saved_source,
            catalog=catalog,
            clock=time,
            news=news,
            start_after=rest,
        )
        sql = SqlLedger(settings.ledger, clock=time, is_late=is_late)
        ledger: Ledger = await stack.enter_async_context(sql)

        def open_rest() -> None:
            sql.want()
            rest.set()

        if not is_late:
            open_rest()
        uses = None
        if settings.search.learn:
            uses = await stack.enter_async_context(learned_uses(settings, clock=time, after=rest))
            ledger = ObservedLedger(ledger, observe=uses.observe)
        handles = await stack.enter_async_context(
            FileHandleStore(settings.handles, clock=time, ids=ids)
        )
        journal = await stack.enter_async_context(open_journal(settings, clock=time))
        pins = await stack.enter_async_context(
            build_pin_keeper(settings, book, on_change=catalog.pins_changed)
        )
        await stack.enter_async_context(sources)
        calls = Road(
            holder=catalog,
            find_source=sources.get,
            policies=(
                AllowedCaller(),
                ValidateArguments(max_faults=settings.calls.max_faults),
                Deadline(),
                *policies,
            ),
            ledger=ledger,
            clock=time,
            options=settings.calls,
            keeper=ResultKeeper(handles, options=settings.calls),
        )
        road = AnsweredRoad(
            PatientRoad(calls, settle=sources.settle_one, holder=catalog),
            book=answers,
            catalog=catalog,
        )
        backend = await stack.enter_async_context(
            LazyBackend(
                sandbox
                or build_backend(
                    settings.sandbox, clock=time, warm_limits=settings.programs.limits
                ),
                expected=expected(settings.sandbox),
            )
        )
        searcher = CatalogSearcher(
            uses=uses,
            embedder=await stack.enter_async_context(
                open_embeddings(settings, catalog, embedder=embedder, clock=time)
            ),
            derived=derived,
            is_settled=lambda: sources.is_settled,
        )
        contents = ContentRoad(
            sources=sources.content_sources(),
            ledger=ledger,
            clock=time,
            ids=ids,
            news=news,
            options=settings.calls,
            timeout_s=settings.catalog.default_timeout_s,
            holder=catalog,
            withholds=settings.pins.mode != "off" and settings.pins.flagged == "suspend",
        )
        runner = await stack.enter_async_context(
            ProgramRunner(
                backend=backend,
                road=road,
                holder=catalog,
                searcher=searcher,
                ledger=ledger,
                clock=time,
                ids=ids,
                options=settings.programs,
                handles=handles,
                journal=JournalKeeper(
                    journal=journal,
                    keeps_others=settings.journal.principals == "all",
                    max_run_bytes=settings.journal.max_run_bytes,
                    exclude=settings.journal.exclude,
                ),
                reader_for=partial(ContentView, contents),
            )
        )
        saved_source.run_with(SavedRunner(runner, max_depth=settings.saved.max_depth).run)
        saved = SavedParts(
            journal=journal,
            store=saved_store,
            replayer=Replayer(pool=runner.pool, ledger=ledger, clock=time, ids=ids),
            holder=catalog,
            clock=time,
            refresh=saved_source.refresh,
        )

        visible, surfaces = VisibleTools(), Surfaces(runner, options=settings.toolbox)

        def toolbox_for(principal: Principal, *, workers: Workers | None = None) -> Toolbox:
            return Toolbox(
                principal=principal,
                holder=catalog,
                searcher=searcher,
                visible=visible,
                surfaces=surfaces,
                road=road,
                runner=runner,
                ledger=ledger,
                clock=time,
                ids=ids,
                handles=handles,
                options=settings.toolbox,
                saved=saved,
                workers=workers,
            )

        yield App(
            settings=settings,
            catalog=catalog,
            sources=sources,
            ledger=ledger,
            reader=SqlLedgerReader(settings.ledger),
            backend=backend,
            runner=runner,
            searcher=searcher,
            pins=pins,
            answers=answers,
            toolbox_for=toolbox_for,
            contents=contents,
            open_rest=open_rest,
        )


@asynccontextmanager
async def open_toolbox(
    config: str | Path | None = None,
    *,
    tools: Sequence[PythonTool] = (),
    principal: Principal = LOCAL,
    overrides: Mapping[str, Json] | None = None,
    embedder: TextEmbedder | None = None,
) -> AsyncIterator[Toolbox]:
    """A toolbox over the servers of a configuration and over Python functions.

    Returns when every source is ready or has failed, after ten seconds at the latest. A failed one
    leaves the others usable; a call of a tool whose source is still starting waits for it.

    Args:
        config: an `mcp.json` or `toolweft.toml`; None for no servers at all.
        tools: functions (plain or decorated with `@tool`), `ToolSpec`s, and modules and objects
            that have some.
        principal: on whose behalf; the one local principal by default.
        overrides: dotted configuration keys, e.g. `{"limits.memory": "512 MiB", "http.port": 80}`.
        embedder: helps searches to rank, in place of one the configuration names; whoever made it
            opens and closes it.

    Raises:
        ConfigError: the configuration cannot be used.
        LedgerUnavailable: the ledger cannot be opened.
    """
    settings = load_settings(
        config=None if config is None else Path(config),
        look_up=False,
        overrides=overrides or {},
        environ=read_environment(),
        cwd=Path.cwd(),
        home=read_home(),
    )
    async with open_app(settings, tools=tools, embedder=embedder) as app:
        await app.settle()
        yield app.toolbox_for(principal)


def open_pins(settings: Settings) -> LockFile:
    """What is accepted, without opening anything else."""
    assert settings.pins.path is not None, "the configuration always names one"
    return LockFile(settings.pins.path)


def open_reader(settings: Settings) -> LedgerReader:
    """What the ledger holds, without opening anything else."""
    return SqlLedgerReader(settings.ledger)


def open_saved(settings: Settings) -> SavedStore:
    """The saved programs, without opening anything else."""
    return FileSavedStore(settings.saved, ids=RandomIds())


async def read_models(
    settings: Settings, *, days: int, run_id: RunId | None = None
) -> Sequence[JsonObject]:
    """What models took and cost in the last days; see `core.ports.LedgerReader.models`."""
    until = SystemClock().now()
    reader = open_reader(settings)
    return await reader.models(since=until - timedelta(days=days), until=until, run_id=run_id)
