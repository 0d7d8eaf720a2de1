"""Ranks tools for one query: four signals of each, mixed by fixed weights. Needs numpy.

  words    BM25F, in which a tool's word also counts, at a discount, where it is a learned
           neighbour of the query's word
  meaning  cosine of the query's vector and the tool's
  clauses  the best of both over the clauses of the query, so that a request for several things
           finds each
  purpose  how much of the tool's name and first sentence the query says

Each is scaled to its best tool. Where the vocabulary knows too little of the query, as in another
language, words alone decide. Called by the index; knows nothing of names or permissions.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import numpy as np
from numpy.typing import NDArray

from toolweft.search.documents import PURPOSE
from toolweft.search.matrix import FRONT, ToolMatrix
from toolweft.search.postings import Postings
from toolweft.search.requests import Request, read_request
from toolweft.search.vectors import Floats, WordVectors

__all__ = ("Flags", "Mix", "Ranked", "Ranker", "Slots")

Slots = NDArray[np.intp]
Flags = NDArray[np.bool_]

# Neighbours of all words together: what one query may cost.
_MAX_NEIGHBOURS = 120
_MAX_NEIGHBOURS_OF_WORD = 12
# Tools scored fully, and those each clause may add.
_CANDIDATES = 100
_CANDIDATES_OF_CLAUSE = 12
# One in so many scores tells about where the best begin.
_SAMPLED = 8
# Division by the best of nothing.
_TINY = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """What each signal counts; found by leaving whole query sets out."""

    words: float = 0.5
    meaning: float = 0.4
    clauses: float = 0.4
    purpose: float = 0.3
    # Of a clause's or the first choice's meaning, beside their words.
    clause_meaning: float = 0.7
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


@dataclass(slots=True, eq=False)
class _Sums:
    """What the words add up to, by slot."""

    words: Floats
    purpose: Floats
    # One row per clause; none where the request is one clause.
    clauses: Floats


class Ranker:
    """Ranks the tools of one index.

    Args:
        postings: which tools hold which words.
        matrix: their vectors; as many rows as slots.
        vectors: the vocabulary both were made with.
        usable: slots that may be found; None for all.
    """

    def __init__(
        self,
        postings: Mapping[str, Postings],
        *,
        matrix: ToolMatrix,
        vectors: WordVectors,
        usable: Flags | None = None,
        mix: Mix = _MIX,
    ) -> None:
        self._postings, self._matrix, self._vectors = postings, matrix, vectors
        self._usable, self._mix = usable, mix
        slots = len(matrix.rows)
        self._count = slots if usable is None else int(np.count_nonzero(usable))

    def rank(self, text: str) -> Ranked:
        """The tools that fit a query best."""
        request = read_request(text, self._vectors)
        sums = self._sum_words(request)
        cosines = self._first_cosines(request)
        best_words = max(float(sums.words.max(initial=0.0)), _TINY)
        first = sums.words / best_words
        if request.trust:
            share = self._mix.first_meaning * request.trust
            first += cosines * (share / max(float(cosines.max(initial=0.0)), _TINY))
        slots = self._choose(request, first, sums)
        return self._score(request, slots, sums, best_words)

    def can_find(self, slot: int) -> bool:
        """Whether the tool in a slot is usable."""
        return self._usable is None or bool(self._usable[slot])

    def rarity(self, word: str) -> float:
        """How rare a word is among the usable tools; of one they lack, half of the rarest."""
        postings = self._postings.get(word)
        holders = 0 if postings is None else self._holders(postings)
        rarity = log(1 + (self._count - holders + 0.5) / (holders + 0.5))
        return rarity if holders else rarity / 2

    def _holders(self, postings: Postings) -> int:
        if self._usable is None:
            return len(postings.slots)
        return int(np.count_nonzero(self._usable[_column(postings)]))

    def _sum_words(self, request: Request) -> _Sums:
        slots = len(self._matrix.rows)
        sums = _Sums(
            np.zeros(slots, np.float32),
            np.zeros(slots, np.float32),
            np.zeros((len(request.clauses), slots), np.float32),
        )
        row = np.empty(slots, np.float32)
        most = min(_MAX_NEIGHBOURS_OF_WORD, _MAX_NEIGHBOURS // max(1, len(request.words)))
        for place, word in enumerate(request.words):
            rarity = self.rarity(word)
            touched = []
            near = self._vectors.neighbours(word)[:most] if request.trust else []
            # The weakest first: what comes later stays.
            for other, likeness in reversed(near):
                postings = self._postings.get(other)
                if postings is not None:
                    touched.append(column := _column(postings))
                    factor = likeness * likeness * min(rarity, self.rarity(other))
                    row[column] = np.float32(factor) * _impacts(postings)
            postings = self._postings.get(word)
            if postings is not None:
                touched.append(column := _column(postings))
                row[column] = np.float32(rarity) * _impacts(postings)
                sums.purpose[column] += _says_purpose(postings)
            if touched:
                column = np.concatenate(touched) if len(touched) > 1 else touched[0]
                gains = row[column]
                # Where a slot stands twice, both rows hold the same sum.
                sums.words[column] += gains
                for clause in np.flatnonzero(request.clauses[:, place]):
                    sums.clauses[clause, column] += gains
        if self._usable is not None:
            sums.words[~self._usable] = 0
            sums.clauses[:, ~self._usable] = 0
        return sums

    def _first_cosines(self, request: Request) -> Floats:
        """About the cosines of all tools, from the leading dimensions alone."""
        if not request.trust:
            return np.zeros(len(self._matrix.rows), np.float32)
        cosines: Floats = self._matrix.fronts @ request.direction[:FRONT]
        if self._usable is not None:
            cosines[~self._usable] = -1
        return cosines

    def _choose(self, request: Request, first: Floats, sums: _Sums) -> Slots:
        """The tools worth scoring fully."""
        chosen = _best(first, _CANDIDATES)
        if len(request.clauses) and len(first) > _CANDIDATES:
            meanings = self._matrix.fronts @ request.clause_directions[:, :FRONT].T
            meanings *= self._mix.clause_meaning / np.maximum(meanings.max(axis=0), _TINY)
            added = [chosen]
            for clause, words in enumerate(sums.clauses):
                scores = words / max(float(words.max()), _TINY)
                scores += meanings[:, clause]
                added.append(_best(scores, _CANDIDATES_OF_CLAUSE))
            chosen = np.unique(np.concatenate(added))
        return chosen if self._usable is None else chosen[self._usable[chosen]]

    def _score(
        self, request: Request, slots: Slots, sums: _Sums, best_words: float
    ) -> Ranked:
        mix, trust = self._mix, request.trust
        words = sums.words[slots]
        told = words / best_words
        if not trust:
            return Ranked(slots, told, words, np.zeros(len(slots), np.float32))
        rows = self._matrix.rows[slots]
        # Row by row, so that a tool's cosine does not depend on where it stands.
        cosines = np.einsum("ij,j->i", rows, request.direction)
        meant = _scaled(cosines)
        if len(request.clauses):
            by_clause = sums.clauses[:, slots]
            by_clause /= np.maximum(sums.clauses.max(axis=1, keepdims=True), _TINY)
            meanings = np.einsum("ij,kj->ki", rows, request.clause_directions)
            by_clause += mix.clause_meaning * np.stack([_scaled(row) for row in meanings])
            clauses = by_clause.max(axis=0)
        else:
            clauses = told + mix.clause_meaning * meant
        purpose = sums.purpose[slots] / np.maximum(self._matrix.purpose[slots], _TINY)
        scores = (
            mix.words * told
            + mix.meaning * meant
            + mix.clauses * clauses
            + mix.purpose * purpose
        )
        return Ranked(slots, trust * scores + (1 - trust) * told, words, cosines)


def _column(postings: Postings) -> Slots:
    return np.frombuffer(postings.slots, np.uint32).astype(np.intp)


def _impacts(postings: Postings) -> Floats:
    return np.frombuffer(postings.impacts, np.float32)


def _says_purpose(postings: Postings) -> Flags:
    """Where the word stands in the name or the first sentence."""
    found: Flags = (np.frombuffer(postings.fields, np.uint8) & PURPOSE) > 0
    return found


def _scaled(values: Floats) -> Floats:
    """Shares of the best; what is below 0 is 0."""
    scaled: Floats = values.clip(0) / max(float(values.max(initial=0.0)), _TINY)
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
