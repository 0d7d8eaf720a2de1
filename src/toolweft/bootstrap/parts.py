"""The parts that settings choose between, each built from its options."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeAlias

import anyio

from toolweft.catalog import Catalog
from toolweft.catalog.pins import PinBook
from toolweft.config import PythonSourceOptions, Settings
from toolweft.core.clock import Clock
from toolweft.core.contents import ContentListener
from toolweft.core.errors import ToolweftError
from toolweft.core.events import Event
from toolweft.core.ids import SourceName
from toolweft.core.search import TextEmbedder
from toolweft.core.tools import ToolSpec
from toolweft.search import QueryEmbedder, UnusableEmbedder
from toolweft.search.embedding import EmbedderOptions
from toolweft.search.learning.past import LearnedUses
from toolweft.sources import (
    BrokenSource,
    HttpServerOptions,
    HttpSource,
    ManagedSource,
    Memory,
    OpenApiSource,
    PythonSource,
    RecordedServerOptions,
    RecordedSource,
    SavedSource,
    SourceGroup,
    StdioServerOptions,
    StdioSource,
    find_entry_point,
    load_python_tools,
)
from toolweft.stores import (
    FileDiscoveryCache,
    SqlLedgerReader,
    SqlVectorStore,
)
from toolweft.stores.journal import FileJournal
from toolweft.stores.pins import LockFile, PinKeeper

__all__ = (
    "PythonTool",
    "build_pin_book",
    "build_pin_keeper",
    "build_sources",
    "learned_uses",
    "open_embeddings",
    "open_journal",
)

# A function, a `ToolSpec`, or a module or an object that has some.
PythonTool: TypeAlias = Callable[..., Any] | ToolSpec | object

# Reading and learning again from more takes seconds.
_MAX_LEARNED_EVENTS = 50_000


def learned_uses(settings: Settings, *, clock: Clock, after: anyio.Event) -> LearnedUses:
    """What is learned from use; the past is read once `after` is set, and nobody waits for it."""
    now = clock.now()

    async def read() -> Sequence[Event]:
        await after.wait()
        return await SqlLedgerReader(settings.ledger).used(
            since=now - timedelta(days=settings.search.keep_search_days),
            until=now,
            max_events=_MAX_LEARNED_EVENTS,
        )

    return LearnedUses(read=read)


@asynccontextmanager
async def open_embeddings(
    settings: Settings, catalog: Catalog, *, embedder: TextEmbedder | None, clock: Clock
) -> AsyncIterator[QueryEmbedder | None]:
    """What helps searches beside the index: an embedder where one is given or configured."""
    options = settings.embedder
    if embedder is not None:
        # How patiently it is asked and what it counts may be configured all the same.
        options = replace(options or EmbedderOptions(), url="", path=None, problem="")
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
        if embedder is None and options.path is not None:
            embedder = FolderEmbedder(options.path, options=options)
        elif embedder is None:
            embedder = await stack.enter_async_context(EndpointEmbedder(options))
        embeddings = await stack.enter_async_context(
            Embeddings(embedder, store, options=options, clock=clock)
        )
        stack.callback(catalog.subscribe(embeddings.watch))
        yield embeddings


def build_pin_book(settings: Settings) -> PinBook:
    """What decides whether a definition is the accepted one."""
    # A recording is a file of the user's; it is held against what is accepted, and no more.
    servers = [s.name for s in settings.servers if not isinstance(s, RecordedServerOptions)]
    return PinBook(settings.pins, accepts=[*servers, *(s.name for s in settings.openapi_sources)])


def build_pin_keeper(
    settings: Settings, book: PinBook, *, on_change: Callable[[], None]
) -> PinKeeper:
    """What keeps it on disk, where that is wanted."""
    options = settings.pins
    is_kept = options.mode != "off" and options.path is not None and bool(options.servers)
    return PinKeeper(
        book,
        file=LockFile(options.path) if is_kept and options.path else None,
        reached=options.servers,
        on_change=on_change,
    )


@asynccontextmanager
async def open_journal(settings: Settings, *, clock: Clock) -> AsyncIterator[FileJournal | None]:
    """Where runs are kept; None where they are not."""
    if not settings.journal.enabled:
        yield None
        return
    async with FileJournal(settings.journal, clock=clock) as journal:
        yield journal


def build_sources(  # noqa: PLR0913 -- what sources need, and who hears of them
    settings: Settings,
    tools: Sequence[PythonTool],
    *,
    saved: SavedSource,
    catalog: Catalog,
    clock: Clock,
    news: ContentListener,
    start_after: anyio.Event,
) -> SourceGroup:
    """Every source of the configuration, saved programs, and functions as the source "local".

    Servers that are remembered and to be started in any case, as they are eager or their listing
    is old, start once `start_after` is set, or with the first call that needs them.
    """
    sources: list[ManagedSource] = []
    memory = _build_memory(settings, clock=clock, start_after=start_after)
    shared: dict[str, Any] = {"listener": catalog, "clock": clock, "memory": memory, "news": news}
    for server in settings.servers:
        match server:
            case StdioServerOptions():
                sources.append(StdioSource(server, **shared))
            case HttpServerOptions():
                sources.append(HttpSource(server, **shared))
            case RecordedServerOptions():
                sources.append(RecordedSource(server, listener=catalog))
    sources.extend(
        BrokenSource(broken.name, reason=f"{broken.reason} ({broken.hint})", listener=catalog)
        for broken in settings.broken_servers
    )
    sources.extend(_build_python_source(python, catalog) for python in settings.python_sources)
    sources.extend(
        OpenApiSource(described, listener=catalog, clock=clock)
        for described in settings.openapi_sources
    )
    if tools:
        sources.append(PythonSource(SourceName("local"), tools, listener=catalog))
    sources.append(saved)
    return SourceGroup(sources, listener=catalog)


def _build_memory(settings: Settings, *, clock: Clock, start_after: anyio.Event) -> Memory | None:
    options = settings.discovery
    if options.folder is None:
        return None
    cache = FileDiscoveryCache(options, folder=options.folder, clock=clock)
    return Memory(
        cache=cache,
        refresh_s=options.refresh_s,
        is_read=options.is_read,
        start_after=start_after,
    )


def _build_python_source(python: PythonSourceOptions, catalog: Catalog) -> ManagedSource:
    """The source, or one that says why it cannot be used: the others go on."""
    try:
        target = python.target or find_entry_point(python.entry_point)
        return PythonSource(python.name, load_python_tools(target), listener=catalog)
    except ToolweftError as error:
        reason = f"python.{python.name}: {error}"
        return BrokenSource(python.name, reason=reason, listener=catalog)
