"""Names of different sources that look alike, of hundreds or of a hundred thousand tools.

Two names are one letter apart where they are the same without one letter, so each name has a key
for each letter that it can do without, and only names that share a key are compared.
"""

from array import array
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import compress, count
from typing import Final, NamedTuple

from toolweft.catalog.pins.confusables import plain_name, skeleton
from toolweft.core.ids import SourceName

__all__ = ("NO_CHANGE", "NameChange", "NameIndex")

# Below that, one letter is most of a name: `add` and `and`.
_MIN_CHARACTERS: Final = 5
# Of one name: enough to see what it passes for, where thousands differ in one digit.
_MAX_SHOWN: Final = 3

# What a key says of a name: how it looks; all of it, with the place of the letter that is left out;
# the whole plain name; the plain name without some letter.
_LOOKS, _SAME, _WHOLE, _SHORTER = range(4)
# Which kind of key two names share that are alike: one has the first, the other the second.
_PARTNER: Final = {_LOOKS: _LOOKS, _SAME: _SAME, _WHOLE: _SHORTER, _SHORTER: _WHOLE}

_Wanted = Mapping[int, set[int]]
# Names by the kind of key that they have, and by source.
_Group = dict[tuple[int, SourceName], list[str]]


class _Alike(NamedTuple):
    """A name that another passes for."""

    owner: SourceName
    name: str
    reason: str


class _Keys:
    """The hashed keys of names, by kind; small, as there are twenty of each name."""

    def __init__(self, names: Iterable[str]) -> None:
        self.names = sorted(names)
        hashes = {kind: array("q") for kind in _PARTNER}
        # Where the keys of each name begin, and the end of all.
        starts = {kind: array("I", (0,)) for kind in _PARTNER}
        for name in self.names:
            for kind, keys in _list_keys(name):
                hashes[kind].extend(map(hash, keys))
                starts[kind].append(len(hashes[kind]))
        # Copies, without the room to grow.
        self._hashes = {kind: column[:] for kind, column in hashes.items()}
        self._starts = {kind: column[:] for kind, column in starts.items()}

    def partners(self) -> dict[int, set[int]]:
        """The keys by which names are alike to these."""
        return {kind: set(self._hashes[partner]) for kind, partner in _PARTNER.items()}

    def shared(self, kind: int, keys: set[int]) -> set[int]:
        """Those of some keys that a name here has, as keys of a kind."""
        return keys.intersection(self._hashes[kind])

    def find(self, wanted: _Wanted) -> Iterator[tuple[int, int, str]]:
        """The kind, the key and the name of those that are among the wanted ones."""
        for kind, hashes in self._hashes.items():
            if not wanted[kind] or wanted[kind].isdisjoint(hashes):
                continue
            # In a catalog of thousands there are a hundred thousand keys, and hardly one is wanted.
            for place in compress(count(), map(wanted[kind].__contains__, hashes)):
                owner = bisect_right(self._starts[kind], place) - 1
                yield kind, hashes[place], self.names[owner]


def _list_keys(name: str) -> Iterator[tuple[int, Iterable[Hashable]]]:
    """The keys of a name, of each kind."""
    plain = plain_name(name)
    is_long = len(plain) >= _MIN_CHARACTERS
    without = [plain[:at] + plain[at + 1 :] for at in range(len(plain))] if is_long else []
    yield _LOOKS, (skeleton(name),)
    yield _WHOLE, (plain,)
    yield _SAME, enumerate(without)
    # Without either of two equal neighbours it is the same.
    yield _SHORTER, {*without}


@dataclass(frozen=True, slots=True, kw_only=True)
class NameChange:
    """What an update changed."""

    # Names that another source has now, or none.
    names: frozenset[str] = frozenset()
    # Sources of which something else may pass for another's than before.
    sources: frozenset[SourceName] = frozenset()


NO_CHANGE: Final = NameChange()


