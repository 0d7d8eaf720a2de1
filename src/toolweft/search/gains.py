"""What one word of a query adds to the scores of tools: its own, and its neighbours'. Needs numpy.

People ask with few words, so what was worked out is remembered, up to a few megabytes an index.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolweft.search.columns import Postings
from toolweft.search.vectors import Floats, WordVectors

__all__ = ("Flags", "Gains", "Kin", "Slots", "WordGains", "find_held")

Slots: TypeAlias = NDArray[np.intp]
Flags: TypeAlias = NDArray[np.bool_]
# One number for each namespace, 0 for none.
Kin: TypeAlias = NDArray[np.int32]

_MAX_NEIGHBOURS_OF_WORD = 8
# Words whose gains are remembered, and rows of sums: 12 bytes each.
_MAX_WORDS = 4_096
_MAX_ROWS, _MAX_ROWS_PER_SLOT = 500_000, 25


@dataclass(frozen=True, slots=True, eq=False)
class Gains:
    """What one word of a query adds to the tools that hold it or a neighbour."""

    word: str
    own: Postings | None
    rarity: float
    # The weakest first, with what their impacts are multiplied by.
    near: Sequence[tuple[Postings, np.float32]]


class WordGains:
    """The gains of words over one index.

    Args:
        postings: which tools hold which words.
        vectors: know the neighbours of words.
        slots: how many there are.
        usable: slots that may be found; None for all.
    """

    def __init__(
        self,
        postings: Mapping[str, Postings],
        *,
        vectors: WordVectors,
        slots: int,
        usable: Flags | None,
    ) -> None:
        self._postings, self._vectors = postings, vectors
        self._slots, self._usable = slots, usable
        self.count = slots if usable is None else int(np.count_nonzero(usable))
        self._known: dict[str, Gains] = {}
        self._added: dict[tuple[str, int], tuple[Slots, Floats]] = {}
        self._rows = 0

    def of(self, word: str) -> Gains:
        """What a word adds."""
        known = self._known.get(word)
        if known is not None:
            return known
        rarity = self.rarity(word)
        near = [
            (postings, np.float32(likeness * likeness * min(rarity, self.rarity(other))))
            for other, likeness in self._vectors.neighbours(word)
            if (postings := self._postings.get(other)) is not None
        ]
        near = near[:_MAX_NEIGHBOURS_OF_WORD][::-1]
        gains = Gains(word, self._postings.get(word), rarity, near)
        if len(self._known) >= _MAX_WORDS:
            self._known.clear()
        self._known[word] = gains
        return gains

    def rarity(self, word: str) -> float:
        """How rare a word is among the usable tools; of one they lack, half of the rarest."""
        postings = self._postings.get(word)
        holders = 0 if postings is None else self._holders(postings)
        rarity = log(1 + (self.count - holders + 0.5) / (holders + 0.5))
        return rarity if holders else rarity / 2

    def added(self, gains: Gains, *, neighbours: int) -> tuple[Slots, Floats]:
        """The slots a word adds to, each once, and how much; usable or not.

        Args:
            gains: of the word.
            neighbours: so many of the nearest count at most.
        """
        near = gains.near[-neighbours:] if neighbours else ()
        key = gains.word, len(near)
        known = self._added.get(key)
        if known is None:
            known = self._add_up(gains, near)
            self._rows += len(known[0])
            if self._rows > max(_MAX_ROWS, _MAX_ROWS_PER_SLOT * self._slots):
                self._added.clear()
                self._rows = len(known[0])
            self._added[key] = known
        return known

    def _add_up(
        self, gains: Gains, near: Sequence[tuple[Postings, np.float32]]
    ) -> tuple[Slots, Floats]:
        row = np.zeros(self._slots, np.float32)
        # The weakest first: what comes later stays.
        for postings, factor in near:
            row[_column(postings)] = factor * _impacts(postings)
        if gains.own is not None:
            row[_column(gains.own)] = np.float32(gains.rarity) * _impacts(gains.own)
        slots = np.flatnonzero(row > 0)
        return slots, row[slots]

    def _holders(self, postings: Postings) -> int:
        if self._usable is None:
            return len(postings.slots)
        return int(np.count_nonzero(self._usable[_column(postings)]))


def find_held(asked: Sequence[Gains], slots: Slots) -> Flags:
    """Which words the tools in some slots hold: one row a word, one column a slot."""
    wanted = slots.astype(np.uint32)
    held = np.zeros((len(asked), len(slots)), np.bool_)
    for row, gains in enumerate(asked):
        if gains.own is not None:
            holders = np.frombuffer(gains.own.slots, np.uint32)
            nearest = holders.take(holders.searchsorted(wanted), mode="clip")
            np.equal(nearest, wanted, out=held[row])
    return held


def _column(postings: Postings) -> Slots:
    return np.frombuffer(postings.slots, np.uint32).astype(np.intp)


def _impacts(postings: Postings) -> Floats:
    return np.asarray(postings.impacts, np.float32)
