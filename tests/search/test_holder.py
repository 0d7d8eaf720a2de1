"""One index is kept, and moves on with the snapshots."""

import anyio

from toolweft.search.holder import IndexHolder
from toolweft.testing import build_catalog, build_definition


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
