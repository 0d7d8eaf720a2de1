"""What was worked out of definitions, so that the next start need not do it again.

Everything is found by a hash of what it was worked out of: a definition that changes in one
character is another one. Shared by the catalog and search, which work it out, and stores, which
keep it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Protocol

__all__ = ("Derived", "DerivedCache")


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
        self.sound: set[str] = set()
        self.parts: Mapping[str, bytes] = {}

    @property
    def knows_sound(self) -> bool:
        """Whether it is worth asking."""
        return bool(self._known_sound)

    def is_sound(self, pin_hash: str) -> bool:
        """Whether a definition was checked before, and nothing was found in it."""
        return pin_hash in self._known_sound

    def part(self, key: str) -> bytes | None:
        """A part of an index that was made before; as untrusted as any file."""
        return self._known_parts.get(key)

    async def finish(self) -> None:
        """Keep what is new, and forget all of it: it weighs as much as an index. Idempotent."""
        save, self._save = self._save, None
        # Where nothing was searched, the parts are as good as they were.
        self.parts = self.parts or self._known_parts
        if save is not None:
            is_known = (
                self.sound <= self._known_sound and self.parts.keys() <= self._known_parts.keys()
            )
            if not is_known:
                await save(self)
        self._known_sound, self._known_parts = frozenset(), {}
        self.sound, self.parts = set(), {}


class DerivedCache(Protocol):
    """Keeps it from one start to the next; never fails."""

    async def load(self, key: str) -> Derived:
        """What was kept under a key, and will be kept there; empty where none can be used.

        Args:
            key: of a set of sources and of the code that works it out, in lower-case hex.
        """
        ...
