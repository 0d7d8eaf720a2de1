"""Answers searches over the newest snapshots: the one place through which every search goes.

index of the snapshot → what an embedder says → remembered answer, or rank → raised by earlier uses
→ answer
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from toolweft.core.derived import Derived
from toolweft.core.ids import QualifiedName
from toolweft.core.search import Placement, SearchResult
from toolweft.core.snapshot import Snapshot
from toolweft.search.embedded import EmbeddedQueries, QueryEmbedder
from toolweft.search.holder import IndexHolder
from toolweft.search.learning.lifting import FURTHER_HITS, Uses, apply_lifts
from toolweft.search.placement import explain_rank
from toolweft.search.remembered import RememberedAnswers
from toolweft.search.suggestions import suggest_words
from toolweft.search.views import ViewedIndex
from toolweft.search.words import MAX_QUERY_CHARACTERS

__all__ = ("CatalogSearcher",)

# Of an answer that earlier uses change and that is explained; places behind are the index's own.
_LIFTED_HITS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scope:
    """What the queries of one search are asked of."""

    index: ViewedIndex
    snapshot: Snapshot
    visible: frozenset[QualifiedName] | None
    embedded: EmbeddedQueries


class CatalogSearcher:
    """The `Searcher` of an application.

    Args:
        uses: what was learned from use; None where nothing is.
        embedder: says what is near to a query beside the index; None where nothing does.
        derived: what an earlier start's index was made of; None for nothing.
        is_settled: whether every source has told of its tools.
    """

    def __init__(
        self,
        *,
        uses: Uses | None = None,
        embedder: QueryEmbedder | None = None,
        derived: Derived | None = None,
        is_settled: Callable[[], bool] = lambda: True,
    ) -> None:
        self._uses, self._embedder = uses, embedder
        self._indexes = IndexHolder(derived, is_settled=is_settled)
        self._answers = RememberedAnswers()

    async def index_for(self, snapshot: Snapshot) -> ViewedIndex:
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
        texts = [_as_text(query[:MAX_QUERY_CHARACTERS]) for query in queries]
        scope = await self._scope(texts, snapshot=snapshot, visible=visible)
        return [self._answer(text, scope, limit=limit, tenant=tenant) for text in texts]

    async def explain_rank(
        self,
        query: str,
        *,
        tool: QualifiedName,
        snapshot: Snapshot,
        visible: frozenset[QualifiedName] | None,
        tenant: str,
    ) -> Placement:
        """Why a tool stands where it does; see `toolweft.core.search.Searcher`."""
        text = query[:MAX_QUERY_CHARACTERS]
        scope = await self._scope((text,), snapshot=snapshot, visible=visible)
        found = None
        if self._uses is not None and self._uses.lifts(text, tenant=tenant):
            # Of earlier uses the index knows nothing: the answer itself tells.
            found = self._answer(text, scope, limit=_LIFTED_HITS, tenant=tenant)
        return explain_rank(
            scope.index,
            text,
            snapshot.tools[tool],
            visible=visible,
            embedded=scope.embedded.by_query.get(text),
            found=found,
        )

    async def _scope(
        self,
        texts: Sequence[str],
        *,
        snapshot: Snapshot,
        visible: frozenset[QualifiedName] | None,
    ) -> _Scope:
        index, embedded = await self._indexes.index_for(snapshot), EmbeddedQueries()
        if self._embedder is not None:
            embedded = await self._embedder.ask(
                texts, snapshot=snapshot, index=index, visible=visible
            )
        return _Scope(index=index, snapshot=snapshot, visible=visible, embedded=embedded)

    def _answer(self, text: str, scope: _Scope, *, limit: int, tenant: str) -> SearchResult:
        lifts = {} if self._uses is None else self._uses.lifts(text, tenant=tenant)
        most = limit + FURTHER_HITS if lifts else limit
        answer = self._answers.get(
            (text, most, scope.visible, scope.embedded.state),
            version=scope.snapshot.version,
            work_out=partial(_rank, scope, text, limit=most),
        )
        if not lifts:
            return answer
        # One tenant's own, so it is not remembered for the others.
        return apply_lifts(
            answer, lifts, snapshot=scope.snapshot, visible=scope.visible, limit=limit
        )


def _rank(scope: _Scope, query: str, *, limit: int) -> SearchResult:
    index, visible, embedded = scope.index, scope.visible, scope.embedded
    hits = tuple(
        index.search(query, limit=limit, visible=visible, embedded=embedded.by_query.get(query))
    )
    degraded = embedded.degraded.get(query, "")
    found = SearchResult(
        hits=hits,
        is_weak=not hits or hits[0].is_weak,
        degraded=degraded,
        degraded_reason=embedded.reason if degraded else "",
    )
    if not found.is_weak:
        return found
    near = index.near_tools(query, visible=visible)
    return replace(found, suggestions=suggest_words(query, index.view(visible), near))


def _as_text(query: str) -> str:
    """A query without lone surrogates, which no database or endpoint takes."""
    return query if query.isascii() else query.encode("utf-8", "replace").decode()
