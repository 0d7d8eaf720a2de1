"""Searching and describing over one snapshot: from names and needs to answers. Pure."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from toolweft.core.errors import InvalidArguments, ToolweftError
from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchResult
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.programs.stubs import Detail, render_stub
from toolweft.toolbox.answers import (
    DescribeAnswer,
    FoundTool,
    QueryAnswer,
    SearchAnswer,
    UnknownTool,
)

__all__ = (
    "build_search_answer",
    "callable_tools",
    "describe_tools",
    "find_namespace",
    "in_namespace",
)

# The first hits are the likeliest to be called; the others are written more tersely, so that an
# answer of five stays near 500 tokens.
_RICH_HITS = 2
_TERSE_CHARACTERS = 520
# Sources named in a note; more would not help.
_MAX_NAMED_SOURCES = 12


def callable_tools(snapshot: Snapshot) -> frozenset[QualifiedName] | None:
    """The tools that somebody may call; None for all of them."""
    names = frozenset(
        name for name, tool in snapshot.tools.items() if tool.callers and tool.status != "disabled"
    )
    return None if len(names) == len(snapshot.tools) else names


def in_namespace(names: Collection[QualifiedName], namespace: str) -> frozenset[QualifiedName]:
    """Those of the names that stand in one namespace."""
    return frozenset(name for name in names if name.startswith(f"{namespace}."))


def find_namespace(snapshot: Snapshot, name: str) -> str:
    """The Python spelling of a source's name, from either spelling.

    Raises:
        InvalidArguments: no source of that name; the hint offers near ones.
    """
    known = {source.python_name: source.python_name for source in snapshot.sources.values()}
    known |= {original: source.python_name for original, source in snapshot.sources.items()}
    if name in known:
        return known[name]
    near = dict.fromkeys(known[match] for match in get_close_matches(name, known, 3))
    raise InvalidArguments(
        f"there is no source named {name[:200]!r}",
        hint=f"did you mean {', '.join(near)}?" if near else "leave namespace out",
    )


def build_search_answer(
    queries: Sequence[str],
    results: Sequence[SearchResult],
    *,
    snapshot: Snapshot,
    detail: Detail,
) -> SearchAnswer:
    """What each query found, as signatures.

    Args:
        queries: as asked.
        results: one for each.
        snapshot: that was searched.
        detail: how much of each signature.
    """
    answers = []
    for query, result in zip(queries, results, strict=True):
        hits = tuple(
            _found(
                snapshot.tools[hit.qualified],
                detail,
                score=hit.score,
                is_terse=detail == "typed" and rank >= _RICH_HITS,
            )
            for rank, hit in enumerate(result.hits)
        )
        note = "" if hits else _nothing_fits(query, snapshot)
        answers.append(QueryAnswer(query=query, hits=hits, note=note))
    return SearchAnswer(queries=tuple(answers), snapshot_version=snapshot.version)


def describe_tools(names: Sequence[str], snapshot: Snapshot) -> DescribeAnswer:
    """Everything known of the named tools, and which names are none."""
    tools: list[FoundTool] = []
    unknown: list[UnknownTool] = []
    for name in names:
        try:
            tools.append(_found(snapshot.resolve(name), "full", score=None))
        except ToolweftError as exc:
            unknown.append(UnknownTool(name=name, message=exc.message, hint=exc.hint))
    return DescribeAnswer(tools=tuple(tools), unknown=tuple(unknown))


def _found(
    tool: CatalogTool, detail: Detail, *, score: float | None, is_terse: bool = False
) -> FoundTool:
    cap = _TERSE_CHARACTERS if is_terse else None
    return FoundTool(
        qualified=tool.qualified,
        stub=render_stub(tool, detail=detail, max_characters=cap),
        severity=tool.severity,
        status=tool.status,
        score=score,
    )


def _nothing_fits(query: str, snapshot: Snapshot) -> str:
    sources = snapshot.sources.values()
    starting = sorted(source.python_name for source in sources if source.state == "starting")
    if starting:
        listed = ", ".join(starting[:_MAX_NAMED_SOURCES])
        return f"no tool fits {query[:200]!r} yet; still starting: {listed}"
    return f"no tool fits {query[:200]!r}; say it in other words, or name the thing it acts on"
