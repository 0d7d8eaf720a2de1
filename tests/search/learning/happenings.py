"""Events of searches and calls, in a line each."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import count

from toolweft.core.calls import DIRECT, Principal
from toolweft.core.events import AskedQuery, CallFinished, CallStarted, Event, SearchDone
from toolweft.core.ids import CallId, QualifiedName

START = datetime(2026, 5, 4, 8, tzinfo=UTC)
ANN = Principal("acme", "ann", "key_1")
BEN = Principal("acme", "ben")
EVE = Principal("other", "eve")

_numbers = count(1)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def searched(
    *queries: tuple[str, Iterable[str]], who: Principal = ANN, when: float = 0
) -> SearchDone:
    """A search; each query with what it found."""
    asked = tuple(AskedQuery.of(text, map(QualifiedName, found)) for text, found in queries)
    return SearchDone(
        at=at(when),
        principal=who,
        run_id=None,
        queries=len(asked),
        hits=sum(len(one.found) for one in asked),
        duration_ms=0.5,
        asked=asked,
    )


def started(
    tool: str, *, call_id: str = "call", who: Principal = ANN, when: float = 1
) -> CallStarted:
    return CallStarted(
        call_id=CallId(call_id),
        at=at(when),
        principal=who,
        caller=DIRECT,
        tool=tool,
        severity="read_only",
        bytes_in=2,
    )


def finished(
    *, call_id: str = "call", status: str = "ok", who: Principal = ANN, when: float = 2
) -> CallFinished:
    return CallFinished(
        call_id=CallId(call_id),
        at=at(when),
        principal=who,
        status=status,
        duration_ms=1.5,
        bytes_out=8,
        tokens_out=2,
        tokens_withheld=0,
    )


def used(
    query: str, tool: str, *, who: Principal = ANN, when: float = 0, status: str = "ok"
) -> list[Event]:
    """A search that found a tool, and a call of it that ended."""
    call_id = f"call_{next(_numbers)}"
    return [
        searched((query, [tool]), who=who, when=when),
        started(tool, call_id=call_id, who=who, when=when + 1),
        finished(call_id=call_id, status=status, who=who, when=when + 2),
    ]
