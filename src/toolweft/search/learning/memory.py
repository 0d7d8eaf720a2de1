"""How often which tool was used for which words, tenant by tenant; bounded, and fading.

Pure but for its own state. It holds the words of queries, not their text, and nobody's name.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import exp, sqrt
from types import MappingProxyType
from typing import Final, TypeAlias

from toolweft.core.ids import QualifiedName

__all__ = ("Lift", "UseMemory", "Words")

# The distinct words of a query, as the index counts them.
Words: TypeAlias = frozenset[str]

_MAX_TENANTS: Final = 200
# (words, tool) of one tenant; those used last stay.
_MAX_PAIRS: Final = 2_000

# A use counts half as much after this; what a team does changes in months, not in days.
_HALF_LIFE_S: Final = 30 * 86_400.0
# Queries less alike than this are about other things: two that share one word of two each are at
# 0.5. Above it, likeness counts from 0 to 1.
_MIN_LIKENESS: Final = 0.6
# So many uses bring 63 % of the most there is.
_USES_TO_CONVINCE: Final = 3.0

_NOTHING: Final[Mapping[QualifiedName, "Lift"]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Lift:
    """What earlier uses say for one tool."""

    # Of the most that use may raise; in (0, 1).
    share: float
    # Uses for the same or like queries, whenever they were.
    uses: int


@dataclass(slots=True)
class _Uses:
    """The uses of one tool for one set of words."""

    count: int = 0
    # Faded to the time of the latest.
    weight: float = 0.0
    latest_s: float = 0.0

    def add(self, at_s: float) -> None:
        latest_s = max(at_s, self.latest_s) if self.count else at_s
        # A clock that was set back makes a use older than those before it.
        self.weight = self.weight_at(latest_s) + _fade(latest_s - at_s)
        self.latest_s = latest_s
        self.count += 1

    def weight_at(self, at_s: float) -> float:
        return self.weight * _fade(max(0.0, at_s - self.latest_s))


class UseMemory:
    """Uses of tools, by tenant."""

    def __init__(self, *, max_tenants: int = _MAX_TENANTS, max_pairs: int = _MAX_PAIRS) -> None:
        self._tenants: OrderedDict[str, _TenantMemory] = OrderedDict()
        self._max_tenants, self._max_pairs = max_tenants, max_pairs

    def add(self, tenant: str, words: Words, tool: QualifiedName, *, at: datetime) -> None:
        """Count one use; of too many tenants or pairs, those used longest ago are forgotten."""
        known = self._tenants.get(tenant)
        if known is None:
            known = self._tenants[tenant] = _TenantMemory(self._max_pairs)
            if len(self._tenants) > self._max_tenants:
                self._tenants.popitem(last=False)
        self._tenants.move_to_end(tenant)
        known.add(words, tool, at.timestamp())

    def lifts(self, tenant: str, words: Words, *, at: datetime) -> Mapping[QualifiedName, Lift]:
        """The tools that a tenant used for like queries.

        Args:
            tenant: whose uses count; never anybody else's.
            words: of the query now asked.
            at: the present, for how far uses have faded.
        """
        known = self._tenants.get(tenant)
        return _NOTHING if known is None or not words else known.lifts(words, at.timestamp())


class _TenantMemory:
    """One tenant's uses, found by word."""

    def __init__(self, max_pairs: int) -> None:
        self._max_pairs = max_pairs
        # Used longest ago first.
        self._pairs: OrderedDict[tuple[Words, QualifiedName], _Uses] = OrderedDict()
        # Dicts as sets, so that sums of floats are always made in the same order.
        self._tools: dict[Words, dict[QualifiedName, _Uses]] = {}
        self._by_word: dict[str, dict[Words, None]] = {}

    def add(self, words: Words, tool: QualifiedName, at_s: float) -> None:
        pair = (words, tool)
        uses = self._pairs.get(pair)
        if uses is None:
            uses = self._pairs[pair] = _Uses()
            self._tools.setdefault(words, {})[tool] = uses
            for word in words:
                self._by_word.setdefault(word, {})[words] = None
            if len(self._pairs) > self._max_pairs:
                self._forget(*self._pairs.popitem(last=False)[0])
        self._pairs.move_to_end(pair)
        uses.add(at_s)

    def lifts(self, words: Words, at_s: float) -> dict[QualifiedName, Lift]:
        weights: dict[QualifiedName, float] = {}
        counts: dict[QualifiedName, int] = {}
        for known, likeness in self._like(words):
            for tool, uses in self._tools[known].items():
                weights[tool] = weights.get(tool, 0.0) + likeness * uses.weight_at(at_s)
                counts[tool] = counts.get(tool, 0) + uses.count
        return {
            tool: Lift(share=1 - exp(-weight / _USES_TO_CONVINCE), uses=counts[tool])
            for tool, weight in weights.items()
        }

    def _like(self, words: Words) -> Iterator[tuple[Words, float]]:
        """Known words that are like these, and how much, in (0, 1]."""
        least = _MIN_LIKENESS * _MIN_LIKENESS * len(words)
        # Like ones share more words than `least`, so whoever holds only the commonest is not.
        rarest_first = sorted(words, key=lambda word: (len(self._by_word.get(word, ())), word))
        near: dict[Words, None] = {}
        for word in rarest_first[: len(words) - int(least)]:
            near.update(self._by_word.get(word, {}))
        most = len(words) / (_MIN_LIKENESS * _MIN_LIKENESS)
        for known in near:
            if not least < len(known) < most:
                continue
            likeness = len(known & words) / sqrt(len(known) * len(words))
            if likeness > _MIN_LIKENESS:
                yield known, min(1.0, (likeness - _MIN_LIKENESS) / (1 - _MIN_LIKENESS))

    def _forget(self, words: Words, tool: QualifiedName) -> None:
        tools = self._tools[words]
        del tools[tool]
        if tools:
            return
        del self._tools[words]
        for word in words:
            with_word = self._by_word[word]
            del with_word[words]
            if not with_word:
                del self._by_word[word]


def _fade(age_s: float) -> float:
    faded: float = 0.5 ** (age_s / _HALF_LIFE_S)
    return faded
