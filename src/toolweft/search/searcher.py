"""Answers searches over the newest snapshots: the one place through which every search goes.

index of the snapshot → hint of an embedder → remembered answer, or rank → raised by earlier uses
→ answer
"""

from collections.abc import Sequence
from functools import partial

from toolweft.core.ids import QualifiedName
from toolweft.core.search import Placement, SearchResult
from toolweft.core.snapshot import Snapshot
from toolweft.search.hints import Hint, HintSource
from toolweft.search.holder import IndexHolder
from toolweft.search.learning import LearnedUses, apply_lifts
from toolweft.search.learning.lifting import FURTHER_HITS
from toolweft.search.placement import explain_rank
from toolweft.search.remembered import RememberedAnswers
from toolweft.search.suggestions import suggest_words
from toolweft.search.views import ViewedIndex

__all__ = ("CatalogSearcher",)

# What stands beyond says nothing new, and is not kept.
_MAX_QUERY_CHARACTERS = 4_000
# Of an answer that is explained; places behind are the index's own.
_EXPLAINED_HITS = 50


class CatalogSearcher:
    """The `Searcher` of an application.

    Args:
        uses: what was learned from use; None where nothing is.
        hints: what helps to rank beside the index; None where nothing does.
    """

    def __init__(self, *, uses: LearnedUses | None = None, hints: HintSource | None = None) -> None:
        self._uses, self._hints = uses, hints
        self._indexes = IndexHolder()
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
        index = await self._indexes.index_for(snapshot)
        texts = [query[:_MAX_QUERY_CHARACTERS] for query in queries]
        hint = None if self._hints is None else await self._hints.ask(texts, snapshot=snapshot)
        answers = []
        for text in texts:
            lifts = {} if self._uses is None else self._uses.lifts(text, tenant=tenant)
            most = limit + FURTHER_HITS if lifts else limit
            work_out = partial(
                _rank, index, text, snapshot=snapshot, limit=most, visible=visible, hint=hint
            )
            question = (text, most, visible, None if hint is None else hint.state)
            answer = self._answers.get(question, version=snapshot.version, work_out=work_out)
            if lifts:
                # One tenant's own, so it is not remembered for the others.
                answer = apply_lifts(answer, lifts, snapshot=snapshot, visible=visible, limit=limit)
            answers.append(answer)
        return answers

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
        # The answer itself tells what the index does not know of: earlier uses, an embedder.
        (found,) = await self.search(
            (query,), snapshot=snapshot, limit=_EXPLAINED_HITS, visible=visible, tenant=tenant
        )
        index = await self._indexes.index_for(snapshot)
        return explain_rank(index, query, snapshot.tools[tool], visible=visible, found=found)


def _rank(
    index: ViewedIndex,
    query: str,
    *,
    snapshot: Snapshot,
    limit: int,
    visible: frozenset[QualifiedName] | None,
    hint: Hint | None,
) -> SearchResult:
    if hint is None:
        hits, degraded = tuple(index.search(query, limit=limit, visible=visible)), ""
    else:
        hits = tuple(hint.search(index, query, limit=limit, visible=visible))
        degraded = hint.degraded(query, snapshot=snapshot, visible=visible)
    if hits and not hits[0].is_weak:
        return SearchResult(hits=hits, degraded=degraded)
    near = index.near_tools(query, visible=visible)
    suggestions = suggest_words(query, index.view(visible), near)
    return SearchResult(hits=hits, suggestions=suggestions, degraded=degraded)
