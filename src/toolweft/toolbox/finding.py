"""Searching and describing over one snapshot: from names and needs to answers. Pure."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from toolweft.core.errors import InvalidArguments, ToolweftError
from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchHit, SearchResult
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.programs.stubs import DETAILS, Detail, clip_text, render_stub
from toolweft.toolbox.answers import (
    DescribeAnswer,
    FoundTool,
    QueryAnswer,
    SearchAnswer,
    UnknownTool,
)
from toolweft.toolbox.surface import name_sources

__all__ = (
    "build_search_answer",
    "callable_tools",
    "check_asked",
    "describe_tools",
    "narrow_visible",
)

# The first hits are the likeliest to be called; the others are written more tersely, so that an
# answer of five stays near 500 tokens.
_RICH_HITS = 2
_TERSE_CHARACTERS = 520
# Sources and categories named in a note; more would not help.
_MAX_NAMED = 12
_MAX_CATEGORY_CHARACTERS = 40
_SAY_IT = "say it in other words, or name the thing it acts on"


def callable_tools(snapshot: Snapshot) -> frozenset[QualifiedName] | None:
    """The tools that somebody may call; None for all of them."""
    names = frozenset(
        name for name, tool in snapshot.tools.items() if tool.callers and tool.status != "disabled"
    )
    return None if len(names) == len(snapshot.tools) else names


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


def narrow_visible(
    visible: frozenset[QualifiedName] | None,
    *,
    snapshot: Snapshot,
    namespace: str | None,
    category: str | None,
) -> frozenset[QualifiedName] | None:
    """The visible tools of one source, of one category, or both.

    Args:
        visible: names; None for all of the snapshot.
        snapshot: what is searched.
        namespace: a source, by its Python or original name; None for all.
        category: as tools are declared, in any case; None for all.

    Raises:
        InvalidArguments: no such source, or no such tool is of the category; the hint offers near
            ones.
    """
    if namespace is None and category is None:
        return visible
    names: Collection[QualifiedName] = snapshot.tools if visible is None else visible
    if namespace is not None:
        source = _find_namespace(snapshot, namespace)
        names = frozenset(name for name in names if name.startswith(f"{source}."))
    return frozenset(names) if category is None else _in_category(names, category, snapshot)


def _find_namespace(snapshot: Snapshot, name: str) -> str:
    """The Python spelling of a source's name, from either spelling."""
    known = {source.python_name: source.python_name for source in snapshot.sources.values()}
    known |= {original: source.python_name for original, source in snapshot.sources.items()}
    if name in known:
        return known[name]
    near = dict.fromkeys(known[match] for match in get_close_matches(name, known, 3))
    raise InvalidArguments(
        f"there is no source named {name[:200]!r}",
        hint=f"did you mean {', '.join(near)}?" if near else "leave namespace out",
    )


def _in_category(
    names: Collection[QualifiedName], category: str, snapshot: Snapshot
) -> frozenset[QualifiedName]:
    by_category: dict[str, set[QualifiedName]] = {}
    spelled: dict[str, str] = {}
    for name in names:
        own = (snapshot.tools[name].definition.category or "").strip()
        if own:
            by_category.setdefault(own.casefold(), set()).add(name)
            spelled[own.casefold()] = min(own, spelled.get(own.casefold(), own))
    asked = category.strip().casefold()
    if asked in by_category:
        return frozenset(by_category[asked])
    largest = sorted(by_category, key=lambda known: (-len(by_category[known]), known))
    near = get_close_matches(asked[:200], largest, 3)
    shown = [clip_text(spelled[known], _MAX_CATEGORY_CHARACTERS) for known in near or largest]
    hint = f"{'did you mean' if near else 'there are'} {', '.join(shown[:_MAX_NAMED])}"
    raise InvalidArguments(
        f"no tool is of the category {category[:200]!r}",
        hint=f"{hint}{'?' if near else ''}" if shown else "no tool has one: leave category out",
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
        )
        for query, result in zip(queries, results, strict=True)
    )
    sources = ""
    if any(answer.is_weak for answer in answers):
        sources = name_sources(tuple(snapshot.sources.values()), _MAX_NAMED)
    return SearchAnswer(queries=answers, snapshot_version=snapshot.version, sources=sources)


def describe_tools(names: Sequence[str], snapshot: Snapshot) -> DescribeAnswer:
    """Everything known of the named tools, and which names are none."""
    tools: list[FoundTool] = []
    unknown: list[UnknownTool] = []
    for name in names:
        try:
            tools.append(_found(snapshot.resolve(name), "full"))
        except ToolweftError as exc:
            unknown.append(UnknownTool(name=name, message=exc.message, hint=exc.hint))
    return DescribeAnswer(tools=tuple(tools), unknown=tuple(unknown))


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
    return not result.hits or result.hits[0].is_weak


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
