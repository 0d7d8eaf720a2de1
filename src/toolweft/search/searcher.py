"""Answers searches over the newest snapshots: the one place through which every search goes.

index of the snapshot → remembered answer, or rank → answer
"""

from collections.abc import Sequence
from functools import partial

from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchIndex, SearchResult
from toolweft.core.snapshot import Snapshot
from toolweft.search.holder import IndexHolder
from toolweft.search.remembered import RememberedAnswers

__all__ = ("CatalogSearcher",)

# What stands beyond says nothing new, and is not kept.
_MAX_QUERY_CHARACTERS = 4_000


class CatalogSearcher:
    """The `Searcher` of an application."""

    def __init__(self) -> None:
        self._indexes = IndexHolder()
        self._answers = RememberedAnswers()

    async def index_for(self, snapshot: Snapshot) -> SearchIndex:
        """The index over a snapshot."""
        return await self._indexes.index_for(snapshot)

    async def search(
        self,
        queries: Sequence[str],
        *,
        snapshot: Snapshot,
        limit: int,
        visible: frozenset[QualifiedName] | None,
        tenant: str,
    ) -> Sequence[SearchResult]:
        """What each query finds; see `toolweft.core.search.Searcher`."""
        index = await self._indexes.index_for(snapshot)
        answers = []
        for query in queries:
            text = query[:_MAX_QUERY_CHARACTERS]
            work_out = partial(_rank, index, text, limit=limit, visible=visible)
            question = (text, limit, visible)
            answers.append(self._answers.get(question, version=snapshot.version, work_out=work_out))
        return answers


def _rank(
    index: SearchIndex, query: str, *, limit: int, visible: frozenset[QualifiedName] | None
) -> SearchResult:
    return SearchResult(hits=tuple(index.search(query, limit=limit, visible=visible)))
