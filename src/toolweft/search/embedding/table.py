"""Vectors of tools by key, as rows of one array that grows. Needs numpy; for one event loop."""

from collections.abc import Collection, Mapping

import numpy as np

from toolweft.search.vectors import Floats

__all__ = ("VectorTable",)

# Room for new rows when the array is copied, as a share of it, and at least so many.
_ROOM = 0.25
_MIN_ROOM = 64
# Rows of tools that are gone are cleared away once there are more than so many beyond the half.
_MAX_STALE = 1_000


class VectorTable:
    """The vectors known so far; all of one dimension."""

    def __init__(self, dimensions: int = 0) -> None:
        # 0 until the first vector comes.
        self.dimensions = dimensions
        # Changes with every change.
        self.version = 0
        self._places: dict[str, int] = {}
        self._array: Floats = np.zeros((0, dimensions), np.float32)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    @property
    def rows(self) -> Floats:
        """One row per vector."""
        return self._array[: len(self._places)]

    def place(self, key: str) -> int:
        """The row of a key; -1 where it has none."""
        return self._places.get(key, -1)

    def add(self, vectors: Mapping[str, Floats]) -> None:
        """Take vectors in.

        Args:
            vectors: by key, of length 1 and of the table's dimension; known keys stay.
        """
        fresh = {key: row for key, row in vectors.items() if key not in self._places}
        if not fresh:
            return
        first = len(self._places)
        if not first:
            self.dimensions = len(next(iter(fresh.values())))
        self._reserve(first + len(fresh))
        for place, (key, row) in enumerate(fresh.items(), first):
            self._array[place] = row
            self._places[key] = place
        self.version += 1

    def keep(self, keys: Collection[str]) -> None:
        """Clear other vectors away, where they are many."""
        kept = [key for key in self._places if key in keys]
        if len(self._places) - len(kept) <= len(kept) + _MAX_STALE:
            return
        self._array = self._array[[self._places[key] for key in kept]]
        self._places = {key: place for place, key in enumerate(kept)}
        self.version += 1

    def _reserve(self, count: int) -> None:
        if self._array.shape[1] != self.dimensions or count > len(self._array):
            room = max(_MIN_ROOM, int(count * _ROOM))
            array = np.zeros((count + room, self.dimensions), np.float32)
            if len(self._places):
                array[: len(self._places)] = self.rows
            self._array = array
