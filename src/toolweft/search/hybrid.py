"""An index over one snapshot that finds tools by words and by meaning. Needs numpy.

The inverted index gives the words, the matrix the meanings, the ranker the order. An index never
changes; `updated` makes a new one that shares whatever stayed.
"""

from collections import OrderedDict
from collections.abc import Collection, Mapping, Sequence
from heapq import nlargest
from typing import Self

import numpy as np

from toolweft.core.derived import Derived
from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchHit
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import ToolDefinition
from toolweft.search.gains import Flags, Kin
from toolweft.search.matches import AskedWord, Evidence, Reasons, find_named
from toolweft.search.matrix import ToolMatrix, build_matrix
from toolweft.search.nearness import Embedded
from toolweft.search.postings import (
    EMPTY,
    Entry,
    InvertedIndex,
    apply_change,
    compare,
    is_mostly_empty,
)
from toolweft.search.ranker import Ranked, Ranker
from toolweft.search.vectors import WordVectors
from toolweft.search.views import Standing, View, standing_among
from toolweft.search.words import MAX_QUERY_CHARACTERS

__all__ = ("HybridIndex",)

# A tool without any word of the query must mean at least so much the same.
_MIN_COSINE = 0.25
# Or stand so far above what is usual by an embedder's vectors.
_MIN_NEARNESS = 0.5
# More than any mix of signals: a name that fits goes before any description.
_NAMED = 10.0
# Sums of floats may differ in the last digits with the order of the slots.
_DIGITS = 5
# Sets of visible tools an index remembers at once.
_MAX_RANKERS = 16
# Tools near to a query that nothing fits, and how near they must be to be worth naming.
_NEAR_TOOLS = 8
_NEAR_COSINE = 0.3


