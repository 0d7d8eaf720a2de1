"""What a program finds when it looks for tools itself: `tools.search` and `tools.describe`.

Pure. The values are plain JSON, so that programs can filter and print them.
"""

from toolweft.core.errors import InvalidArguments
from toolweft.core.ids import QualifiedName
from toolweft.core.json import Json, JsonObject
from toolweft.core.search import Searcher, SearchResult
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.programs.stubs import render_stub

__all__ = ("describe_for_program", "programmatic_tools", "search_for_program")

DEFAULT_LIMIT = 5
MAX_LIMIT = 50
MAX_NAMES = 50


def programmatic_tools(snapshot: Snapshot) -> frozenset[QualifiedName] | None:
    """The tools that programs may call, as far as the catalog knows; None for all of them."""
    names = frozenset(
        name
        for name, tool in snapshot.tools.items()
        if not tool.is_withheld and "programmatic" in tool.callers
    )
    return None if len(names) == len(snapshot.tools) else names


async def search_for_program(
    arguments: JsonObject,
    *,
    snapshot: Snapshot,
    searcher: Searcher,
    visible: frozenset[QualifiedName] | None,
    tenant: str,
) -> list[JsonObject]:
    """The answer to `tools.search(query=…, limit=5)`, best first; `weak` where it hardly fits.

    What the answer as a whole lacks is the `note` of its first entry, where it lacks anything.

    Raises:
        InvalidArguments: no query, or a limit that is none.
    """
    _check_known(arguments, "tools.search", ("query", "limit"))
    query = arguments.get("query")
    limit = arguments.get("limit", DEFAULT_LIMIT)
    if not isinstance(query, str) or not query.strip():
        raise InvalidArguments(
            f"tools.search() needs a query in words, not {query!r}",
            hint="await tools.search(query='list issues', limit=5)",
        )
    if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= MAX_LIMIT:
        raise InvalidArguments(
            f"tools.search() takes a limit from 1 to {MAX_LIMIT}, not {limit!r}",
            hint=f"leave it out for {DEFAULT_LIMIT}",
        )
    (found,) = await searcher.search(
        (query,), snapshot=snapshot, limit=limit, visible=visible, tenant=tenant
    )
    entries: list[JsonObject] = [
        {
            **_describe(snapshot.tools[hit.qualified]),
            "score": round(hit.score, 4),
            # Said where it is so: every value a program prints is paid for.
            **({"weak": True} if hit.is_weak else {}),
        }
        for hit in found.hits
    ]
    note = _note(found)
    if note and entries:
        entries[0]["note"] = note
    return entries


def _note(found: SearchResult) -> str:
    parts = []
    if found.is_weak:
        parts.append("none of these fits well")
        if found.suggestions:
            parts.append(f"other words: {', '.join(found.suggestions)}")
    if found.degraded:
        parts.append(f"degraded: {found.degraded}")
    return "; ".join(parts)


def describe_for_program(arguments: JsonObject, *, snapshot: Snapshot) -> Json:
    """The answer to `tools.describe(name=…)`: one tool, or a list for a list of names.

    Raises:
        ToolNotFound: no tool of that name.
        AmbiguousTool: several sources have it.
        InvalidArguments: no name.
    """
    _check_known(arguments, "tools.describe", ("name", "names"))
    asked = arguments.get("name", arguments.get("names"))
    if isinstance(asked, str):
        return _describe_fully(snapshot.resolve(asked))
    names = asked if isinstance(asked, list) else []
    if not 1 <= len(names) <= MAX_NAMES or not all(isinstance(name, str) for name in names):
        raise InvalidArguments(
            f"tools.describe() needs a name or a list of 1 to {MAX_NAMES} names",
            hint="await tools.describe(name='source.tool')",
        )
    return [_describe_fully(snapshot.resolve(name)) for name in names]


def _check_known(arguments: JsonObject, function: str, known: tuple[str, ...]) -> None:
    for name in arguments:
        if name not in known:
            raise InvalidArguments(
                f"{function}() has no parameter {name!r}", hint=f"it takes {', '.join(known)}"
            )


def _describe(tool: CatalogTool) -> JsonObject:
    return {
        "name": tool.qualified,
        "signature": render_stub(tool),
        "severity": tool.severity,
        "status": tool.status,
    }


def _describe_fully(tool: CatalogTool) -> JsonObject:
    definition = tool.definition
    return {
        **_describe(tool),
        "signature": render_stub(tool, detail="full"),
        "description": definition.description,
        "input_schema": definition.input_schema,
        "output_schema": definition.output_schema,
        "callers": sorted(tool.callers),
    }
