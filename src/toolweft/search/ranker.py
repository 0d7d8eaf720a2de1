"""Ranks tools for one query: a few signals of each, mixed by fixed weights. Needs numpy.

  words    BM25F, in which a tool's word also counts, at a discount, where it is a learned
           neighbour of the query's word
  meaning  cosine of the query's vector and the tool's
  clauses  the best of both over the clauses of the query, so that a request for several things
           finds each
  cover    share of the query's words that the tool holds, squared: all of them say much, half of
           them little
  kin      the mix of the best tool beside it on its server, for a need is mostly met on one

The first three are scaled to their best tool. Where the vocabulary knows too little of the query,
as in another language, words alone decide. Called by the index; knows nothing of names or
permissions.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log10

import numpy as np

from toolweft.search.columns import Postings
from toolweft.search.gains import Flags, Gains, Kin, Slots, WordGains, find_held
from toolweft.search.matrix import FRONT, ToolMatrix
from toolweft.search.nearness import (
    Embedded,
    Signal,
    blend,
    blend_signals,
    scale_nearness,
    sum_signals,
)
from toolweft.search.requests import Request, read_request
from toolweft.search.vectors import Floats, WordVectors

__all__ = ("Mix", "Ranked", "Ranker")

# Neighbours of all words together: what one query may cost.
_MAX_NEIGHBOURS = 64
# Tools scored fully, and those its clauses may add: near their best.
_CANDIDATES = 100
_CANDIDATES_OF_CLAUSES = 48
_LIKELY_IN_CLAUSE = 0.7
# One in so many scores tells about where the best begin.
_SAMPLED = 8
# Division by the best of nothing.
_TINY = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What each signal counts; found by leaving whole query sets out."""

    words: float = 0.5
    meaning: float = 0.5
    clauses: float = 0.6
    cover: float = 0.5
    # Of the sum of those before.
    kin: float = 0.4
    # How much less a clause counts whose best tool has few of its rare words, such as "my name is
    # Emily" beside what Emily wants: a power of that tool's share of the best over all clauses.
    clause_weight: float = 0.15
    # Of the meaning beside the words, in a clause and in the first choice.
    clause_meaning: float = 1.0
    first_meaning: float = 0.7


_MIX = Mix()


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """The likeliest tools in no order, one row each."""

    slots: Slots
    # At most the sum of the mix.
    scores: Floats
    # The raw signals, comparable between queries: a sum of BM25F, and a cosine.
    words: Floats
    cosines: Floats
    # By an embedder's vectors, in [0, 1], NaN where a tool has none; None without an embedder.
    near: Floats | None
    # What the scores are the sum of: name, weight, and one number a row.
    signals: Sequence[Signal]
    # Which words each tool holds, one row a word and one column a tool; None where not asked.
    held: Flags | None
    # The words of the query, and how far the cosines are to be trusted, in [0, 1].
    asked: Sequence[Gains]
    trust: float

    def held_by(self, row: int) -> list[int] | None:
        """The places of the words that the tool of a row holds; None where not asked."""
        if self.held is None:
            return None
        places: list[int] = np.flatnonzero(self.held[:, row]).tolist()
        return places

    def parts(self, row: int) -> dict[str, float]:
        """What the score of one row is the sum of."""
        return {name: weight * float(values[row]) for name, weight, values in self.signals}


@dataclass(slots=True, eq=False)
class _Sums:
    """What the words add up to, by slot."""

    words: Floats
    # One row per clause; none where the request is one clause.
    clauses: Floats
    # The best sum of each clause.
    best_clauses: Floats


