"""A query as the ranker reads it: words, clauses, and what the vectors make of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from toolweft.search.clauses import split_clauses
from toolweft.search.vectors import Floats, WordVectors, unit
from toolweft.search.words import query_words

__all__ = ("Request", "read_request")

# Beyond these a query says nothing new.
_MAX_CHARACTERS = 4_000
_MAX_WORDS = 48
_MIN_CLAUSES, _MAX_CLAUSES = 2, 8
# Where the vocabulary knows less of the query than the first share it is not asked at all; above
# the second it is trusted.
_DISTRUSTED, _TRUSTED = 0.34, 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Request:
    """What a query asks for."""

    # Distinct, stop words left out.
    words: Sequence[str]
    # Of length 1, or 0 where nothing is known.
    direction: Floats
    # How far vectors are to be trusted, in [0, 1].
    trust: float
    # One row per clause, one column per word: 1 where it stands. No rows for a single clause.
    clauses: Floats
    # One row per clause.
    clause_directions: Floats


def read_request(text: str, vectors: WordVectors) -> Request:
    """The request a text of any length makes."""
    text = text[:_MAX_CHARACTERS]
    words = query_words(text)[:_MAX_WORDS]
    known = sum(word in vectors for word in words) / max(1, len(words))
    trust = min(1.0, max(0.0, (known - _DISTRUSTED) / (_TRUSTED - _DISTRUSTED)))
    rows = np.zeros((len(words), vectors.dimensions), np.float32)
    for row, word in enumerate(words):
        rows[row] = vectors.asked_vector(word)
    clauses = _clauses(text, words) if trust else np.zeros((0, len(words)), np.float32)
    return Request(words, unit(rows.sum(axis=0)), trust, clauses, unit(clauses @ rows))


def _clauses(text: str, words: Sequence[str]) -> Floats:
    columns = {word: column for column, word in enumerate(words)}
    parts = split_clauses(text)
    held = [[columns[word] for word in query_words(part) if word in columns] for part in parts]
    held = [some for some in held if some]
    if len(held) < _MIN_CLAUSES:
        return np.zeros((0, len(words)), np.float32)
    rows = np.zeros((min(len(held), _MAX_CLAUSES), len(words)), np.float32)
    for number, some in enumerate(held):
        # Too many clauses are taken together, neighbours with neighbours.
        rows[number * len(rows) // len(held), some] = 1
    return rows