class NameIndex:
    """The names of all tools, and which of them pass for another."""

    def __init__(self) -> None:
        self._names: dict[SourceName, frozenset[str]] = {}
        self._owners: dict[str, tuple[SourceName, ...]] = {}
        self._keys: dict[SourceName, _Keys] = {}
        self._alike: dict[SourceName, dict[str, list[_Alike]]] = {}
        # Of names that are about to come.
        self._ahead: dict[frozenset[str], _Keys] = {}

    def update(self, names: Mapping[SourceName, Collection[str]]) -> NameChange:
        """Take over the names of every source; what is other than before."""
        changes: dict[SourceName, _Keys] = {}
        for source in (*names, *(self._names.keys() - names.keys())):
            before, after = self._names.get(source, frozenset()), frozenset(names.get(source, ()))
            if before == after:
                continue
            for name in before - after:
                self._disown(name, source)
            # One object for all names that it alone has.
            alone = (source,)
            for name in after - before:
                others = self._owners.get(name)
                self._owners[name] = (*others, source) if others else alone
            if after:
                self._names[source], self._keys[source] = after, self._keys_of(after)
            else:
                del self._names[source], self._keys[source]
            changes[source] = _Keys(before ^ after) if before else self._keys[source]
        self._ahead.clear()
        if not changes:
            return NO_CHANGE
        changed = frozenset(name for keys in changes.values() for name in keys.names)
        return NameChange(names=changed, sources=self._find_again(changes))

    def prepare(self, names: Collection[str]) -> Callable[[], None]:
        """Work out what `update` needs of many names, in any thread.

        Returns:
            Called before that `update`, in its thread, it hands over what was worked out.
        """
        wanted = frozenset(names)
        keys = _Keys(wanted)

        def hand_over() -> None:
            self._ahead[wanted] = keys

        return hand_over

    def _keys_of(self, names: frozenset[str]) -> _Keys:
        known = self._ahead.get(names)
        return _Keys(names) if known is None else known

    def owners(self, name: str) -> Collection[SourceName]:
        """The sources that have a tool of that name."""
        return self._owners.get(name, ())

    def look_alikes(self, source: SourceName) -> Iterator[tuple[str, SourceName, str]]:
        """The names of a source that pass for another's: the name, that source, and why.

        Of each name three at most.
        """
        for name, others in sorted(self._alike.get(source, {}).items()):
            for other in others:
                yield name, other.owner, other.reason

    def _disown(self, name: str, source: SourceName) -> None:
        left = tuple(owner for owner in self._owners[name] if owner != source)
        if left:
            self._owners[name] = left
        else:
            del self._owners[name]
        self._alike.get(source, {}).pop(name, None)

    def _find_again(self, changes: Mapping[SourceName, _Keys]) -> frozenset[SourceName]:
        """Find what is alike to names that came or went, or near them; the sources of all these."""
        unsure: dict[SourceName, set[str]] = {}
        near = self._near(changes)
        for source, name in near:
            known = self._alike.get(source, {}).pop(name, [])
            kept = [other for other in known if self._holds(source, name, other)]
            if len(kept) == _MAX_SHOWN:
                self._alike[source][name] = kept
            else:
                unsure.setdefault(source, set()).add(name)
        for source, name, others in self._find(unsure) if unsure else ():
            best = {(other.owner, other.name): other for other in sorted(others)}
            self._alike.setdefault(source, {})[name] = list(best.values())[:_MAX_SHOWN]
        self._alike = {source: names for source, names in self._alike.items() if names}
        return frozenset(source for source, _ in near)

    def _near(self, changes: Mapping[SourceName, _Keys]) -> Collection[tuple[SourceName, str]]:
        """The names that share a key with one of those, and those as far as they are there.

        What only names of one source share is left out: a source passes for others alone.
        """
        if len(self._keys.keys() | changes.keys()) == 1:
            return ()
        partners = {source: keys.partners() for source, keys in changes.items()}
        found = [
            (source, *match)
            for source, keys in self._keys.items()
            for match in keys.find(self._wanted_in(source, changes, partners))
        ]
        wanted: dict[int, set[int]] = {kind: set() for kind in _PARTNER}
        for _, kind, key, _ in found:
            wanted[_PARTNER[kind]].add(key)
        whose: defaultdict[tuple[int, int], set[str]] = defaultdict(set)
        for keys in changes.values():
            for kind, key, name in keys.find(wanted):
                whose[_PARTNER[kind], key].add(name)
        near: set[tuple[SourceName, str]] = set()
        for source, kind, key, name in found:
            others = whose[kind, key] - {name}
            if others:
                near.add((source, name))
                near.update((owner, other) for other in others for owner in self.owners(other))
        return near

    def _wanted_in(
        self,
        source: SourceName,
        changes: Mapping[SourceName, _Keys],
        partners: Mapping[SourceName, _Wanted],
    ) -> _Wanted:
        """The keys by which names of a source are alike to names that changed."""
        wanted: dict[int, set[int]] = {kind: set() for kind in _PARTNER}
        for changed, of_kind in partners.items():
            if changed != source:
                for kind, keys in of_kind.items():
                    # Most often one source changed; its keys are not copied.
                    wanted[kind] = wanted[kind] | keys if wanted[kind] else keys
            elif self._keys[source] is not changes[source]:
                # Names that it had before may be alike to a new one of it that another has too; of
                # a source that is all new, those of the other are found.
                others = [keys for name, keys in self._keys.items() if name != source]
                for kind, keys in of_kind.items():
                    shared = (other.shared(_PARTNER[kind], keys) for other in others)
                    wanted[kind] = wanted[kind].union(*shared)
        return wanted

    def _holds(self, source: SourceName, name: str, other: _Alike) -> bool:
        theirs = self._names.get(other.owner, frozenset())
        # A source that has both names has them for itself.
        return other.name in theirs and name not in theirs and other.name not in self._names[source]

    def _find(
        self, unsure: Mapping[SourceName, Collection[str]]
    ) -> Iterator[tuple[SourceName, str, list[_Alike]]]:
        found: dict[tuple[SourceName, str], list[_Alike]] = {}
        for (kind, _), group in self._groups(unsure).items():
            if len({name for names in group.values() for name in names}) == 1:
                continue
            reason = "it looks like" if kind == _LOOKS else "it is one letter away from"
            for (of_kind, source), names in group.items():
                mine = [name for name in names if name in unsure.get(source, ())]
                for name, owner, other in self._pairs(source, mine, _PARTNER[of_kind], group):
                    alike = _Alike(owner, other, f"{reason} {other!r}")
                    found.setdefault((source, name), []).append(alike)
        for (source, name), others in found.items():
            yield source, name, others

    def _groups(
        self, unsure: Mapping[SourceName, Collection[str]]
    ) -> Mapping[tuple[int, int], _Group]:
        """All names that share a key with one of those, by the first kind of it and the key."""
        own = _Keys({name for names in unsure.values() for name in names})
        partners = own.partners()
        wanted = {kind: partners[kind] | partners[partner] for kind, partner in _PARTNER.items()}
        groups: defaultdict[tuple[int, int], _Group] = defaultdict(lambda: defaultdict(list))
        for source in sorted(self._keys):
            for kind, key, name in self._keys[source].find(wanted):
                groups[min(kind, _PARTNER[kind]), key][kind, source].append(name)
        return groups

    def _pairs(
        self, source: SourceName, mine: Iterable[str], partner: int, group: _Group
    ) -> Iterator[tuple[str, SourceName, str]]:
        """Names of a source, and first names of others that they pass for by a key they share."""
        shown = dict.fromkeys(mine, 0)
        for (kind, owner), theirs in group.items():
            if kind != partner or owner == source or not shown:
                continue
            others = _first_spellings(name for name in theirs if name not in self._names[source])
            for name in [name for name in shown if name not in self._names[owner]]:
                plain = plain_name(name)
                for other in (other for spelled, other in others.items() if spelled != plain):
                    shown[name] += 1
                    yield name, owner, other
                if shown[name] >= _MAX_SHOWN:
                    del shown[name]


def _first_spellings(names: Iterable[str]) -> Mapping[str, str]:
    """The first names that differ in more than style; one more than are shown, by plain name."""
    spellings: dict[str, str] = {}
    for name in names:
        spellings.setdefault(plain_name(name), name)
        if len(spellings) > _MAX_SHOWN:
            break
    return spellings
