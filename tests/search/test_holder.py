"""One index is kept, and moves on with the snapshots."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from toolweft.catalog import Catalog
from toolweft.core.derived import Derived
from toolweft.core.ids import QualifiedName
from toolweft.core.snapshot import CatalogTool, Snapshot, SourceStatus
from toolweft.search import CatalogSearcher, UnusableEmbedder
from toolweft.search.embedded import EmbeddedQueries
from toolweft.search.holder import IndexHolder
from toolweft.testing import build_catalog, build_definition, build_snapshot


class WatchedTools(Mapping[QualifiedName, CatalogTool]):
    """The tools of a snapshot, and the threads that walked over them."""

    def __init__(self, tools: Mapping[QualifiedName, CatalogTool]) -> None:
        self._tools = tools
        self.threads: set[int] = set()

    def __getitem__(self, name: QualifiedName) -> CatalogTool:
        return self._tools[name]

    def __iter__(self) -> Iterator[QualifiedName]:
        self.threads.add(threading.get_ident())
        return iter(self._tools)

    def __len__(self) -> int:
        return len(self._tools)


def watched(snapshot: Snapshot, version: int) -> tuple[Snapshot, WatchedTools]:
    tools = WatchedTools(snapshot.tools)
    return replace(snapshot, version=version, tools=tools), tools


async def test_an_index_is_kept_until_a_newer_snapshot_asks() -> None:
    catalog = build_catalog([build_definition("a.alpha")])
    older = catalog.snapshot
    holder = IndexHolder()
    first = await holder.index_for(older)
    assert await holder.index_for(older) is first
    beta = build_definition("b.beta")
    catalog.source_changed(older.sources[next(iter(older.sources))], [beta])
    newer = await holder.index_for(catalog.snapshot)
    assert newer is await holder.index_for(catalog.snapshot)
    assert newer.search("alpha", limit=1) == []
    assert (await holder.index_for(older)).search("alpha", limit=1)
    assert await holder.index_for(catalog.snapshot) is newer


async def test_whoever_asks_while_a_large_index_is_made_gets_the_same_one() -> None:
    catalog = build_catalog([build_definition(f"a.tool_{number}") for number in range(80)])
    holder = IndexHolder()
    found: list[object] = []

    async def ask() -> None:
        found.append(await holder.index_for(catalog.snapshot))

    async with anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(ask)
    assert len(found) == 3
    assert len(set(map(id, found))) == 1


@pytest.mark.promise("search.beside")
async def test_many_tools_that_all_change_are_indexed_beside_the_event_loop() -> None:
    texts = ("Send a letter", "Water the plants")
    first, second = (
        build_snapshot(build_definition(f"a.tool_{n}", description=text) for n in range(80))
        for text in texts
    )
    (older, _), (newer, walked) = watched(first, 1), watched(second, 2)
    holder = IndexHolder()
    await holder.index_for(older)
    index = await holder.index_for(newer)

    assert index.search("plants", limit=1)
    assert index.search("letter", limit=1) == []
    assert walked.threads
    assert threading.get_ident() not in walked.threads


async def test_a_lone_surrogate_in_a_query_reaches_nobody() -> None:
    asked: list[str] = []

    class Embedder(UnusableEmbedder):
        async def ask(self, queries: Sequence[str], **scope: Any) -> EmbeddedQueries:
            asked.extend(queries)
            return await super().ask(queries, **scope)

    searcher = CatalogSearcher(embedder=Embedder("none here"))
    snapshot = build_catalog([build_definition("sky.rain")]).snapshot
    (found,) = await searcher.search(
        ["\ud800 rain"], snapshot=snapshot, limit=5, visible=None, tenant="local"
    )

    assert asked == ["? rain"]
    assert [hit.qualified for hit in found.hits] == ["sky.rain"]


def kept(saved: list[set[str]]) -> Derived:
    async def save(derived: Derived) -> None:
        await anyio.lowlevel.checkpoint()
        saved.append(set(derived.parts))

    return Derived(save=save)


async def test_what_was_worked_out_is_kept_once_every_source_has_told_of_its_tools() -> None:
    saved: list[set[str]] = []
    derived, settled = kept(saved), [False, True]
    catalog = build_catalog([build_definition("a.alpha")])
    holder = IndexHolder(derived, is_settled=lambda: settled.pop(0))
    await holder.index_for(catalog.snapshot)
    assert (saved, derived.is_kept) == ([], True)

    beta = build_definition("b.beta")
    catalog.source_changed(replace(_status_of(catalog), name=beta.namespace), [beta])
    await holder.index_for(catalog.snapshot)

    assert [len(parts) for parts in saved] == [2]
    assert not derived.is_kept


async def test_a_search_that_is_given_up_keeps_and_forgets_all_the_same() -> None:
    saved: list[set[str]] = []
    derived = kept(saved)
    catalog = build_catalog([build_definition("a.alpha")])
    holder = IndexHolder(derived)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await holder.index_for(catalog.snapshot)
    if not saved:
        await holder.index_for(catalog.snapshot)
    assert len(saved) == 1
    assert (derived.is_kept, dict(derived.parts)) == (False, {})


def _status_of(catalog: Catalog) -> SourceStatus:
    return next(iter(catalog.snapshot.sources.values()))
