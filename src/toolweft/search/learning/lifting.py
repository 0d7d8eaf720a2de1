"""What learned uses change in an answer: the order within each severity, and no more. Pure."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final, Protocol

from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchHit, SearchResult
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import Severity
from toolweft.search.learning.memory import Lift

__all__ = ("FURTHER_HITS", "Uses", "apply_lifts")

# Hits beyond those asked for, from among which uses may raise one into the answer.
FURTHER_HITS: Final = 20
# Of the best score: enough to settle what is close, too little to overturn what is clear.
_MOST: Final = 0.25
# Scores have so many digits.
_DIGITS: Final = 5
# What was not found at all comes last, the harmless first.
_BY_HARM: Final[Mapping[Severity, int]] = {"read_only": 0, "write": 1, "destructive": 2}


class Uses(Protocol):
    """What was learned from use."""

    def lifts(self, query: str, *, tenant: str) -> Mapping[QualifiedName, Lift]:
        """The tools that a tenant used for queries like this one."""
        ...


def apply_lifts(
    result: SearchResult,
    lifts: Mapping[QualifiedName, Lift],
    *,
    snapshot: Snapshot,
    visible: Collection[QualifiedName] | None,
    limit: int,
) -> SearchResult:
    """The answer with its tools raised; each place keeps the severity it had.

    Args:
        result: of a search with `FURTHER_HITS` more than `limit`.
        lifts: what earlier uses say.
        snapshot: that was searched.
        visible: only these may be added; None for all.
        limit: hits at most.
    """
    most = _MOST * _best_score(result.hits)
    hits = [_raise(hit, lifts.get(hit.qualified), most=most) for hit in result.hits]
    known = {hit.qualified for hit in hits}
    hits += _missed(lifts, known, snapshot=snapshot, visible=visible, most=most)
    # Stable: what nothing raised stays in its order.
    hits.sort(key=lambda hit: -hit.score)
    by_severity: dict[Severity, list[SearchHit]] = {"read_only": [], "write": [], "destructive": []}
    for hit in reversed(hits):
        by_severity[snapshot.tools[hit.qualified].severity].append(hit)
    ordered = [by_severity[snapshot.tools[hit.qualified].severity].pop() for hit in result.hits]
    for severity in sorted(by_severity, key=_BY_HARM.__getitem__):
        ordered += reversed(by_severity[severity])
    return replace(result, hits=tuple(ordered[:limit]))


def _best_score(hits: Sequence[SearchHit]) -> float:
    """The best score by words and meanings: a name that fits outweighs every other hundredfold."""
    best = max((hit.score - hit.parts.get("name", 0.0) for hit in hits), default=0.0)
    return best if best > 0 else max((hit.score for hit in hits), default=1.0)


def _raise(hit: SearchHit, lift: Lift | None, *, most: float) -> SearchHit:
    raised = 0.0 if lift is None else round(most * lift.share, _DIGITS)
    if lift is None or not raised:
        return hit
    return replace(
        hit,
        score=round(hit.score + raised, _DIGITS),
        parts={**hit.parts, "use": raised},
        uses=lift.uses,
    )


def _missed(
    lifts: Mapping[QualifiedName, Lift],
    known: Collection[QualifiedName],
    *,
    snapshot: Snapshot,
    visible: Collection[QualifiedName] | None,
    most: float,
) -> Iterator[SearchHit]:
    """Used tools that the search did not find, in name order; nothing but use speaks for them."""
    for name in sorted(lifts.keys() - known):
        tool = snapshot.tools.get(name)
        if tool is None or tool.is_withheld:
            continue
        raised = round(most * lifts[name].share, _DIGITS)
        if raised and (visible is None or name in visible):
            yield SearchHit(
                qualified=name,
                score=raised,
                matched=("use",),
                confidence=0.0,
                is_weak=True,
                parts={"use": raised},
                uses=lifts[name].uses,
            )