class Ranker:
    """Ranks the tools of one index.

    Args:
        postings: which tools hold which words.
        matrix: their vectors; as many rows as slots.
        vectors: the vocabulary both were made with.
        kin: the namespace of each slot.
        usable: slots that may be found; None for all.
    """

    def __init__(
        self,
        postings: Mapping[str, Postings],
        *,
        matrix: ToolMatrix,
        vectors: WordVectors,
        kin: Kin,
        usable: Flags | None = None,
        mix: Mix = _MIX,
    ) -> None:
        self._matrix, self._vectors = matrix, vectors
        self._kin, self._usable, self._mix = kin, usable, mix
        self._gains = WordGains(postings, vectors=vectors, slots=len(matrix), usable=usable)
        self._meaning = _share_of_meaning(self._gains.count)

    def rank(
        self, text: str, *, is_whole: bool = False, embedded: Embedded | None = None
    ) -> Ranked:
        """The tools that fit a query best; all of them where the whole catalog is asked for."""
        request = read_request(text, self._vectors)
        asked = [self._gains.of(word) for word in request.words]
        sums = self._sum_words(request, asked)
        best_words = max(float(sums.words.max(initial=0.0)), _TINY)
        first = sums.words / best_words
        if request.trust:
            cosines = self._first_cosines(request)
            share = self._mix.first_meaning * request.trust
            first += cosines * (share / max(float(cosines.max(initial=0.0)), _TINY))
        near = None if embedded is None else scale_nearness(embedded.cosines, self._usable)
        if embedded is not None and near is not None:
            first, _ = blend(first, near, weight=embedded.weight)
        slots = self._every() if is_whole else self._choose(first, sums)
        told = sums.words[slots] / best_words
        signals, cosines = self._score(request, slots, sums, told)
        held = None
        if request.trust:
            held = find_held(asked, slots)
            cover = _cover(asked, held) ** 2
            signals = (*signals, ("cover", request.trust * self._mix.cover, cover))
            kin = self._best_of_kin(slots, sum_signals(signals))
            signals = (*signals, ("kin", request.trust * self._mix.kin, kin))
        if embedded is not None and near is not None:
            near = near[slots]
            signals = blend_signals(signals, near, weight=embedded.weight)
        scores, words = sum_signals(signals), sums.words[slots]
        return Ranked(slots, scores, words, cosines, near, signals, held, asked, request.trust)

    def nearest(self, text: str, most: int) -> list[tuple[int, float]]:
        """The slots that mean what is most like a text, best first, with their cosines."""
        request = read_request(text, self._vectors)
        if not request.trust:
            return []
        slots = _best(self._first_cosines(request), 2 * most)
        slots = slots if self._usable is None else slots[self._usable[slots]]
        cosines = np.einsum("ij,j->i", self._matrix.rows(slots), request.direction)
        order = np.lexsort((slots, -cosines))[:most]
        return list(zip(slots[order].tolist(), cosines[order].tolist(), strict=True))

    @property
    def count(self) -> int:
        """How many tools are usable."""
        return self._gains.count

    def can_find(self, slot: int) -> bool:
        """Whether the tool in a slot is usable."""
        return self._usable is None or bool(self._usable[slot])

    def _sum_words(self, request: Request, asked: Sequence[Gains]) -> _Sums:
        slots = len(self._matrix)
        sums = _Sums(
            np.zeros(slots, np.float32),
            np.zeros((len(request.clauses), slots), np.float32),
            np.zeros(0, np.float32),
        )
        most = _MAX_NEIGHBOURS // max(1, len(request.words)) if request.trust else 0
        standing: list[list[int]] = [[] for _ in asked]
        for clause, word in zip(*map(np.ndarray.tolist, request.clauses.nonzero()), strict=True):
            standing[word].append(clause)
        for gains, clauses in zip(asked, standing, strict=True):
            column, gained = self._gains.added(gains, neighbours=most)
            sums.words[column] += gained
            for clause in clauses:
                sums.clauses[clause, column] += gained
        if self._usable is not None:
            sums.words[~self._usable] = 0
            sums.clauses[:, ~self._usable] = 0
        sums.best_clauses = sums.clauses.max(axis=1, initial=np.float32(_TINY))
        return sums

    def _first_cosines(self, request: Request) -> Floats:
        """About the cosines of all tools, from the leading dimensions alone."""
        # By einsum, which stays in this thread: several, on a busy machine, wait for each other.
        cosines: Floats = np.einsum("ij,j->i", self._matrix.fronts, request.direction[:FRONT])
        if self._usable is not None:
            cosines[~self._usable] = -1
        return cosines

    def _choose(self, first: Floats, sums: _Sums) -> Slots:
        """The tools worth scoring fully."""
        chosen = _best(first, _CANDIDATES)
        if len(sums.clauses) and len(first) > _CANDIDATES:
            likely = sums.clauses > (_LIKELY_IN_CLAUSE * sums.best_clauses)[:, None]
            added = np.flatnonzero(likely.any(axis=0))
            if len(added) > _CANDIDATES_OF_CLAUSES:
                shares = (sums.clauses[:, added] / sums.best_clauses[:, None]).max(axis=0)
                added = added[_best(shares, _CANDIDATES_OF_CLAUSES)]
            both = np.zeros(len(first), np.bool_)
            both[chosen] = both[added] = True
            chosen = np.flatnonzero(both)
        return chosen if self._usable is None else chosen[self._usable[chosen]]

    def _every(self) -> Slots:
        """All usable slots."""
        if self._usable is None:
            return np.arange(len(self._matrix))
        return np.flatnonzero(self._usable)

    def _score(
        self, request: Request, slots: Slots, sums: _Sums, told: Floats
    ) -> tuple[Sequence[Signal], Floats]:
        """The signals of the chosen tools with their weights, and their cosines."""
        mix, trust = self._mix, request.trust
        if not trust:
            return (("words", 1.0, told),), np.zeros(len(slots), np.float32)
        rows = self._matrix.rows(slots)
        # Row by row, so that a tool's cosine does not depend on where it stands.
        cosines = np.einsum("ij,j->i", rows, request.direction)
        meant = _scaled(cosines)
        clause_meaning = mix.clause_meaning * self._meaning
        if len(request.clauses):
            by_clause = sums.clauses[:, slots]
            by_clause /= sums.best_clauses[:, None]
            meanings = np.einsum("ij,kj->ki", rows, request.clause_directions)
            by_clause += clause_meaning * np.stack([_scaled(row) for row in meanings])
            weights = sums.best_clauses / sums.best_clauses.max()
            by_clause *= (weights**mix.clause_weight)[:, None]
            clauses = by_clause.max(axis=0)
        else:
            clauses = told + clause_meaning * meant
        return (
            ("words", trust * mix.words + 1 - trust, told),
            ("meaning", trust * mix.meaning * self._meaning, meant),
            ("clauses", trust * mix.clauses, clauses),
        ), cosines

    def _best_of_kin(self, slots: Slots, scores: Floats) -> Floats:
        """For each tool the best score in its namespace; its own where it has none."""
        kin = self._kin[slots]
        best = np.zeros(int(kin.max(initial=0)) + 1, np.float32)
        np.maximum.at(best, kin, scores)
        found: Floats = np.where(kin, best[kin], scores)
        return found


