"""Why a tool was found: its name, the beginning of its name, or the fields that hold the words.

Pure; shared by every kind of index.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchHit
from toolweft.search.columns import Postings
from toolweft.search.confidence import CERTAIN, LIKELY, WEAK, rate_confidence
from toolweft.search.documents import name_key, named_fields

__all__ = ("AskedWord", "Evidence", "Reasons", "find_named")

# A shorter beginning of a name fits too many.
_MIN_PREFIX_CHARACTERS = 3
_MAX_PREFIX_MATCHES = 100
# Of what a score is the sum of; less is noise.
_DIGITS = 4


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


@dataclass(frozen=True, slots=True, eq=False)
class AskedWord:
    """A word of a query, how rare it is, and who holds it; None where nobody does."""

    rarity: float
    postings: Postings | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evidence:
    """What a ranker knows of the slots it scored."""

    # Of the meanings of query and tool, by slot, and how far they are to be trusted, in [0, 1].
    cosines: Mapping[int, float]
    trust: float
    # What the score of a slot is the sum of, beside the bonus for a name.
    parts: Callable[[int], Mapping[str, float]]
    # The places of the asked words that a slot holds; None where that is not known.
    held: Callable[[int], Sequence[int] | None]


class Reasons:
    """Why the tools of one answer were found, and how sure that is.

    Args:
        asked: the words of the query.
        named: slots whose name is the query (2) or begins with it (1).
        bonus: what each of these steps adds to a score.
        evidence: of the ranker; None where words alone were added up.
    """

    def __init__(
        self,
        asked: Sequence[AskedWord],
        *,
        named: Mapping[int, int],
        bonus: float,
        evidence: Evidence | None = None,
    ) -> None:
        self._asked, self._named, self._bonus = asked, named, bonus
        self._evidence = evidence
        self._rarity = sum(word.rarity for word in asked)

    def hit(self, name: QualifiedName, slot: int, *, score: float) -> SearchHit:
        """The hit of one tool."""
        bits, held = 0, 0.0
        for word in self._likely_held(slot):
            row = None if word.postings is None else word.postings.row(slot)
            if word.postings is not None and row is not None:
                bits |= word.postings.fields[row]
                held += word.rarity
        steps = self._named.get(slot, 0)
        # Found by the beginning of its name, or by its meaning, a tool may hold none of the words.
        matched = tuple(named_fields(bits)) or ("name" if steps else "meaning",)
        confidence = rate_confidence(
            cosine=0.0 if self._evidence is None else self._evidence.cosines.get(slot, 0.0),
            coverage=held / self._rarity if self._rarity else 0.0,
            trust=0.0 if self._evidence is None else self._evidence.trust,
        )
        if steps:
            confidence = CERTAIN if steps > 1 else max(LIKELY, confidence)
        return SearchHit(
            qualified=name,
            score=score,
            matched=matched,
            confidence=round(confidence, 3),
            is_weak=confidence < WEAK,
            parts=self._parts_of(slot, score, steps * self._bonus),
        )

    def _likely_held(self, slot: int) -> Iterable[AskedWord]:
        """The words that a slot holds, or all where that is not known beforehand."""
        places = None if self._evidence is None else self._evidence.held(slot)
        return self._asked if places is None else map(self._asked.__getitem__, places)

    def _parts_of(self, slot: int, score: float, bonus: float) -> dict[str, float]:
        evidence = self._evidence
        parts = {"words": score - bonus} if evidence is None else evidence.parts(slot)
        rounded = {name: round(part, _DIGITS) for name, part in (*parts.items(), ("name", bonus))}
        return {name: part for name, part in rounded.items() if part}
