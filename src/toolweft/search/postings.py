"""The inverted index: which tools hold which words, made whole or by difference.

Everything here is immutable once made; a newer index shares with an older one all that did not
change, so a server that comes or goes costs about what its own tools cost.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import is_

from toolweft.core.derived import Derived
from toolweft.core.ids import QualifiedName
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.core.tools import ToolDefinition
from toolweft.search.columns import Postings, WordTable, join_postings, pack_postings
from toolweft.search.documents import Document, build_document, name_key
from toolweft.search.name_table import NameTable
from toolweft.search.parts import read_documents
from toolweft.search.words import Tokenizer

__all__ = (
    "EMPTY",
    "Change",
    "Entry",
    "InvertedIndex",
    "apply_change",
    "compare",
    "is_mostly_empty",
)

# A slot is not used twice; with more empty ones than this share the index is made anew.
_MAX_EMPTY_SHARE = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One tool that can be found."""

    qualified: QualifiedName
    definition: ToolDefinition


@dataclass(frozen=True, slots=True, eq=False)
class InvertedIndex:
    """Tools by slot and by word."""

    # A slot whose tool is gone holds None and stands nowhere else.
    entries: Sequence[Entry | None]
    slots: Mapping[QualifiedName, int]
    postings: WordTable
    # For exact names and beginnings of names.
    names: NameTable
    # The snapshot's tools it was made from, those that cannot be found too.
    tools: Sequence[CatalogTool]
    # Whether any document was taken over from an earlier start.
    is_borrowed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """What makes a newer index of an older one."""

    gone: Sequence[int]
    come: Sequence[Entry]
    # One for each that came, in the same order.
    documents: Sequence[Document]
    tools: Sequence[CatalogTool]


EMPTY = InvertedIndex((), {}, WordTable({}), NameTable(), ())


def compare(known: InvertedIndex, snapshot: Snapshot, derived: Derived | None = None) -> Change:
    """What is to be done so that exactly the tools of a snapshot are found that are not disabled.

    Only between the first and the last tool that differ is anything looked at: most often one
    source has changed.

    Args:
        known: the index there is.
        snapshot: of what is to be found.
        derived: documents of an earlier start; None for none.
    """
    # The catalog's own texts: a tool spells its name anew each time.
    names, tools = list(snapshot.tools), list(snapshot.tools.values())
    first, rest = _same_ends(known.tools, tools)
    old = known.tools[first : len(known.tools) - rest]
    new = tools[first : len(tools) - rest]
    kept: set[QualifiedName] = set()
    come: list[Entry] = []
    for name, tool in zip(names[first:], new, strict=False):
        if tool.is_withheld:
            continue
        slot = known.slots.get(name)
        entry = None if slot is None else known.entries[slot]
        if entry is not None and entry.definition is tool.definition:
            kept.add(name)
        else:
            come.append(Entry(name, tool.definition))
    left = dict.fromkeys(tool.qualified for tool in old if tool.qualified not in kept)
    gone = sorted(known.slots[name] for name in left if name in known.slots)
    documents = read_documents([entry.definition for entry in come], derived)
    return Change(gone, come, documents, tools)


def is_mostly_empty(known: InvertedIndex, change: Change) -> bool:
    """Whether so many slots would be empty that an index made anew is better."""
    left = len(known.slots) - len(change.gone)
    return len(known.entries) - left > _MAX_EMPTY_SHARE * len(known.entries)


def apply_change(known: InvertedIndex, change: Change) -> InvertedIndex:
    """The newer index; the older one stays as it is."""
    first = len(known.entries)
    entries = list(known.entries)
    slots = dict(known.slots)
    packed = dict(known.postings.packed)
    leaving = [(s, entry) for s in change.gone if (entry := entries[s]) is not None]
    for slot, entry in leaving:
        entries[slot] = None
        del slots[entry.qualified]
    if known.is_borrowed and leaving:
        _sweep(packed, set(change.gone))
    else:
        # Words are not kept per tool: reading the few that leave again costs less than the memory.
        tokenizer = Tokenizer()
        _drop(packed, ((s, build_document(entry.definition, tokenizer)) for s, entry in leaving))
    _append(packed, first, change.documents)
    slots |= {entry.qualified: slot for slot, entry in enumerate(change.come, first)}
    names = known.names.changed(
        [(key, slot) for slot, entry in leaving for key in _name_keys(entry)],
        [(key, s) for s, entry in enumerate(change.come, first) for key in _name_keys(entry)],
    )
    is_borrowed = known.is_borrowed or any(document.is_borrowed for document in change.documents)
    entries += change.come
    return InvertedIndex(entries, slots, WordTable(packed), names, change.tools, is_borrowed)


def _same_ends(old: Sequence[CatalogTool], new: Sequence[CatalogTool]) -> tuple[int, int]:
    """How many tools are the same object at the beginning of both, and then at the end."""
    shorter = min(len(old), len(new))
    first = _first_difference(old, new)
    rest = _first_difference(reversed(old), reversed(new))
    return first, min(rest, shorter - first)


def _first_difference(old: Iterable[CatalogTool], new: Iterable[CatalogTool]) -> int:
    same = list(map(is_, old, new))
    return len(same) if all(same) else same.index(False)


def _name_keys(entry: Entry) -> tuple[str, str]:
    """The keys of a tool's name, alone and behind its namespace."""
    name, namespace = entry.definition.name, entry.definition.namespace
    return name_key(name), name_key(f"{namespace}{name}")


def _drop(packed: dict[str, bytes], documents: Iterable[tuple[int, Document]]) -> None:
    """Take the words of documents out, given with their slots."""
    leaving: defaultdict[str, set[int]] = defaultdict(set)
    for slot, document in documents:
        for word in document.words:
            leaving[word].add(slot)
    known = WordTable(packed)
    for word, gone in leaving.items():
        old = known[word]
        if len(gone) == len(old.slots):
            del packed[word]
        else:
            packed[word] = _without(old, gone)


def _sweep(packed: dict[str, bytes], gone: Collection[int]) -> None:
    """Take slots out of every word that holds them: which ones do, nobody can tell for sure."""
    for word, old in WordTable(dict(packed)).items():
        if all(slot in gone for slot in old.slots):
            del packed[word]
        elif any(slot in gone for slot in old.slots):
            packed[word] = _without(old, gone)


def _without(old: Postings, gone: Collection[int]) -> bytes:
    left = [row for row, slot in enumerate(old.slots) if slot not in gone]
    return pack_postings(
        [old.slots[row] for row in left],
        [old.impacts[row] for row in left],
        [old.fields[row] for row in left],
    )


def _append(packed: dict[str, bytes], first: int, documents: Sequence[Document]) -> None:
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
        new, old = pack_postings(added, impacts[word], fields[word]), packed.get(word)
        packed[word] = new if old is None else join_postings(old, new)
