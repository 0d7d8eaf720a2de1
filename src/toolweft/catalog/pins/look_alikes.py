"""Names of different sources that look alike: found as sources come and go, each name once."""

from collections.abc import Collection, Iterator, Mapping
from typing import Final, TypeVar

from toolweft.catalog.pins.confusables import plain_name, skeleton
from toolweft.core.ids import SourceName

__all__ = ("NameIndex",)

Kept = TypeVar("Kept", bound=str)
# Below that, one letter is most of a name: `add` and `and`.
_MIN_CHARACTERS: Final = 5

# Each name is compared with those near it, which takes minutes for a hundred thousand.
_MAX_COMPARED_NAMES = 20_000


class NameIndex:
    """The names of all tools, and which of them pass for another."""

    def __init__(self) -> None:
        self._names: dict[SourceName, frozenset[str]] = {}
        self._owners: dict[str, tuple[SourceName, ...]] = {}
        self._alike: dict[str, dict[str, str]] = {}
        # Names by half of their plain spelling, and by what they look like.
        self._halves: dict[str, tuple[str, ...]] = {}
        self._skeletons: dict[str, tuple[str, ...]] = {}

    def update(self, names: Mapping[SourceName, Collection[str]]) -> bool:
        """Take over the names of every source; whether any is other than before."""
        changed = False
        for source in (*names, *(self._names.keys() - names.keys())):
            before, after = self._names.get(source, frozenset()), frozenset(names.get(source, ()))
            if before == after:
                continue
            changed = True
            self._names[source] = after
            for name in sorted(before - after):
                self._remove(name, source)
            for name in sorted(after - before):
                self._add(name, source)
            if not after:
                del self._names[source]
        return changed

    def owners(self, name: str) -> Collection[SourceName]:
        """The sources that have a tool of that name."""
        return self._owners.get(name, ())

    def look_alikes(self, source: SourceName) -> Iterator[tuple[str, SourceName, str]]:
        """The names of a source that pass for another's: the name, that source, and why."""
        for name in sorted(self._names.get(source, frozenset()) & self._alike.keys()):
            for other, reason in self._alike[name].items():
                for owner in sorted({*self._owners[other]} - {source}):
                    # A source that has both names has them for itself.
                    if other not in self._names[source] and name not in self._names[owner]:
                        yield name, owner, reason

    def _add(self, name: str, source: SourceName) -> None:
        owners = self._owners.get(name, ())
        self._owners[name] = (*owners, source)
        if owners:
            return
        if len(self._owners) > _MAX_COMPARED_NAMES:
            return
        plain = plain_name(name)
        for other, reason in self._find(name, plain):
            self._alike.setdefault(name, {})[other] = reason
            self._alike.setdefault(other, {})[name] = reason.replace(repr(other), repr(name))
        for key in _own_keys(plain):
            self._halves[key] = (*self._halves.get(key, ()), name)
        looks = skeleton(name)
        self._skeletons[looks] = (*self._skeletons.get(looks, ()), name)

    def _remove(self, name: str, source: SourceName) -> None:
        _discard(self._owners, name, source)
        if name in self._owners:
            return
        for other in self._alike.pop(name, {}):
            del self._alike[other][name]
            if not self._alike[other]:
                del self._alike[other]
        for key in _own_keys(plain_name(name)):
            _discard(self._halves, key, name)
        _discard(self._skeletons, skeleton(name), name)

    def _find(self, name: str, plain: str) -> Iterator[tuple[str, str]]:
        for other in sorted(self._skeletons.get(skeleton(name), ())):
            if plain_name(other) != plain:
                yield other, f"it looks like {other!r}"
        near = {other for key in _near_keys(plain) for other in self._halves.get(key, ())}
        for other in sorted(near):
            if _is_one_edit(plain, plain_name(other)):
                yield other, f"it is one letter away from {other!r}"


def _own_keys(plain: str) -> tuple[str, ...]:
    """Both halves: one edit leaves one of them as it was."""
    size = len(plain)
    if size < _MIN_CHARACTERS:
        return ()
    return f"{size}<{plain[: size // 2]}", f"{size}>{plain[size // 2 :]}"


def _near_keys(plain: str) -> Iterator[str]:
    for size in range(max(_MIN_CHARACTERS, len(plain) - 1), len(plain) + 2):
        yield f"{size}<{plain[: size // 2]}"
        yield f"{size}>{plain[len(plain) - (size - size // 2) :]}"


def _is_one_edit(one: str, other: str) -> bool:
    if len(one) > len(other):
        one, other = other, one
    if len(other) - len(one) > 1 or one == other:
        return False
    start = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
    return one[start + (len(one) == len(other)) :] == other[start + 1 :]


def _discard(index: dict[str, tuple[Kept, ...]], key: str, gone: Kept) -> None:
    left = tuple(kept for kept in index[key] if kept != gone)
    if left:
        index[key] = left
    else:
        del index[key]
