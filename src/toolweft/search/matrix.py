"""One vector per tool, by slot: the part of an index that knows what tools mean. Needs numpy.

To its readers a matrix never changes. A newer one may share its memory: rows are only ever written
behind the last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from threading import Lock
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from toolweft.search.documents import Document
from toolweft.search.vectors import Floats, WordVectors, unit

__all__ = ("FRONT", "ToolMatrix", "build_matrix")

# So many leading dimensions are compared over the whole catalog; all of them for the best.
FRONT = 32
# Room for new rows when a column is copied, as a share of it.
_ROOM = 0.25


class _Column:
    """Rows that can be added to without copying those before, which others may be reading."""

    def __init__(self, rows: NDArray[Any], memory: "_Memory | None" = None) -> None:
        self.rows = rows
        self._memory = memory or _Memory(rows)

    def joined(self, newer: NDArray[Any]) -> Self:
        """These rows and newer ones."""
        memory, rows = self._memory.write(self.rows, newer)
        return type(self)(rows, memory)


class _Memory:
    """An array, and how much of its beginning is taken."""

    def __init__(self, array: NDArray[Any]) -> None:
        self._array, self._taken, self._lock = array, len(array), Lock()

    def write(self, known: NDArray[Any], newer: NDArray[Any]) -> "tuple[_Memory, NDArray[Any]]":
        end = len(known) + len(newer)
        with self._lock:
            # Two newer matrices of one older must not write in the same place.
            if self._taken == len(known) and end <= len(self._array):
                self._array[len(known) : end] = newer
                self._taken = end
                return self, self._array[:end]
        array = np.empty((int(end * (1 + _ROOM)) + 1, *known.shape[1:]), known.dtype)
        array[: len(known)], array[len(known) : end] = known, newer
        memory = _Memory(array)
        memory._taken = end
        return memory, array[:end]


@dataclass(frozen=True, slots=True, eq=False)
class ToolMatrix:
    """What every tool means; row i is the tool in slot i."""

    # Of length 1, or 0 where no word of the tool has a vector; in half precision, as few of them
    # are compared at a time.
    halves: _Column
    # The leading dimensions of the rows, contiguous.
    _fronts: _Column

    def __len__(self) -> int:
        """How many tools there are."""
        return len(self._fronts.rows)

    def rows(self, slots: NDArray[np.intp] | slice) -> Floats:
        """The vectors of some tools, of length 1, or 0 where nothing is known of a tool."""
        rows: Floats = self.halves.rows[slots].astype(np.float32)
        return rows

    @property
    def fronts(self) -> Floats:
        """Their leading dimensions, contiguous."""
        return self._fronts.rows

    def joined(self, newer: "ToolMatrix") -> "ToolMatrix":
        """This matrix with further rows at its end."""
        return ToolMatrix(
            self.halves.joined(newer.halves.rows),
            self._fronts.joined(newer.fronts),
        )


def build_matrix(documents: Sequence[Document], vectors: WordVectors) -> ToolMatrix:
    """The vectors of tools: the sum of their words' vectors, each as its field counts."""
    count = len(documents)
    numbers: dict[str, int] = {}
    flat = [numbers.setdefault(word, len(numbers)) for d in documents for word in d.words]
    words = np.array(flat, np.int64)
    emphases = np.fromiter(chain.from_iterable(d.emphases for d in documents), np.float32)
    table = np.zeros((len(numbers), vectors.dimensions), np.float32)
    for word, number in numbers.items():
        table[number] = vectors.vector(word)
    rows = np.zeros((count, vectors.dimensions), np.float32)
    start = 0
    for row, document in enumerate(documents):
        end = start + len(document.words)
        rows[row] = emphases[start:end] @ table[words[start:end]]
        start = end
    rows = unit(rows)
    return ToolMatrix(
        _Column(rows.astype(np.float16)),
        _Column(np.ascontiguousarray(rows[:, :FRONT])),
    )
