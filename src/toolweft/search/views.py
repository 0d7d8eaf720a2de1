"""What an index tells of the tools that somebody may see, beside what a search finds.

Read by what suggests other words and by what explains a tool's place. Nothing here tells of a tool
that is not visible. Pure; needs no numpy.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

from toolweft.core.derived import Derived
from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchHit, SearchIndex
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import ToolDefinition
from toolweft.search.columns import Postings
from toolweft.search.documents import FIELDS, field_texts, name_key, named_fields
from toolweft.search.embedded import Embedded, SlottedIndex
from toolweft.search.postings import Entry, InvertedIndex
from toolweft.search.words import spelled_in

__all__ = ("Standing", "View", "ViewedIndex", "Vocabulary", "standing_among")

# Tools read for the best spelling of a word they hold.
_MAX_READ_TOOLS = 3
# Names that begin alike and are looked at.
_MAX_NAMES = 64


class Vocabulary(Protocol):
    """Words that were learned, with those most like them."""

    def __contains__(self, word: str) -> bool: ...

    def neighbours(self, word: str) -> list[tuple[str, float]]:
        """The words most like one, best first, each with its likeness in (0, 1]."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a tool stands in the order of one query."""

    # From 1; None where it has nothing to do with the query.
    rank: int | None
    # The tools that can be found.
    count: int
    # The tool itself, and the one on place 1.
    hit: SearchHit | None
    first: SearchHit | None


class ViewedIndex(SearchIndex, SlottedIndex, Protocol):
    """An index that also tells why, and hears what an embedder says where it can."""

    def search(
        self,
        query: str,
        *,
        limit: int,
        visible: Collection[QualifiedName] | None = None,
        embedded: Embedded | None = None,
    ) -> Sequence[SearchHit]:
        """The tools that fit; see `SearchIndex.search`.

        Args:
            query: any text of any length.
            limit: at most this many, >= 1.
            visible: only these may be found; None for all.
            embedded: what an embedder says about the query; None where it says nothing.
        """
        ...

    def updated(self, snapshot: Snapshot, derived: Derived | None = None) -> "ViewedIndex":
        """The index of a newer snapshot; itself where nothing changed."""
        ...

    def view(self, visible: Collection[QualifiedName] | None) -> "View":
        """What it tells of the visible tools."""
        ...

    def near_tools(
        self, query: str, *, visible: Collection[QualifiedName] | None
    ) -> Sequence[ToolDefinition]:
        """A few tools near to a query though not found by it, nearest first."""
        ...

    def place(
        self,
        query: str,
        tool: QualifiedName,
        *,
        visible: Collection[QualifiedName] | None,
        embedded: Embedded | None = None,
    ) -> Standing:
        """Where a tool stands; exact also where a search would not show it."""
        ...


class View:
    """The words of the visible tools of an index.

    Args:
        inverted: which tools hold which words.
        visible: only these are told of; None for all.
        vocabulary: None where meanings are not known.
    """

    def __init__(
        self,
        inverted: InvertedIndex,
        *,
        visible: Collection[QualifiedName] | None,
        vocabulary: Vocabulary | None,
    ) -> None:
        if visible is not None and not isinstance(visible, Set):
            visible = frozenset(visible)
        self._inverted, self._visible, self._vocabulary = inverted, visible, vocabulary

    def __len__(self) -> int:
        """How many tools are told of."""
        slots = self._inverted.slots
        return len(slots) if self._visible is None else len(slots.keys() & self._visible)

    def knows(self, word: str) -> bool:
        """Whether a word was learned, so that it is no slip."""
        return self._vocabulary is not None and word in self._vocabulary

    def neighbours(self, word: str) -> list[tuple[str, float]]:
        """Words like one, best first, that a visible tool holds; with their likeness."""
        if self._vocabulary is None:
            return []
        near = self._vocabulary.neighbours(word)
        return [(other, likeness) for other, likeness in near if self.has(other)]

    def has(self, word: str) -> bool:
        """Whether a visible tool holds a word."""
        # Most words asked for stand nowhere.
        return word in self._inverted.postings and next(self._holders(word), None) is not None

    def count(self, word: str) -> int:
        """How many visible tools hold a word."""
        postings = self._inverted.postings.get(word)
        if postings is not None and self._visible is None:
            return len(postings.slots)
        return sum(1 for _ in self._holders(word))

    def spelling(self, word: str) -> str | None:
        """A whole word, as a visible tool spells it, of what an index counts as `word`."""
        found = []
        for slot, entry in islice(self._holders(word), _MAX_READ_TOOLS):
            bits = self._bits(word, slot)
            texts = enumerate(field_texts(entry.definition))
            held = (spelled_in(text, word) for field, text in texts if bits >> field & 1)
            found += list(islice(filter(None, held), 1))
        # "schedule" rather than "scheduled".
        return min(found, key=lambda spelling: (len(spelling), spelling), default=None)

    def fields(self, tool: QualifiedName, word: str) -> tuple[str, ...]:
        """The fields of a visible tool in which a word stands, best first."""
        slot = self._inverted.slots.get(tool)
        if slot is None or not self._sees(tool):
            return ()
        return tuple(named_fields(self._bits(word, slot)))

    def stands_in_front(self, tool: QualifiedName, word: str) -> bool:
        """Whether a word stands in the name or the first sentence of a visible tool."""
        slot = self._inverted.slots.get(tool)
        if slot is None or not self._sees(tool):
            return False
        return bool(self._bits(word, slot) & _FRONT)

    def names_beginning(self, beginning: str) -> list[ToolDefinition]:
        """Some visible tools whose names begin with a text, in name order."""
        names, key = self._inverted.names, name_key(beginning)
        found: dict[QualifiedName, ToolDefinition] = {}
        for position in range(bisect_left(names, (key, 0)), len(names)):
            name, slot = names[position]
            if not key or not name.startswith(key) or len(found) >= _MAX_NAMES:
                break
            entry = self._inverted.entries[slot]
            if entry is not None and self._sees(entry.qualified):
                found[entry.qualified] = entry.definition
        return list(found.values())

    def definitions(self, slots: Sequence[int]) -> list[ToolDefinition]:
        """The visible ones of the tools in some slots, in the same order."""
        entries = (self._inverted.entries[slot] for slot in slots)
        return [e.definition for e in entries if e is not None and self._sees(e.qualified)]

    def _sees(self, name: QualifiedName) -> bool:
        return self._visible is None or name in self._visible

    def _holders(self, word: str) -> Iterator[tuple[int, Entry]]:
        postings: Postings | None = self._inverted.postings.get(word)
        for slot in () if postings is None else postings.slots:
            entry = self._inverted.entries[slot]
            if entry is not None and self._sees(entry.qualified):
                yield slot, entry

    def _bits(self, word: str, slot: int) -> int:
        postings = self._inverted.postings.get(word)
        row = None if postings is None else postings.row(slot)
        return 0 if postings is None or row is None else postings.fields[row]


# The name, and the first of the two fields called description.
_NAMES = [field.name for field in FIELDS]
_FRONT = 1 << _NAMES.index("name") | 1 << _NAMES.index("description")


def standing_among(
    scores: Mapping[int, float], slot: int, *, name: Callable[[int], QualifiedName]
) -> int:
    """The place of one slot in the order of the scores, from 1; equal ones in name order."""
    score, own = scores[slot], name(slot)
    before = sum(
        other > score or (other == score and name(another) < own)
        for another, other in scores.items()
    )
    return 1 + before
