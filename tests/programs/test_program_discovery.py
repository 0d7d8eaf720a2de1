"""What a program finds when it searches itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from tests.programs.fakes import FakeSearcher, make_snapshot, make_tool

from toolweft.core.search import SearchHit, SearchResult
from toolweft.programs.discovery import search_for_program

FIRST, SECOND = make_tool("a.first"), make_tool("a.second")
HIT = SearchHit(qualified=FIRST.qualified, score=1.0)
WEAK = replace(HIT, is_weak=True)
WEAK_TOO = SearchHit(qualified=SECOND.qualified, score=0.2, is_weak=True)


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


@pytest.mark.parametrize(
    ("result", "note"),
    [
        (SearchResult(hits=(HIT,)), None),
        (SearchResult(hits=(HIT,), degraded="no embedder"), "degraded: no embedder"),
        (
            SearchResult(hits=(WEAK, WEAK_TOO), is_weak=True, suggestions=("mail", "letter")),
            "none of these fits well; other words: mail, letter",
        ),
        (
            SearchResult(hits=(WEAK,), is_weak=True, suggestions=("mail",), degraded="no embedder"),
            "none of these fits well; other words: mail; degraded: no embedder",
        ),
        (SearchResult(hits=(WEAK,), is_weak=True), "none of these fits well"),
    ],
)
async def test_what_an_answer_lacks_is_noted_on_its_first_entry(
    result: SearchResult, note: str | None
) -> None:
    class Fixed(FakeSearcher):
        async def search(self, queries: Sequence[str], **_: Any) -> Sequence[SearchResult]:
            return [result]

    found = await search_for_program(
        {"query": "x"},
        snapshot=make_snapshot(FIRST, SECOND),
        searcher=Fixed(),
        visible=None,
        tenant="t",
    )
    assert found[0].get("note") == note
    assert not any("note" in entry for entry in found[1:])
