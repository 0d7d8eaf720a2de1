"""How good one answer is, and what many come to. Pure."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from math import log2
from statistics import fmean

from toolweft.core.json import JsonObject

__all__ = ("DEPTH", "Judgement", "Means", "judge", "mean_of")

# No answer is looked at further down: models are shown five hits, and rarely ask for more than ten.
DEPTH = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """How good one answer is; every number between 0 and 1.

    A right tool is right or not; none is better than another.
    """

    recall_1: float
    recall_5: float
    recall_10: float
    ndcg_10: float
    # 1 where every right tool stands in the first ten; None where only one is right.
    all_10: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What the answers to some queries come to, in percent."""

    queries: int
    recall_1: float
    recall_5: float
    recall_10: float
    ndcg_10: float
    # Over the queries with several right tools; None where there is none.
    all_10: float | None

    def to_dict(self) -> JsonObject:
        """As plain JSON."""
        return {
            "queries": self.queries,
            "recall_1": self.recall_1,
            "recall_5": self.recall_5,
            "recall_10": self.recall_10,
            "ndcg_10": self.ndcg_10,
            "all_10": self.all_10,
        }


def judge(found: Sequence[str], right: Collection[str]) -> Judgement:
    """The judgement of one answer.

    Args:
        found: distinct names, best first; what stands behind the tenth does not count.
        right: the names that should have been found, at least one.

    Source: Järvelin & Kekäläinen 2002 (nDCG), with gains of 0 and 1.
    """
    wanted = set(right)
    hits = [name in wanted for name in found[:DEPTH]]
    gained = sum(1 / log2(rank + 2) for rank, hit in enumerate(hits) if hit)
    ideal = sum(1 / log2(rank + 2) for rank in range(min(DEPTH, len(wanted))))
    return Judgement(
        recall_1=sum(hits[:1]) / len(wanted),
        recall_5=sum(hits[:5]) / len(wanted),
        recall_10=sum(hits) / len(wanted),
        ndcg_10=gained / ideal,
        all_10=float(sum(hits) == len(wanted)) if len(wanted) > 1 else None,
    )


def mean_of(judgements: Iterable[Judgement]) -> Means:
    """The means of some judgements, all 0 where there are none."""
    rows = list(judgements)
    every = [row.all_10 for row in rows if row.all_10 is not None]
    return Means(
        queries=len(rows),
        recall_1=_percent(row.recall_1 for row in rows),
        recall_5=_percent(row.recall_5 for row in rows),
        recall_10=_percent(row.recall_10 for row in rows),
        ndcg_10=_percent(row.ndcg_10 for row in rows),
        all_10=_percent(every) if every else None,
    )


def _percent(values: Iterable[float]) -> float:
    listed = list(values)
    return round(100 * fmean(listed), 2) if listed else 0.0
