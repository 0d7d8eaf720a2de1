"""The inverted index: which tools hold which words, made whole or by difference.

Everything here is immutable once made; a newer index shares with an older one all that did not
change, so a server that comes or goes costs about what its own tools cost.
"""

from array import array
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from toolweft.core.ids import QualifiedName
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import ToolDefinition
from toolweft.search.documents import Document, build_document, name_key
from toolweft.search.words import Tokenizer

__all__ = ("EMPTY", "Entry", "InvertedIndex", "Postings", "index_snapshot")

# A slot is not used twice; with more empty ones than this share the index is made anew.
_MAX_EMPTY_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One tool that can be found."""

    qualified: QualifiedName
    definition: ToolDefinition


@dataclass(frozen=True, slots=True, eq=False)
class Postings:
    """The tools that hold one word: three columns with one row per tool, by rising slot."""

    slots: "array[int]"
    # What the word adds to a score before it is multiplied by the word's rarity.
    impacts: "array[float]"
    # The fields in which it stands, as in `Document.fields`.
    fields: bytes
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


@dataclass(frozen=True, slots=True, eq=False)
class InvertedIndex:
    """Tools by slot and by word."""

    # A slot whose tool is gone holds None and stands nowhere else.
    entries: Sequence[Entry | None]
    slots: Mapping[QualifiedName, int]
    postings: Mapping[str, Postings]
    # (name key, slot), sorted: for exact names and beginnings of names.
    names: Sequence[tuple[str, int]]


EMPTY = InvertedIndex((), {}, {}, ())


def index_snapshot(snapshot: Snapshot, *, known: InvertedIndex = EMPTY) -> InvertedIndex:
    """The index over every tool that is not disabled.

    Args:
        snapshot: what is to be found.
        known: an older index to take over from; returned as it is where nothing changed.
    """
    kept: set[int] = set()
    come: list[Entry] = []
    for qualified, tool in snapshot.tools.items():
        if tool.status == "disabled":
            continue
        slot = known.slots.get(qualified)
        entry = None if slot is None else known.entries[slot]
        if slot is not None and entry is not None and entry.definition is tool.definition:
            kept.add(slot)
        else:
            come.append(Entry(qualified, tool.definition))
    gone = [slot for slot in known.slots.values() if slot not in kept]
    if not come and not gone:
        return known
    if len(known.entries) - len(kept) > _MAX_EMPTY_SHARE * len(known.entries):
        return index_snapshot(snapshot)
    return _changed(known, gone=frozenset(gone), come=come)


def _changed(known: InvertedIndex, *, gone: frozenset[int], come: Sequence[Entry]) -> InvertedIndex:
    first = len(known.entries)
    tokenizer = Tokenizer()
    leaving = [(s, entry) for s in sorted(gone) if (entry := known.entries[s]) is not None]
    left = {entry.qualified for _, entry in leaving}
    slots = {name: slot for name, slot in known.slots.items() if name not in left}
    slots |= {entry.qualified: slot for slot, entry in enumerate(come, first)}
    names = [row for row in known.names if row[1] not in gone]
    names += ((key, s) for s, entry in enumerate(come, first) for key in _name_keys(entry))
    names.sort()
    postings = dict(known.postings)
    # Words are not kept per tool: reading the few that leave again costs less than the memory.
    _drop(postings, ((s, build_document(entry.definition, tokenizer)) for s, entry in leaving))
    _append(postings, first, (build_document(entry.definition, tokenizer) for entry in come))
    entries = [None if s in gone else entry for s, entry in enumerate(known.entries)]
    return InvertedIndex([*entries, *come], slots, postings, names)


def _name_keys(entry: Entry) -> tuple[str, str]:
    """The keys of a tool's name, alone and behind its namespace."""
    return name_key(entry.qualified.partition(".")[2]), name_key(entry.qualified)


def _drop(postings: dict[str, Postings], documents: Iterable[tuple[int, Document]]) -> None:
    """Take the words of documents out, given with their slots."""
    leaving: defaultdict[str, list[int]] = defaultdict(list)
    for slot, document in documents:
        for word in document.words:
            leaving[word].append(slot)
    for word, gone in leaving.items():
        if len(gone) == len(postings[word].slots):
            del postings[word]
        else:
            postings[word] = _without(postings[word], gone)


def _without(old: Postings, gone: Iterable[int]) -> Postings:
    slots, impacts, fields = old.slots[:], old.impacts[:], bytearray(old.fields)
    # From the end, so that the rows before stay where they are.
    for slot in sorted(gone, reverse=True):
        row = bisect_left(slots, slot)
        del slots[row], impacts[row], fields[row]
    held_bound = any(old.impact(slot) == old.bound for slot in gone)
    return Postings(slots, impacts, bytes(fields), max(impacts) if held_bound else old.bound)


def _append(postings: dict[str, Postings], first: int, documents: Iterable[Document]) -> None:
    slots: defaultdict[str, list[int]] = defaultdict(list)
    impacts: defaultdict[str, list[float]] = defaultdict(list)
    fields: defaultdict[str, list[int]] = defaultdict(list)
    for slot, document in enumerate(documents, first):
        for word, impact, bits in zip(
            document.words, document.impacts, document.fields, strict=True
        ):
            slots[word].append(slot)
            impacts[word].append(impact)
            fields[word].append(bits)
    for word, added in slots.items():
        new = _postings(added, impacts[word], fields[word])
        old = postings.get(word)
        if old is not None:
            new = Postings(
                old.slots + new.slots,
                old.impacts + new.impacts,
                old.fields + new.fields,
                max(old.bound, new.bound),
            )
        postings[word] = new


def _postings(slots: Sequence[int], impacts: Sequence[float], fields: Sequence[int]) -> Postings:
    column = array("f", impacts)
    return Postings(array("I", slots), column, bytes(fields), max(column))
