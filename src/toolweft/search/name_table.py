"""The names of tools in order, in columns: rows as tuples would weigh more than the names. Pure."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import overload

__all__ = ("NameTable",)

# Names put in place one by one; more are sorted together.
_MAX_SINGLE_NAMES = 100

_Row = tuple[str, int]


class NameTable(Sequence[_Row]):
    """(name key, slot), sorted; never changed once it is made.

    Args:
        rows: sorted.
    """

    def __init__(self, rows: Iterable[_Row] = ()) -> None:
        rows = tuple(rows)
        self._keys = [key for key, _ in rows]
        self._slots = array("I", [slot for _, slot in rows])

    def __len__(self) -> int:
        """How many names there are."""
        return len(self._keys)

    @overload
    def __getitem__(self, position: int) -> _Row: ...

    @overload
    def __getitem__(self, position: slice) -> Sequence[_Row]: ...

    def __getitem__(self, position: int | slice) -> _Row | Sequence[_Row]:
        """One row, or several."""
        if isinstance(position, slice):
            return tuple(zip(self._keys[position], self._slots[position], strict=True))
        return self._keys[position], self._slots[position]

    def changed(self, gone: Sequence[_Row], come: Sequence[_Row]) -> "NameTable":
        """A table without some rows, all of them in it, and with others."""
        if len(gone) + len(come) > _MAX_SINGLE_NAMES:
            left = set(gone)
            return NameTable(sorted([row for row in self if row not in left] + [*come]))
        table = NameTable()
        table._keys, table._slots = self._keys[:], self._slots[:]
        for row in gone:
            position = bisect_left(table, row)
            del table._keys[position], table._slots[position]
        for row in come:
            position = bisect_left(table, row)
            table._keys.insert(position, row[0])
            table._slots.insert(position, row[1])
        return table
