"""Why a tool was found: its name, the beginning of its name, or the fields that hold the words.

Pure; shared by every kind of index.
"""

from bisect import bisect_left
from collections.abc import Iterable, Sequence

from toolweft.search.documents import name_key, named_fields
from toolweft.search.postings import Postings

__all__ = ("find_named", "matched_fields")

# A shorter beginning of a name fits too many.
_MIN_PREFIX_CHARACTERS = 3
_MAX_PREFIX_MATCHES = 100


def find_named(names: Sequence[tuple[str, int]], query: str) -> dict[int, int]:
    """Slots whose name is the query (2) or begins with it (1).

    Args:
        names: (name key, slot), sorted.
        query: any text.
    """
    key = name_key(query)
    if not key:
        return {}
    found: dict[int, int] = {}
    begins = len(key) >= _MIN_PREFIX_CHARACTERS and not any(map(str.isspace, query.strip()))
    position = bisect_left(names, (key, 0))
    while position < len(names):
        name, slot = names[position]
        position += 1
        exact = name == key
        if not exact and not (begins and name.startswith(key)):
            break
        if len(found) > _MAX_PREFIX_MATCHES:
            # A beginning of so many names tells nothing; an exact name still does.
            return {slot: steps for slot, steps in found.items() if steps > 1}
        found[slot] = max(found.get(slot, 0), 2 if exact else 1)
    return found


def matched_fields(slot: int, words: Iterable[Postings]) -> tuple[str, ...]:
    """The fields of a tool in which any of the words stand, best first."""
    bits = 0
    for postings in words:
        row = postings.row(slot)
        if row is not None:
            bits |= postings.fields[row]
    # A name found by its beginning alone holds none of the words.
    return tuple(named_fields(bits)) or ("name",)
