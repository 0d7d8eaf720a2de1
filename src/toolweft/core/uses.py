"""From events to uses: a call that succeeded soon after a search that had found its tool.

A fold: the same events in the same order give the same uses, live or read back from a ledger. It
takes time from the events alone, and never sees an argument or a result.
"""

from collections import OrderedDict, deque
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeAlias, TypeVar

from toolweft.core.calls import Principal
from toolweft.core.events import CallFinished, CallStarted, Event, SearchDone
from toolweft.core.ids import CallId, QualifiedName

__all__ = ("Use", "UsePairing", "keep_newest")

# A call later than this has other reasons than the search.
_MAX_WAIT: Final = timedelta(minutes=10)
# Searches of one principal that wait for calls, and queries in each.
_MAX_SEARCHES: Final = 10
_MAX_QUERIES: Final = 10
_MAX_PRINCIPALS: Final = 1_000
# Calls under way; more than any gateway has.
_MAX_CALLS: Final = 10_000

# Tenant, user and key: what one key searched for says nothing of another's calls.
_Who: TypeAlias = tuple[str, str, str | None]
_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A tool that met a need: found by a search, then called, and the call succeeded."""

    principal: Principal
    # The query's text, as its event holds it.
    query: str
    tool: QualifiedName
    # When the call ended.
    at: datetime


@dataclass(frozen=True, slots=True)
class _Search:
    """A search that calls may follow: its queries, each with the rank of every tool it found."""

    at: datetime
    queries: tuple[tuple[str, Mapping[QualifiedName, int]], ...]

    def query_for(self, tool: QualifiedName) -> str | None:
        """The query that ranked a tool best; None where none found it."""
        ranked = [(ranks[tool], query) for query, ranks in self.queries if tool in ranks]
        return min(ranked, key=lambda found: found[0])[1] if ranked else None


class UsePairing:
    """Pairs calls with the searches that led to them; bounded."""

    def __init__(self) -> None:
        self._searches: OrderedDict[_Who, deque[_Search]] = OrderedDict()
        # Under way: the query that led to it, and the tool.
        self._calls: OrderedDict[CallId, tuple[str, QualifiedName]] = OrderedDict()

    def observe(self, event: Event) -> Use | None:
        """The use that an event completes; events come in the order in which they happened."""
        match event:
            case SearchDone():
                self._note_search(event)
            case CallStarted():
                self._note_start(event)
            case CallFinished():
                query, tool = self._calls.pop(event.call_id, ("", None))
                if tool is not None and event.status == "ok":
                    return Use(principal=event.principal, query=query, tool=tool, at=event.at)
            case _:
                pass
        return None

    def _note_search(self, event: SearchDone) -> None:
        queries = tuple(
            (asked.text, {name: rank for rank, name in enumerate(asked.found)})
            for asked in event.asked[:_MAX_QUERIES]
            if asked.found
        )
        if not queries:
            return
        who = _who(event.principal)
        searches = self._searches.get(who)
        if searches is None:
            searches = deque(maxlen=_MAX_SEARCHES)
        searches.append(_Search(event.at, queries))
        keep_newest(self._searches, who, searches, most=_MAX_PRINCIPALS)

    def _note_start(self, event: CallStarted) -> None:
        # Now and not at the end: a search made while the call runs did not lead to it.
        tool = QualifiedName(event.tool)
        for search in reversed(self._searches.get(_who(event.principal), ())):
            if event.at - search.at > _MAX_WAIT:
                return
            query = search.query_for(tool)
            if query is not None:
                keep_newest(self._calls, event.call_id, (query, tool), most=_MAX_CALLS)
                return


def keep_newest(kept: OrderedDict[_Key, _Value], key: _Key, value: _Value, *, most: int) -> None:
    """Keep a value as the newest; of more than `most`, the oldest goes."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)


def _who(principal: Principal) -> _Who:
    return (principal.tenant, principal.user, principal.key)
