"""One index is kept, and moves on with the snapshots."""

from toolweft.search.holder import IndexHolder
from toolweft.testing import build_catalog, build_definition


def test_an_index_is_kept_until_a_newer_snapshot_asks() -> None:
    catalog = build_catalog([build_definition("a.alpha")])
    older = catalog.snapshot
    holder = IndexHolder()
    first = holder.index_for(older)
    assert holder.index_for(older) is first
    beta = build_definition("b.beta")
    catalog.source_changed(older.sources[next(iter(older.sources))], [beta])
    newer = holder.index_for(catalog.snapshot)
    assert newer is holder.index_for(catalog.snapshot)
    assert newer.search("alpha", limit=1) == []
    assert holder.index_for(older).search("alpha", limit=1)
    assert holder.index_for(catalog.snapshot) is newer
