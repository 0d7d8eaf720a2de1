"""The only file that names concrete classes; it opens and closes everything, in order.

    settings → ledger → handles → catalog → sources → road → sandbox → programs → toolbox

`open_app` is for the command line and the gateways, `open_toolbox` is the library's front door
(`toolweft.open`).
"""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from toolweft import __version__
from toolweft.calls import ResultKeeper, Road
from toolweft.catalog import Catalog
from toolweft.config import PythonSourceOptions, Settings, load_settings, read_environment
from toolweft.core.calls import LOCAL, Principal
from toolweft.core.clock import Clock, RandomIds, SystemClock
from toolweft.core.errors import ToolweftError
from toolweft.core.ids import SourceName
from toolweft.core.ports import (
    Ledger,
    LedgerReader,
    Policy,
    SandboxBackend,
)
from toolweft.core.search import TextEmbedder
from toolweft.core.tools import ToolSpec
from toolweft.policies import AllowedCaller, Deadline, ValidateArguments
from toolweft.programs import ProgramRunner
from toolweft.sandbox import LazyBackend
from toolweft.sandbox.choice import build_backend, expected
from toolweft.search import CatalogSearcher, HintSource, LearnedUses, UnusableEmbedder
from toolweft.sources import (
    BrokenSource,
    HttpServerOptions,
    HttpSource,
    ManagedSource,
    PatientRoad,
    PythonSource,
    RecordedServerOptions,
    RecordedSource,
    SourceGroup,
    StdioServerOptions,
    StdioSource,
    load_python_tools,
)
from toolweft.stores import ObservedLedger, SqlLedger, SqlLedgerReader, SqlVectorStore
from toolweft.stores import forget_searches as erase_searches
from toolweft.stores.handles import FileHandleStore
from toolweft.toolbox import INSTRUCTIONS, Surface, Toolbox

__all__ = (
    "App",
    "PythonTool",
    "forget_searches",
    "open_app",
    "open_reader",
    "open_toolbox",
    "serve_http",
    "serve_stdio",
)

log = logging.getLogger(__name__)

PythonTool = Callable[..., Any] | ToolSpec

# A command and the library wait this long for slow servers, a client's first listing much less:
# one server that hangs must not hold up the others. A call of its tools still waits for it.
_SETTLE_S = 10.0
_LISTING_GRACE_S = 2.0
# Reading and learning again from more takes seconds.
_MAX_LEARNED_EVENTS = 50_000


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
    # What is learned from use; None where nothing is.
    uses: LearnedUses | None
    # A conversation's view of all this, on behalf of one principal.
    toolbox_for: Callable[[Principal], Toolbox]

    def is_settled(self) -> bool:
        """Whether every source is ready or has failed."""
        return all(status.state != "starting" for status in self.sources.statuses().values())

    async def settle(self) -> None:
        """Return once every source is ready or has failed, after ten seconds at the latest."""
        await self.sources.settle(min(self.settings.start_wait_s, _SETTLE_S))


@asynccontextmanager
async def open_app(
    settings: Settings,
    *,
    tools: Sequence[PythonTool] = (),
    policies: Sequence[Policy] = (),
    on_source: Callable[[Catalog], None] | None = None,
    clock: Clock | None = None,
    sandbox: SandboxBackend | None = None,
) -> AsyncIterator[App]:
    """Open ledger, catalog, sources, road, sandbox and programs; close them in reverse.

    Sources start at once, concurrently, and in the background: await `App.settle` where their
    tools must be there. The sandbox starts with the first program.

    Args:
        settings: what to open, from `toolweft.config`.
        tools: Python functions and specs, as the source "local".
        policies: more wrappers for every call, inside toolweft's own, nearest to the source.
        on_source: hears of every change of the catalog; called in the event loop.
        clock: for tests.
        sandbox: in place of the one the settings name.

    Raises:
        ConfigError: two sources have one name.
        LedgerUnavailable: the ledger cannot be opened.
    """
    time = clock or SystemClock()
    ids = RandomIds()
    catalog = Catalog(settings.catalog)
    if on_source is not None:
        catalog.subscribe(lambda _snapshot: on_source(catalog))
    sources = _build_sources(settings, tools, catalog=catalog, clock=time)
    async with AsyncExitStack() as stack:
        ledger: Ledger = await stack.enter_async_context(SqlLedger(settings.ledger, clock=time))
        uses = None
        if settings.search.learn:
            uses = await stack.enter_async_context(_learned_uses(settings, clock=time))
            ledger = ObservedLedger(ledger, observe=uses.observe)
        handles = await stack.enter_async_context(
            FileHandleStore(settings.handles, clock=time, ids=ids)
        )
        await stack.enter_async_context(sources)
        calls = Road(
            holder=catalog,
            find_source=sources.get,
            policies=(
                AllowedCaller(),
                ValidateArguments(max_faults=settings.calls.max_faults),
                Deadline(clock=time),
                *policies,
            ),
            ledger=ledger,
            clock=time,
            options=settings.calls,
            keeper=ResultKeeper(handles, options=settings.calls),
        )
        road = PatientRoad(calls, settle=sources.settle_one, holder=catalog, clock=time)
        backend = await stack.enter_async_context(
            LazyBackend(
                sandbox
                or build_backend(
                    settings.sandbox, clock=time, warm_limits=settings.programs.limits
                ),
                expected=expected(settings.sandbox),
            )
        )
        hints = await stack.enter_async_context(_open_hints(settings, catalog, clock=time))
        searcher = CatalogSearcher(uses=uses, hints=hints)
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
            )
        )

        def toolbox_for(principal: Principal) -> Toolbox:
            return Toolbox(
                principal=principal,
                holder=catalog,
                searcher=searcher,
                road=road,
                runner=runner,
                ledger=ledger,
                clock=time,
                ids=ids,
                handles=handles,
                options=settings.toolbox,
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
            uses=uses,
            toolbox_for=toolbox_for,
        )


