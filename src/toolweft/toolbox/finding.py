"""Searching and describing over one snapshot: from names and needs to answers. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from toolweft.core.errors import InvalidArguments, ToolweftError
from toolweft.core.events import AskedQuery, SearchDone
from toolweft.core.principals import Principal
from toolweft.core.search import SearchHit, SearchResult
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.programs.stubs import DETAILS, Detail, render_stub
from toolweft.toolbox.answers import (
    DescribeAnswer,
    DescribedSource,
    FoundTool,
    QueryAnswer,
    SearchAnswer,
    UnknownTool,
)
from toolweft.toolbox.surface import name_sources

__all__ = (
    "build_search_answer",
    "check_asked",
    "describe_tools",
    "search_done",
)

# The first hits are the likeliest to be called; the others are written more tersely, so that an
# answer of five stays near 500 tokens.
_RICH_HITS = 2
_TERSE_CHARACTERS = 520
# Sources named in a note; more would not help.
_MAX_NAMED = 12
# Of what a source says of itself, about 2,000 tokens.
_MAX_INSTRUCTIONS_CHARACTERS = 8_000
_SAY_IT = "say it in other words, or name the thing it acts on"


def check_asked(
    queries: Sequence[str], *, detail: Detail = "typed", limit: int | None = None
) -> None:
    """Refuse what cannot be answered.

    Raises:
        InvalidArguments: a query without any text, an unknown detail, or a limit below 1.
    """
    if not all(query.strip() for query in queries):
        raise InvalidArguments("a query is empty", hint="say in words what the tool should do")
    if detail not in DETAILS:
        raise InvalidArguments(
            f"there is no detail {detail!r}", hint=f"it is one of {', '.join(DETAILS)}"
        )
    if limit is not None and limit < 1:
        raise InvalidArguments(
            f"the limit is {limit!r}, and nothing fits into that", hint="leave it out"
        )


def build_search_answer(
    queries: Sequence[str],
    results: Sequence[SearchResult],
    *,
    snapshot: Snapshot,
    detail: Detail,
    explain: bool = False,
) -> SearchAnswer:
    """What each query found, as signatures.

    Args:
        queries: as asked.
        results: one for each.
        snapshot: that was searched.
        detail: how much of each signature.
        explain: whether each hit says why it was found.
    """
    answers = tuple(
        QueryAnswer(
            query=query,
            hits=tuple(
                _found(
                    snapshot.tools[hit.qualified],
                    detail,
                    hit=hit,
                    is_terse=detail == "typed" and rank >= _RICH_HITS,
                    explain=explain,
                )
                for rank, hit in enumerate(result.hits)
            ),
            is_weak=_is_weak(result),
            note=_note(query, result, snapshot) if _is_weak(result) else "",
            suggestions=tuple(result.suggestions) if _is_weak(result) else (),
            degraded=result.degraded,
            degraded_reason=result.degraded_reason,
        )
        for query, result in zip(queries, results, strict=True)
    )
    sources = ""
    if any(answer.is_weak for answer in answers):
        sources = name_sources(snapshot, _MAX_NAMED)
    return SearchAnswer(queries=answers, snapshot_version=snapshot.version, sources=sources)


def describe_tools(names: Sequence[str], snapshot: Snapshot) -> DescribeAnswer:
    """Everything known of the named tools and sources, and which names are none."""
    tools: list[FoundTool] = []
    sources: list[DescribedSource] = []
    unknown: list[UnknownTool] = []
    for name in names:
        try:
            tools.append(_found(snapshot.resolve(name), "full"))
        except ToolweftError as exc:
            source = _describe_source(name, snapshot)
            if source is None:
                unknown.append(UnknownTool(name=name, message=exc.message, hint=exc.hint))
            else:
                sources.append(source)
    return DescribeAnswer(tools=tuple(tools), unknown=tuple(unknown), sources=tuple(sources))


def _describe_source(name: str, snapshot: Snapshot) -> DescribedSource | None:
    """A source in its own words, unless those try to instruct whoever reads them."""
    for status in snapshot.sources.values():
        if name not in {status.name, status.python_name}:
            continue
        described = DescribedSource(name=status.name, tool_count=status.tool_count)
        if status.flags:
            return replace(described, withheld="it is suspicious; `toolweft pin list` says why")
        instructions = status.instructions[:_MAX_INSTRUCTIONS_CHARACTERS]
        return replace(described, instructions=instructions)
    return None


def _found(
    tool: CatalogTool,
    detail: Detail,
    *,
    hit: SearchHit | None = None,
    is_terse: bool = False,
    explain: bool = False,
) -> FoundTool:
    cap = _TERSE_CHARACTERS if is_terse else None
    return FoundTool(
        qualified=tool.qualified,
        stub=render_stub(tool, detail=detail, max_characters=cap),
        severity=tool.severity,
        status=tool.status,
        score=None if hit is None else hit.score,
        hit=hit if explain else None,
    )


def _is_weak(result: SearchResult) -> bool:
    return result.is_weak or not result.hits


def _note(query: str, result: SearchResult, snapshot: Snapshot) -> str:
    others = ", ".join(result.suggestions)
    if result.hits:
        return "none of these fits well; " + (f"other words: {others}" if others else _SAY_IT)
    if not others or any(source.state == "starting" for source in snapshot.sources.values()):
        return _nothing_fits(query, snapshot)
    return f"no tool fits {query[:200]!r}; other words: {others}"


def _nothing_fits(query: str, snapshot: Snapshot) -> str:
    sources = snapshot.sources.values()
    starting = sorted(source.python_name for source in sources if source.state == "starting")
    if starting:
        listed = ", ".join(starting[:_MAX_NAMED])
        return f"no tool fits {query[:200]!r} yet; still starting: {listed}"
    return f"no tool fits {query[:200]!r}; {_SAY_IT}"


def search_done(
    answer: SearchAnswer, *, principal: Principal, at: datetime, duration_ms: float
) -> SearchDone:
    """What the ledger gets to know of an answered search."""
    return SearchDone(
        at=at,
        principal=principal,
        run_id=None,
        queries=len(answer.queries),
        hits=sum(len(query.hits) for query in answer.queries),
        duration_ms=duration_ms,
        asked=tuple(
            AskedQuery.of(query.query, (hit.qualified for hit in query.hits))
            for query in answer.queries
        ),
    )