def _share_of_meaning(count: int) -> float:
    """What meaning counts beside words: less where many tools are alike by chance.

    All of it up to a thousand tools, 0.6 from ten thousand on, and in between by the logarithm.
    """
    return 1 - 0.4 * min(1.0, max(0.0, log10(max(count, 1)) - 3))


def _cover(asked: Sequence[Gains], held: Flags) -> Floats:
    """The share of the query's words that each tool holds, rare ones counting more."""
    rarities = np.array([gains.rarity for gains in asked], np.float32)
    share: Floats = rarities @ held / np.float32(max(float(rarities.sum()), _TINY))
    return share


def _scaled(values: Floats) -> Floats:
    """Shares of the best; what is below 0 is 0."""
    best = np.float32(max(float(values.max(initial=0.0)), _TINY))
    scaled: Floats = (values.clip(0) / best).astype(np.float32)
    return scaled


def _best(scores: Floats, most: int) -> Slots:
    """Where the highest `most` scores stand, in no order."""
    if len(scores) <= most:
        return np.arange(len(scores))
    # A sample tells a threshold that all but surely leaves enough; the rest is not looked at.
    sample = scores[::_SAMPLED]
    rank = 2 * most // _SAMPLED + 2
    if rank < len(sample):
        likely = np.flatnonzero(scores >= np.partition(sample, -rank)[-rank])
        if len(likely) >= most:
            return likely[np.argpartition(-scores[likely], most - 1)[:most]]
    return np.argpartition(-scores, most - 1)[:most]