@asynccontextmanager
async def open_toolbox(
    config: str | Path | None = None,
    *,
    tools: Sequence[PythonTool] = (),
    principal: Principal = LOCAL,
    overrides: Mapping[str, str] | None = None,
) -> AsyncIterator[Toolbox]:
    """A toolbox over the servers of a configuration and over Python functions.

    Returns when every source is ready or has failed, after ten seconds at the latest. A failed one
    leaves the others usable; a call of a tool whose source is still starting waits for it.

    Args:
        config: an `mcp.json` or `toolweft.toml`; None for no servers at all.
        tools: functions (plain or decorated with `@tool`) and `ToolSpec`s.
        principal: on whose behalf; the one local principal by default.
        overrides: dotted configuration keys, e.g. `{"limits.memory": "512 MiB"}`.

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
        home=Path.home(),
    )
    async with open_app(settings, tools=tools) as app:
        await app.settle()
        yield app.toolbox_for(principal)


def open_reader(settings: Settings) -> LedgerReader:
    """What the ledger holds, without opening anything else."""
    return SqlLedgerReader(settings.ledger)


async def forget_searches(settings: Settings) -> int:
    """Delete every kept text of a search from the ledger, and say how many there were.

    Raises:
        LedgerUnavailable: it cannot be written.
    """
    return await erase_searches(settings.ledger)


async def serve_stdio(app: App) -> None:
    """Serve one client over standard input and output until it leaves."""
    from toolweft.gateway import server, stdio

    made = server.build_server(**_conversation_parts(app))
    await stdio.serve_stdio(made)


async def serve_http(app: App, *, on_listening: Callable[[str], None] | None = None) -> None:
    """Serve over streamable HTTP until a signal or cancellation.

    Args:
        app: whose settings name address and keys.
        on_listening: gets the real address once requests are taken.

    Raises:
        ConfigError: the address cannot be used, or is open to others without keys.
    """
    from toolweft.gateway import http, server

    made = server.build_server(**_conversation_parts(app))
    await http.serve_http(
        made, app.settings.http, on_listening=on_listening, is_ready=app.is_settled
    )


def _conversation_parts(app: App) -> dict[str, Any]:
    """What a gateway's server is made of; the sandbox starts meanwhile."""
    # Beside everything else, so that the first program finds it running.
    app.backend.want()
    return {
        "toolbox_for": app.toolbox_for,
        "surface_for": partial(_surface_for, app),
        "version": __version__,
        "instructions": INSTRUCTIONS,
    }


async def _surface_for(app: App, principal: Principal) -> Surface:
    await app.sources.settle(_LISTING_GRACE_S)
    return app.toolbox_for(principal).surface()


def _learned_uses(settings: Settings, *, clock: Clock) -> LearnedUses:
    """What is learned from use; the past is read meanwhile, and nobody waits for it."""
    now = clock.now()
    return LearnedUses(
        read=partial(
            SqlLedgerReader(settings.ledger).used,
            since=now - timedelta(days=settings.search.keep_search_days),
            until=now,
            max_events=_MAX_LEARNED_EVENTS,
        )
    )


@asynccontextmanager
async def _open_hints(
    settings: Settings, catalog: Catalog, *, clock: Clock
) -> AsyncIterator[HintSource | None]:
    """What helps searches beside the index: an embedder where one is configured."""
    options = settings.embedder
    if options is None or options.problem:
        yield None if options is None else UnusableEmbedder(options.problem)
        return
    try:
        from toolweft.search.embedding.embeddings import Embeddings
        from toolweft.search.embedding.endpoint import EndpointEmbedder
        from toolweft.search.embedding.local import FolderEmbedder
    except ModuleNotFoundError as exc:
        if exc.name != "numpy":
            raise
        yield UnusableEmbedder("an embedder needs numpy, which is not installed")
        return
    store = SqlVectorStore(settings.vectors, clock=clock)
    async with AsyncExitStack() as stack:
        embedder: TextEmbedder
        if options.path is not None:
            embedder = FolderEmbedder(options.path, options=options)
        else:
            embedder = await stack.enter_async_context(EndpointEmbedder(options))
        embeddings = await stack.enter_async_context(
            Embeddings(embedder, store, options=options, clock=clock)
        )
        stack.callback(catalog.subscribe(embeddings.watch))
        yield embeddings


def _build_sources(
    settings: Settings, tools: Sequence[PythonTool], *, catalog: Catalog, clock: Clock
) -> SourceGroup:
    sources: list[ManagedSource] = []
    for server in settings.servers:
        match server:
            case StdioServerOptions():
                sources.append(StdioSource(server, listener=catalog, clock=clock))
            case HttpServerOptions():
                sources.append(HttpSource(server, listener=catalog, clock=clock))
            case RecordedServerOptions():
                sources.append(RecordedSource(server, listener=catalog))
    sources.extend(
        BrokenSource(broken.name, reason=f"{broken.reason} ({broken.hint})", listener=catalog)
        for broken in settings.broken_servers
    )
    sources.extend(_build_python_source(python, catalog) for python in settings.python_sources)
    if tools:
        sources.append(PythonSource(SourceName("local"), tools, listener=catalog))
    return SourceGroup(sources, listener=catalog)


def _build_python_source(python: PythonSourceOptions, catalog: Catalog) -> ManagedSource:
    """The source, or one that says why it cannot be used: the others go on."""
    try:
        return PythonSource(python.name, load_python_tools(python.target), listener=catalog)
    except ToolweftError as error:
        reason = f"python.{python.name}: {error}"
        return BrokenSource(python.name, reason=reason, listener=catalog)
