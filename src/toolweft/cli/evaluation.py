"""What `toolweft search --eval` prints: means by kind of query, the worst tools, look-alikes.

Pure: from an evaluation to rows and text.
"""

from collections.abc import Sequence

from toolweft.cli.output import Column
from toolweft.search.evaluation import Evaluation, Means, ToolFinding

__all__ = ("MEANS", "render_findings", "render_means")

MEANS = (
    Column(title="queries"),
    Column(title="asked", right=True),
    Column(title="R@1", right=True),
    Column(title="R@5", right=True),
    Column(title="R@10", right=True),
    Column(title="nDCG@10", right=True),
    Column(title="all@10", right=True),
)
# What fits a screen; --json has everything.
_MAX_FINDINGS = 15
_MAX_PAIRS = 10
_MAX_MISSED = 3
_MAX_QUERY_CHARACTERS = 100


def render_means(found: Evaluation) -> list[list[str]]:
    """The rows of the table: one for each kind of query, and one for all."""
    rows = [_row(kind, means) for kind, means in found.means.items()]
    return [*rows, _row("all", found.overall)] if len(rows) > 1 else rows


def render_findings(found: Evaluation) -> str:
    """The tools to look at first, and those that look alike; "" where there is neither."""
    missed = [finding for finding in found.findings if finding.missed or finding.is_undiscoverable]
    advised = [finding for finding in found.findings if finding.advice and finding not in missed]
    pairs = [pair for pair in found.duplicates if not pair.is_told_by_name]
    parts = [
        *_part(
            "not found by every query that asks for it",
            [_finding(finding) for finding in missed],
            most=_MAX_FINDINGS,
        ),
        *_part(
            "could say more",
            [_finding(finding) for finding in advised],
            most=_MAX_FINDINGS,
        ),
        *_part(
            "nearly alike",
            [f"  {pair.first} ~ {pair.second}  words {_share(pair.words)}" for pair in pairs],
            most=_MAX_PAIRS,
        ),
    ]
    if len(pairs) < len(found.duplicates):
        count = len(found.duplicates) - len(pairs)
        parts.append(f"{_count(count, 'more pair')} only the names tell apart")
    return "\n".join(parts)


def _row(title: str, means: Means) -> list[str]:
    numbers = (means.recall_1, means.recall_5, means.recall_10, means.ndcg_10)
    every = "" if means.all_10 is None else f"{means.all_10:.1f}"
    return [title, str(means.queries), *(f"{number:.1f}" for number in numbers), every]


def _part(title: str, entries: Sequence[str], *, most: int) -> list[str]:
    if not entries:
        return []
    more = [f"  ... {len(entries) - most} more; --json has all"] if len(entries) > most else []
    return [f"{title} ({len(entries)}):", *entries[:most], *more]


def _finding(finding: ToolFinding) -> str:
    figure = "not asked for" if finding.ndcg_10 is None else f"nDCG@10 {finding.ndcg_10:.1f}"
    none = ", not found at all" if finding.is_undiscoverable and finding.queries else ""
    lines = [f"  {finding.tool}  {figure}{none}"]
    lines += [f"    missed: {_cut(query.text)!r}" for query in finding.missed[:_MAX_MISSED]]
    lines += [f"    - {advice.text}" for advice in finding.advice]
    return "\n".join(lines)


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_QUERY_CHARACTERS else f"{text[:_MAX_QUERY_CHARACTERS]}..."


def _share(value: float) -> str:
    return f"{100 * value:.0f}%"


def _count(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"
