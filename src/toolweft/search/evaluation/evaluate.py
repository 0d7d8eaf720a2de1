"""Asks an index every query, and says what it found, missed, and what to change. Pure.

Called by the command line. It asks the index itself, so nothing is recorded and nothing learned.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from toolweft.core.ids import QualifiedName
from toolweft.core.json import JsonObject
from toolweft.core.search import SearchIndex
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.search.evaluation.advice import (
    Advice,
    Miss,
    advise_on_crowding,
    advise_on_duplicate,
    advise_on_misses,
    advise_on_text,
)
from toolweft.search.evaluation.duplicates import NearDuplicate, find_duplicates
from toolweft.search.evaluation.metrics import DEPTH, Judgement, Means, judge, mean_of
from toolweft.search.evaluation.queries import KINDS, Kind, Query, derive_queries

__all__ = ("Answered", "Evaluation", "ToolFinding", "evaluate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One query with what was found."""

    query: Query
    found: tuple[QualifiedName, ...]
    judgement: Judgement

    def rank(self, tool: QualifiedName) -> int | None:
        """The place of a tool, from 1; None where it is not among the first ten."""
        return self.found.index(tool) + 1 if tool in self.found else None

    def to_dict(self) -> JsonObject:
        """As plain JSON: the places of the right tools, and what stood first."""
        return {
            "query": self.query.text,
            "kind": self.query.kind,
            "ranks": {tool: self.rank(tool) for tool in self.query.tools},
            "first": self.found[0] if self.found else None,
            "ndcg_10": round(100 * self.judgement.ndcg_10, 2),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinding:
    """How well one tool is found, and what to change."""

    tool: QualifiedName
    # Over the queries that ask for it, in percent; None where none does.
    ndcg_10: float | None
    queries: int
    # Queries that ask for it and do not have it among the first ten.
    missed: tuple[Query, ...]
    advice: tuple[Advice, ...]
    # No query that asks for it finds it, or its text has nothing to ask by.
    is_undiscoverable: bool

    def to_dict(self) -> JsonObject:
        """As plain JSON."""
        return {
            "tool": self.tool,
            "ndcg_10": self.ndcg_10,
            "queries": self.queries,
            "is_undiscoverable": self.is_undiscoverable,
            "missed": [{"query": query.text, "kind": query.kind} for query in self.missed],
            "advice": [advice.to_dict() for advice in self.advice],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """How well the tools of a catalog are found."""

    # In the catalog, and those that were judged.
    tools: int
    judged_tools: int
    overall: Means
    # By kind of query, those that were asked.
    means: Mapping[Kind, Means]
    # Every judged tool that is missed or could say more, the worst found first.
    findings: Sequence[ToolFinding]
    duplicates: Sequence[NearDuplicate]
    answers: Sequence[Answered]

    def to_dict(self) -> JsonObject:
        """As plain JSON; nothing is left out."""
        return {
            "tools": self.tools,
            "judged_tools": self.judged_tools,
            "overall": self.overall.to_dict(),
            "kinds": {kind: means.to_dict() for kind, means in self.means.items()},
            "findings": [finding.to_dict() for finding in self.findings],
            "duplicates": [pair.to_dict() for pair in self.duplicates],
            "answers": [answered.to_dict() for answered in self.answers],
        }


def evaluate(
    queries: Iterable[Query],
    *,
    index: SearchIndex,
    snapshot: Snapshot,
    judged: Collection[QualifiedName],
    visible: Collection[QualifiedName] | None = None,
) -> Evaluation:
    """Ask every query and judge the answers.

    Args:
        queries: each names tools of the snapshot.
        index: over the snapshot.
        snapshot: all tools, also those that are not judged: they compete.
        judged: tools whose own texts are looked at, beside those that queries name.
        visible: only these can be found; None for all.
    """
    answers = [_ask(query, index=index, visible=visible) for query in queries]
    by_kind: dict[Kind, list[Judgement]] = defaultdict(list)
    for answered in answers:
        by_kind[answered.query.kind].append(answered.judgement)
    names = dict.fromkeys((*judged, *(tool for row in answers for tool in row.query.tools)))
    duplicates = [
        pair
        for pair in find_duplicates([t for t in snapshot.tools.values() if not t.is_withheld])
        if pair.first in names or pair.second in names
    ]
    findings = _find(names, answers, duplicates=duplicates, snapshot=snapshot, visible=visible)
    return Evaluation(
        tools=len(snapshot.tools),
        judged_tools=len(names),
        overall=mean_of(answered.judgement for answered in answers),
        means={kind: mean_of(by_kind[kind]) for kind in KINDS if kind in by_kind},
        findings=findings,
        duplicates=duplicates,
        answers=answers,
    )


def _ask(
    query: Query, *, index: SearchIndex, visible: Collection[QualifiedName] | None
) -> Answered:
    hits = index.search(query.text, limit=DEPTH, visible=visible)
    found = tuple(hit.qualified for hit in hits)
    return Answered(query=query, found=found, judgement=judge(found, query.tools))


def _find(
    names: Iterable[QualifiedName],
    answers: Sequence[Answered],
    *,
    duplicates: Sequence[NearDuplicate],
    snapshot: Snapshot,
    visible: Collection[QualifiedName] | None,
) -> list[ToolFinding]:
    """The tools with something to say about, the worst found first."""
    asked: dict[QualifiedName, list[Answered]] = defaultdict(list)
    for answered in answers:
        for wanted in answered.query.tools:
            asked[wanted].append(answered)
    from_likes = _advice_from(duplicates)
    found = []
    for name in names:
        missed = [row for row in asked[name] if name not in row.found]
        given = [_miss(row, snapshot) for row in missed if row.query.kind == "given"]
        own = [_miss(row, snapshot) for row in missed if row.query.kind != "given"]
        tool = snapshot.tools[name]
        advice = (
            *advise_on_text(tool, is_visible=visible is None or name in visible),
            *from_likes[name],
            *advise_on_crowding(own),
            *advise_on_misses(tool, given),
        )
        finding = _finding(tool, asked[name], missed=missed, advice=advice)
        if advice or missed or finding.is_undiscoverable:
            found.append(finding)
    found.sort(key=lambda f: (not f.is_undiscoverable, _worst_first(f), f.tool))
    return found


def _worst_first(finding: ToolFinding) -> float:
    return 0.0 if finding.ndcg_10 is None else finding.ndcg_10


def _finding(
    tool: CatalogTool,
    asked: Sequence[Answered],
    *,
    missed: Sequence[Answered],
    advice: tuple[Advice, ...],
) -> ToolFinding:
    means = [row.judgement.ndcg_10 for row in asked]
    return ToolFinding(
        tool=tool.qualified,
        ndcg_10=round(100 * fmean(means), 2) if means else None,
        queries=len(asked),
        missed=tuple(row.query for row in missed),
        advice=advice,
        is_undiscoverable=(len(missed) == len(asked) if asked else not any(derive_queries([tool]))),
    )


def _advice_from(duplicates: Iterable[NearDuplicate]) -> Mapping[QualifiedName, list[Advice]]:
    """One advice for each tool of a pair, about the likest other; names that differ are enough."""
    advice: dict[QualifiedName, list[Advice]] = defaultdict(list)
    seen: Counter[QualifiedName] = Counter()
    for pair in duplicates:
        if pair.is_told_by_name:
            continue
        for name, is_first in ((pair.first, True), (pair.second, False)):
            if not seen[name]:
                advice[name].append(advise_on_duplicate(pair, is_first=is_first))
            seen[name] += 1
    return advice


def _miss(row: Answered, snapshot: Snapshot) -> Miss:
    return Miss(query=row.query.text, before=[snapshot.tools[name] for name in row.found])
