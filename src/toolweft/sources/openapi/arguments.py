"""What the arguments of a tool are called, where an operation has one name in several places. Pure.

The first in the order path, query, header, cookie, body keeps the plain name, so that a parameter
that comes later never renames one that stood before it; the others get their place as a suffix.
"""

from hashlib import sha256

__all__ = ("ArgumentNames",)

_SUFFIX_DIGITS = 6


class ArgumentNames:
    """Gives out distinct names for one operation; ask in the order of the places."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def give(self, name: str, *, place: str) -> str:
        """A name that no other argument has."""
        digest = sha256(f"{place}:{name}".encode("utf-8", "replace")).hexdigest()
        candidates = (name, f"{name}_{place}", f"{name}_{place}_{digest[:_SUFFIX_DIGITS]}", digest)
        given = next(candidate for candidate in candidates if candidate not in self._taken)
        self._taken.add(given)
        return given
