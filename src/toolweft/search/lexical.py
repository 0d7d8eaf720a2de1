"""A lexical index over one snapshot: weighted fields, an inverted list per word, pure Python.

Scores are BM25F with impacts precomputed per word and tool; a query adds up a few short lists and
prunes the long ones (MaxScore), so it answers in well under a millisecond over ten thousand tools.
An index never changes; `updated` makes a new one that shares whatever stayed. Used where numpy is
not installed.

Source: Robertson & Zaragoza 2009 (BM25F); Turtle & Flood 1995 (MaxScore).
"""

from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import dataclass
from heapq import nlargest
from itertools import accumulate
from math import log
from typing import Self

from toolweft.core.derived import Derived
from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchHit
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import ToolDefinition
from toolweft.search.columns import Postings
from toolweft.search.embedded import Embedded
from toolweft.search.matches import AskedWord, Reasons, find_named
from toolweft.search.postings import (
    EMPTY,
    InvertedIndex,
    apply_change,
    compare,
    is_mostly_empty,
)
from toolweft.search.views import Standing, View, standing_among
from toolweft.search.words import MAX_QUERY_CHARACTERS, query_words

__all__ = ("LexicalIndex",)

# Beyond these a query says nothing new.
_MAX_QUERY_WORDS = 48
# More than any sum of words: a name that fits goes before any description.
_NAMED = 1_000.0
# Sums of floats may differ in the last digits with their order.
_DIGITS = 6
_TINY = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class _Term:
    """One word of a query that the index knows."""

    word: str
    rarity: float
    postings: Postings
    # No document gains more from this word.
    bound: float

    def gain(self, slot: int) -> float:
        """What the word adds to the score of one tool."""
        return self.rarity * self.postings.impact(slot)


