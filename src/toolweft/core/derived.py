"""What was worked out of definitions, so that the next start need not do it again.

Everything is found by a hash of what it was worked out of: a definition that changes in one
character is another one. Shared by the catalog and search, which work it out, and stores, which
keep it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from typing import Final

__all__ = ("Derived",)

# Definitions; a server may change its own without end.
_MAX_SOUND: Final = 100_000


class Derived:
    """What an earlier start worked out, and what this one does until `finish`.

    Any thread may ask it and tell it.

    Args:
        sound: pin hashes of definitions of others that were checked and in which nothing was found.
        parts: of a search index, by a hash of what each was made of.
        save: keeps it for the next start; None keeps nothing.
    """

    def __init__(
        self,
        sound: Iterable[str] = (),
        parts: Mapping[str, bytes] | None = None,
        *,
        save: "Callable[[Derived], Awaitable[None]] | None" = None,
    ) -> None:
        self._known_sound = frozenset(sound)
        self._known_parts: Mapping[str, bytes] = parts or {}
        self._save = save
        # Of this start alone: what nobody uses any more is not kept.
        self._sound: set[str] = set()
        self._parts: dict[str, bytes] = {}

    @property
    def sound(self) -> Set[str]:
        """Pin hashes of the definitions in which nothing was found, then or now."""
        return self._sound

    @property
    def parts(self) -> Mapping[str, bytes]:
        """Of this start's index; where none was made, as they were known."""
        return self._parts or self._known_parts

    @property
    def is_kept(self) -> bool:
        """Whether what it is told outlives this start."""
        return self._save is not None

    @property
    def knows_sound(self) -> bool:
        """Whether it is worth asking."""
        return bool(self._known_sound)

    def is_sound(self, pin_hash: str) -> bool:
        """Whether a definition was checked before, and nothing was found in it."""
        return pin_hash in self._known_sound

    def note_sound(self, pin_hash: str) -> None:
        """Know that nothing was found in a definition."""
        if self.is_kept and len(self._sound) < _MAX_SOUND:
            self._sound.add(pin_hash)

    def part(self, key: str) -> bytes | None:
        """A part of an index that was made before; it may hold anything."""
        return self._known_parts.get(key)

    def note_parts(self, parts: Mapping[str, bytes]) -> None:
        """Know parts of the index that was made, beside those it was told before."""
        if self.is_kept:
            self._parts.update(parts)

    async def finish(self) -> None:
        """Keep what is new, and forget all of it: it weighs as much as an index. Idempotent."""
        save, self._save = self._save, None
        news = (self._sound - self._known_sound, self._parts.keys() - self._known_parts.keys())
        try:
            if save is not None and any(news):
                await save(self)
        finally:
            self._known_sound, self._known_parts = frozenset(), {}
            self._sound, self._parts = set(), {}
