"""From events to what they teach: each use counts for the words of its query, within limits.

A fold: the same events in the same order teach the same, live or read back from the ledger.
"""

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime
from typing import Final, TypeAlias

from toolweft.core.events import Event
from toolweft.core.ids import QualifiedName
from toolweft.core.uses import Use, UsePairing, keep_newest
from toolweft.search.learning.memory import Lift, UseMemory, Words
from toolweft.search.words import query_words

__all__ = ("UseLearner",)

# What one principal can teach in a day about one tool and one query: nobody shouts others down.
_MAX_USES_A_DAY: Final = 3
_MAX_COUNTED: Final = 20_000
# More words are a text, and every one of them costs.
_MAX_WORDS: Final = 32

# Tenant, user, query and tool; a second key of a user does not count anew.
_Lesson: TypeAlias = tuple[str, str, Words, QualifiedName]


class UseLearner:
    """Learns from events, in the order in which they happened."""

    def __init__(self) -> None:
        self._pairing = UsePairing()
        self._memory = UseMemory()
        # The day, and the uses that counted on it.
        self._counted: OrderedDict[_Lesson, tuple[int, int]] = OrderedDict()
        self._now: datetime | None = None

    def observe(self, event: Event) -> None:
        """Learn from one event, if there is anything in it."""
        self._now = event.at
        use = self._pairing.observe(event)
        if use is not None:
            self._learn(use)

    def lifts(self, query: str, *, tenant: str) -> Mapping[QualifiedName, Lift]:
        """The tools that a tenant used for queries like this one; now is the last event's time."""
        if self._now is None:
            return {}
        return self._memory.lifts(tenant, _words(query), at=self._now)

    def _learn(self, use: Use) -> None:
        words = _words(use.query)
        if not words:
            return
        who = use.principal
        lesson = (who.tenant, who.user, words, use.tool)
        today = use.at.toordinal()
        day, count = self._counted.get(lesson, (today, 0))
        count = count + 1 if day == today else 1
        if count <= _MAX_USES_A_DAY:
            keep_newest(self._counted, lesson, (today, count), most=_MAX_COUNTED)
            self._memory.add(who.tenant, words, use.tool, at=use.at)


def _words(text: str) -> Words:
    return frozenset(query_words(text)[:_MAX_WORDS])