class LexicalIndex:
    """The index of one snapshot; made by `of` and `updated`."""

    def __init__(self, inverted: InvertedIndex) -> None:
        self._inverted = inverted

    @classmethod
    def of(cls, snapshot: Snapshot, *, derived: Derived | None = None) -> Self:
        """An index over every tool of a snapshot that is not disabled."""
        return cls(apply_change(EMPTY, compare(EMPTY, snapshot, derived)))

    def __len__(self) -> int:
        """How many tools can be found."""
        return len(self._inverted.slots)

    def updated(self, snapshot: Snapshot, derived: Derived | None = None) -> Self:
        """The index of a newer snapshot, sharing what did not change; itself where nothing did."""
        change = compare(self._inverted, snapshot, derived)
        if not change.come and not change.gone:
            return self
        if is_mostly_empty(self._inverted, change):
            return type(self).of(snapshot, derived=derived)
        return type(self)(apply_change(self._inverted, change))

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
        the others by BM25F.

        Args:
            query: any text of any length; what stands beyond 4,000 characters does not count.
            limit: at most this many, >= 1.
            visible: only these may be found; None for all.
            embedded: not counted: vectors need numpy.
        """
        scores, reasons = self._judge(query, limit=limit, visible=visible)
        return self._best(scores, reasons, limit=limit)

    def view(self, visible: Collection[QualifiedName] | None) -> View:
        """What the index tells of the visible tools."""
        return View(self._inverted, visible=visible, vocabulary=None)

    def near_tools(
        self, query: str, *, visible: Collection[QualifiedName] | None
    ) -> Sequence[ToolDefinition]:
        """None: words alone do not tell what is near."""
        return ()

    def place(
        self,
        query: str,
        tool: QualifiedName,
        *,
        visible: Collection[QualifiedName] | None,
        embedded: Embedded | None = None,
    ) -> Standing:
        """Where a visible tool stands in the order of a query."""
        slots = self._inverted.slots
        count = len(slots) if visible is None else len(slots.keys() & frozenset(visible))
        scores, reasons = self._judge(query, limit=max(1, len(slots)), visible=visible)
        first = next(iter(self._best(scores, reasons, limit=1)), None)
        slot = slots.get(tool)
        if slot is None or slot not in scores:
            return Standing(rank=None, count=count, hit=None, first=first)
        return Standing(
            rank=standing_among(scores, slot, name=self._name),
            count=count,
            hit=reasons.hit(tool, slot, score=scores[slot]),
            first=first,
        )

    def _judge(
        self, query: str, *, limit: int, visible: Collection[QualifiedName] | None
    ) -> tuple[dict[int, float], Reasons]:
        """Scores of a set of slots that holds the best `limit`, and why."""
        query = query[:MAX_QUERY_CHARACTERS]
        if visible is not None and not isinstance(visible, Set):
            visible = frozenset(visible)
        asked, terms = self._terms(query, visible)
        scores = self._rank(terms, limit=limit, visible=visible)
        named = {
            slot: steps
            for slot, steps in find_named(self._inverted.names, query).items()
            if visible is None or self._name(slot) in visible
        }
        for slot, steps in named.items():
            scores[slot] = sum(term.gain(slot) for term in terms) + steps * _NAMED
        lowest = min(nlargest(limit, scores.values()), default=0.0) - _TINY
        kept = {s: round(score, _DIGITS) for s, score in scores.items() if score >= lowest}
        return kept, Reasons(asked, named=named, bonus=_NAMED)

    def _best(
        self, scores: Mapping[int, float], reasons: Reasons, *, limit: int
    ) -> list[SearchHit]:
        found = sorted((-score, self._name(slot), slot) for slot, score in scores.items())
        return [reasons.hit(name, slot, score=-score) for score, name, slot in found[:limit]]

    @property
    def names(self) -> Sequence[QualifiedName | None]:
        """The tool in each slot; None where a slot is empty."""
        return [None if entry is None else entry.qualified for entry in self._inverted.entries]

    def _name(self, slot: int) -> QualifiedName:
        entry = self._inverted.entries[slot]
        # Slots come from postings and names, in which empty slots do not stand.
        assert entry is not None
        return entry.qualified

    def _terms(
        self, query: str, visible: Set[QualifiedName] | None
    ) -> tuple[list[AskedWord], list[_Term]]:
        """The words of a query, and those the index knows, the ones that may add most first."""
        slots = self._inverted.slots
        count = len(slots) if visible is None else len(slots.keys() & visible)
        asked, terms = [], []
        for word in query_words(query)[:_MAX_QUERY_WORDS]:
            postings = self._inverted.postings.get(word)
            holders = 0 if postings is None else len(postings.slots)
            if postings is not None and visible is not None:
                # How rare a word is must not tell of tools that nobody here may see.
                holders = sum(self._name(slot) in visible for slot in postings.slots)
            rarity = log(1 + (count - holders + 0.5) / (holders + 0.5))
            asked.append(AskedWord(rarity if holders else rarity / 2, postings))
            if postings is not None and holders:
                terms.append(_Term(word, rarity, postings, rarity * postings.bound))
        terms.sort(key=lambda term: (-term.bound, term.word))
        return asked, terms

    def _rank(
        self, terms: Sequence[_Term], *, limit: int, visible: Set[QualifiedName] | None
    ) -> dict[int, float]:
        """Scores of a set of slots that holds the best `limit`."""
        scores: dict[int, float] = {}
        rests = list(accumulate((term.bound for term in reversed(terms)), initial=0.0))[::-1]
        for position, term in enumerate(terms):
            rest = rests[position]
            # Where the words seen so far may outweigh the rest, perhaps nothing new can get in.
            if len(scores) >= limit and rest <= rests[0] - rest:
                lowest = nlargest(limit, scores.values())[-1]
                if rest < lowest:
                    return _refined(scores, terms[position:], rests[position:], limit=limit)
            self._add(scores, term, visible)
        return scores

    def _add(
        self, scores: dict[int, float], term: _Term, visible: Set[QualifiedName] | None
    ) -> None:
        rarity = term.rarity
        known = scores.get
        for slot, impact in zip(term.postings.slots, term.postings.impacts, strict=True):
            score = known(slot)
            if score is None:
                if visible is not None and self._name(slot) not in visible:
                    continue
                score = 0.0
            scores[slot] = score + rarity * impact


def _refined(
    scores: dict[int, float], terms: Sequence[_Term], rests: Sequence[float], *, limit: int
) -> dict[int, float]:
    """Scores with the remaining terms, of those slots alone that can still be among the best."""
    for term, rest in zip(terms, rests, strict=False):
        lowest = nlargest(limit, scores.values())[-1] - rest
        scores = {
            slot: score + term.gain(slot) for slot, score in scores.items() if score >= lowest
        }
    return scores