class HybridIndex:
    """The index of one snapshot; made by `of` and `updated`."""

    def __init__(
        self, inverted: InvertedIndex, *, matrix: ToolMatrix, vectors: WordVectors
    ) -> None:
        self._inverted, self._matrix, self._vectors = inverted, matrix, vectors
        self._numbered: Kin | None = None
        # Asked for longest ago first. A frozenset knows its hash once it was asked for it, so the
        # one set that callers share is found at once.
        self._rankers: OrderedDict[frozenset[QualifiedName] | None, Ranker] = OrderedDict()

    @classmethod
    def of(
        cls, snapshot: Snapshot, *, vectors: WordVectors, derived: Derived | None = None
    ) -> Self:
        """An index over every tool of a snapshot that is not disabled."""
        change = compare(EMPTY, snapshot, derived)
        matrix = build_matrix(change.documents, vectors)
        return cls(apply_change(EMPTY, change), matrix=matrix, vectors=vectors)

    def __len__(self) -> int:
        """How many tools can be found."""
        return len(self._inverted.slots)

    def updated(self, snapshot: Snapshot, derived: Derived | None = None) -> Self:
        """The index of a newer snapshot, sharing what did not change; itself where nothing did."""
        change = compare(self._inverted, snapshot, derived)
        if not change.come and not change.gone:
            return self
        if is_mostly_empty(self._inverted, change):
            return type(self).of(snapshot, vectors=self._vectors, derived=derived)
        matrix = self._matrix.joined(build_matrix(change.documents, self._vectors))
        inverted = apply_change(self._inverted, change)
        return type(self)(inverted, matrix=matrix, vectors=self._vectors)

    def search(
        self,
        query: str,
        *,
        limit: int,
        visible: Collection[QualifiedName] | None = None,
        embedded: Embedded | None = None,
    ) -> Sequence[SearchHit]:
        """The tools that fit, best first; equal scores in name order; no hit scores 0.

        A tool whose name is the query comes first, then those whose name begins with it, then
        the others by words and meaning. How rare a word is counts over the visible tools alone.

        Args:
            query: any text of any length; what stands beyond 4,000 characters does not count.
            limit: at most this many, >= 1.
            visible: only these may be found; None for all.
            embedded: what an embedder says about the query; None where it says nothing.
        """
        scores, reasons = self._judge(query, self._ranker(visible), embedded=embedded)
        return self._best(scores, reasons, limit=limit)

    def view(self, visible: Collection[QualifiedName] | None) -> View:
        """What the index tells of the visible tools."""
        return View(self._inverted, visible=visible, vocabulary=self._vectors)

    def near_tools(
        self, query: str, *, visible: Collection[QualifiedName] | None
    ) -> Sequence[ToolDefinition]:
        """A few visible tools that mean what is most like a query, nearest first."""
        near = self._ranker(visible).nearest(query[:MAX_QUERY_CHARACTERS], _NEAR_TOOLS)
        slots = [slot for slot, cosine in near if cosine >= _NEAR_COSINE]
        return self.view(visible).definitions(slots)

    def place(
        self,
        query: str,
        tool: QualifiedName,
        *,
        visible: Collection[QualifiedName] | None,
        embedded: Embedded | None = None,
    ) -> Standing:
        """Where a visible tool stands in the order of a query.

        A search scores only its likeliest tools; the others follow behind these, all scored.
        """
        ranker = self._ranker(visible)
        scores, reasons = self._judge(query, ranker, embedded=embedded)
        first = next(iter(self._best(scores, reasons, limit=1)), None)
        slot, before = self._inverted.slots.get(tool), 0
        if slot is not None and slot not in scores and ranker.can_find(slot):
            likeliest, before = scores.keys(), len(scores)
            scores, reasons = self._judge(query, ranker, is_whole=True, embedded=embedded)
            scores = {s: score for s, score in scores.items() if s not in likeliest}
        if slot is None or slot not in scores:
            return Standing(rank=None, count=ranker.count, hit=None, first=first)
        return Standing(
            rank=before + standing_among(scores, slot, name=self._name),
            count=ranker.count,
            hit=reasons.hit(tool, slot, score=scores[slot]),
            first=first,
        )

    def _judge(
        self,
        query: str,
        ranker: Ranker,
        *,
        is_whole: bool = False,
        embedded: Embedded | None = None,
    ) -> tuple[dict[int, float], Reasons]:
        """Scores, by slot, of the tools that fit a query, and why."""
        query = query[:MAX_QUERY_CHARACTERS]
        ranked = ranker.rank(query, is_whole=is_whole, embedded=embedded)
        scores = _shown(ranked)
        named = {
            slot: steps
            for slot, steps in find_named(self._inverted.names, query).items()
            if ranker.can_find(slot)
        }
        for slot, steps in named.items():
            scores[slot] = scores.get(slot, 0.0) + steps * _NAMED
        slots = ranked.slots.tolist()
        rows = {slot: row for row, slot in enumerate(slots)}
        return scores, Reasons(
            [AskedWord(gains.rarity, gains.own) for gains in ranked.asked],
            named=named,
            bonus=_NAMED,
            evidence=Evidence(
                cosines=dict(zip(slots, ranked.cosines.tolist(), strict=True)),
                trust=ranked.trust,
                parts=lambda slot: ranked.parts(rows[slot]) if slot in rows else {},
                held=lambda slot: ranked.held_by(rows[slot]) if slot in rows else None,
            ),
        )

    def _best(
        self, scores: Mapping[int, float], reasons: Reasons, *, limit: int
    ) -> list[SearchHit]:
        lowest = min(nlargest(limit, scores.values()), default=0.0)
        found = [(-score, self._name(s), s) for s, score in scores.items() if score >= lowest]
        found.sort()
        return [reasons.hit(name, slot, score=-score) for score, name, slot in found[:limit]]

    @property
    def names(self) -> Sequence[QualifiedName | None]:
        """The tool in each slot; None where a slot is empty."""
        return [None if entry is None else entry.qualified for entry in self._inverted.entries]

    def _name(self, slot: int) -> QualifiedName:
        entry = self._inverted.entries[slot]
        # Slots come from postings, names and usable rows, in which empty slots do not stand.
        assert entry is not None
        return entry.qualified

    def _ranker(self, visible: Collection[QualifiedName] | None) -> Ranker:
        """The ranker over the visible tools; kept, since the same callers come again."""
        if not (visible is None or isinstance(visible, frozenset)):
            visible = frozenset(visible)
        ranker = self._rankers.get(visible)
        if ranker is not None:
            self._rankers.move_to_end(visible)
            return ranker
        ranker = self._rankers[visible] = Ranker(
            self._inverted.postings,
            matrix=self._matrix,
            vectors=self._vectors,
            kin=self._kin(),
            usable=self._usable(visible),
        )
        if len(self._rankers) > _MAX_RANKERS:
            self._rankers.popitem(last=False)
        return ranker

    def _kin(self) -> Kin:
        """The namespaces of all slots as numbers, made when first asked for."""
        if self._numbered is None:
            self._numbered = _number_kin(self._inverted.entries)
        return self._numbered

    def _usable(self, visible: Collection[QualifiedName] | None) -> Flags | None:
        slots = self._inverted.slots
        if visible is None:
            chosen = list(slots.values())
        else:
            chosen = [slot for name in visible if (slot := slots.get(name)) is not None]
        if len(chosen) == len(self._inverted.entries):
            return None
        usable = np.zeros(len(self._inverted.entries), np.bool_)
        usable[chosen] = True
        return usable


def _number_kin(entries: Sequence[Entry | None]) -> Kin:
    numbers = {"": 0}
    names = ("" if entry is None else entry.definition.namespace for entry in entries)
    return np.fromiter((numbers.setdefault(n, len(numbers)) for n in names), np.int32, len(entries))


def _shown(ranked: Ranked) -> dict[int, float]:
    """Scores, by slot, of the tools that have anything to do with the query."""
    shown = (ranked.words > 0) | (ranked.cosines >= _MIN_COSINE)
    if ranked.near is not None:
        shown |= np.nan_to_num(ranked.near) >= _MIN_NEARNESS
    scores = np.round(ranked.scores[shown].astype(np.float64), _DIGITS)
    pairs = zip(ranked.slots[shown].tolist(), scores.tolist(), strict=True)
    return {slot: score for slot, score in pairs if score > 0}
