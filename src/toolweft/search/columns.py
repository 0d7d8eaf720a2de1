"""The tools that hold one word, in columns, and the table of all words. Pure.

Most words stand in few tools, so that objects around the numbers would weigh more than they: of
each word the table keeps one `bytes`, and gives a view of it to whoever asks.
"""

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

__all__ = ("Postings", "WordTable", "join_postings", "pack_postings")

# Bytes: the bound; then of each tool its slot, the impact, and the fields.
_BOUND: Final = 4
_SLOT: Final = 4
_ROW: Final = 9


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """The tools that hold one word: three columns with one row per tool, by rising slot."""

    slots: "memoryview[int]"
    # What the word adds to a score before it is multiplied by the word's rarity.
    impacts: "memoryview[float]"
    # The fields in which it stands, as in `Document.fields`.
    fields: "memoryview[int]"
    # No impact is higher.
    bound: float

    def row(self, slot: int) -> int | None:
        """Where a tool stands in the columns; None where it does not hold the word."""
        position = bisect_left(self.slots, slot)
        found = position < len(self.slots) and self.slots[position] == slot
        return position if found else None

    def impact(self, slot: int) -> float:
        """What the word adds to one tool; 0 where it does not hold the word."""
        row = self.row(slot)
        return 0.0 if row is None else self.impacts[row]


class WordTable(Mapping[str, Postings]):
    """The postings of every word, from packed ones."""

    def __init__(self, packed: Mapping[str, bytes]) -> None:
        self.packed = packed

    def __getitem__(self, word: str) -> Postings:
        return _view(self.packed[word])

    def __contains__(self, word: object) -> bool:
        return word in self.packed

    def __iter__(self) -> Iterator[str]:
        return iter(self.packed)

    def __len__(self) -> int:
        return len(self.packed)


def pack_postings(slots: Sequence[int], impacts: Sequence[float], fields: Sequence[int]) -> bytes:
    """The columns of one word, of at least one tool, as a table keeps them."""
    column = array("f", impacts)
    return b"".join((array("f", (max(column),)), array("I", slots), column, bytes(fields)))


def join_postings(older: bytes, newer: bytes) -> bytes:
    """Both together; every slot of the newer is behind those of the older."""
    one, other = _view(older), _view(newer)
    bound = array("f", (max(one.bound, other.bound),))
    columns = (one.slots, other.slots, one.impacts, other.impacts, one.fields, other.fields)
    return b"".join((bound, *columns))


def _view(packed: bytes) -> Postings:
    view = memoryview(packed)
    middle = _BOUND + (len(view) - _BOUND) // _ROW * _SLOT
    end = 2 * middle - _BOUND
    return Postings(
        view[_BOUND:middle].cast("I"),
        view[middle:end].cast("f"),
        view[end:],
        view[:_BOUND].cast("f")[0],
    )
