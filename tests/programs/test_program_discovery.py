"""What a program finds when it searches itself."""

from collections.abc import Sequence
from typing import Any

from tests.programs.fakes import FakeSearcher, make_snapshot, make_tool

from toolweft.core.search import SearchHit, SearchResult
from toolweft.programs.discovery import search_for_program

FIRST, SECOND = make_tool("a.first"), make_tool("a.second")


class DoubtfulSearcher(FakeSearcher):
    """Finds both tools, the second hardly."""

    async def search(self, queries: Sequence[str], **_: Any) -> Sequence[SearchResult]:
        hits = (
            SearchHit(qualified=FIRST.qualified, score=1.0),
            SearchHit(qualified=SECOND.qualified, score=0.2, is_weak=True),
        )
        return [SearchResult(hits=hits) for _ in queries]


async def test_a_weak_hit_and_no_other_is_marked() -> None:
    found = await search_for_program(
        {"query": "x"},
        snapshot=make_snapshot(FIRST, SECOND),
        searcher=DoubtfulSearcher(),
        visible=None,
        tenant="t",
    )
    assert [hit.get("weak") for hit in found] == [None, True]
    assert "weak" not in found[0]
