"""One vector per tool, by slot: the part of an index that knows what tools mean. Needs numpy.

Immutable like the inverted index it stands beside; a newer matrix shares nothing it could change.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from toolweft.search.documents import PURPOSE, Document
from toolweft.search.vectors import Floats, WordVectors, unit

__all__ = ("FRONT", "ToolMatrix", "build_matrix")

# So many leading dimensions are compared over the whole catalog; all of them for the best.
FRONT = 64
# Tools turned into vectors at once: bounds the memory a build needs.
_CHUNK = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class ToolMatrix:
    """What every tool means; row i is the tool in slot i."""

    # Of length 1, or 0 where no word of the tool has a vector.
    rows: Floats
    # The leading dimensions of `rows`, contiguous.
    fronts: Floats
    # How much the words of its name and first sentence tell together.
    purpose: Floats
    # Words of the tool that the vocabulary knows, and all of them.
    known: NDArray[np.int32]
    words: NDArray[np.int32]

    def joined(self, newer: "ToolMatrix") -> "ToolMatrix":
        """This matrix with further rows at its end."""
        return ToolMatrix(
            np.concatenate((self.rows, newer.rows)),
            np.concatenate((self.fronts, newer.fronts)),
            np.concatenate((self.purpose, newer.purpose)),
            np.concatenate((self.known, newer.known)),
            np.concatenate((self.words, newer.words)),
        )


def build_matrix(documents: Sequence[Document], vectors: WordVectors) -> ToolMatrix:
    """The vectors of tools: the sum of their words' vectors, each as its field counts."""
    count = len(documents)
    numbers: dict[str, int] = {}
    flat = [numbers.setdefault(word, len(numbers)) for d in documents for word in d.words]
    table = np.zeros((len(numbers), vectors.dimensions), np.float32)
    telling = np.zeros(len(numbers), np.float32)
    is_known = np.zeros(len(numbers), np.bool_)
    for word, number in numbers.items():
        table[number] = vectors.vector(word)
        telling[number] = vectors.telling(word)
        is_known[number] = word in vectors
    words = np.array(flat, np.int64)
    emphases = np.fromiter(chain.from_iterable(d.emphases for d in documents), np.float32)
    fields = np.frombuffer(b"".join(d.fields for d in documents), np.uint8)
    lengths = np.array([len(document.words) for document in documents], np.int32)
    owners = np.repeat(np.arange(count), lengths)
    rows = np.zeros((count, vectors.dimensions), np.float32)
    starts = np.concatenate(([0], np.cumsum(lengths)))
    for first in range(0, count, _CHUNK):
        last = min(first + _CHUNK, count)
        part = slice(starts[first], starts[last])
        filled = np.flatnonzero(lengths[first:last]) + first
        if len(filled):
            weighted = table[words[part]] * emphases[part, None]
            rows[filled] = np.add.reduceat(weighted, starts[filled] - starts[first], axis=0)
    rows = unit(rows)
    purpose = telling[words] * ((fields & PURPOSE) > 0)
    return ToolMatrix(
        rows,
        np.ascontiguousarray(rows[:, :FRONT]),
        np.bincount(owners, purpose, count).astype(np.float32),
        np.bincount(owners, is_known[words], count).astype(np.int32),
        lengths,
    )
