"""Reads a file of queries with their right tools. Pure: text in, queries out.

One query a line: `query<TAB>tool[,tool]...`, or a JSON object with `query` and `tools` (or
`relevant`). Empty lines and lines that begin with `#` are skipped.
"""

import json
from collections.abc import Iterable, Sequence
from typing import ClassVar

from toolweft.core.errors import ToolweftError
from toolweft.core.ids import QualifiedName
from toolweft.core.json import Json
from toolweft.core.snapshot import Snapshot
from toolweft.search.evaluation.queries import Query

__all__ = ("BadQueries", "parse_queries", "queries_of_use")

# Of a value that a message repeats.
_SHOWN_CHARACTERS = 80
_HINT = 'write query<TAB>tool,tool or {"query": "...", "tools": ["..."]}'


class BadQueries(ToolweftError):
    """A file of queries cannot be used; the message names file, line and value."""

    code: ClassVar[str] = "bad_queries"


def parse_queries(text: str, *, name: str, snapshot: Snapshot) -> list[Query]:
    """The queries of a file, in its order.

    Args:
        text: the whole file.
        name: of the file, for messages.
        snapshot: whose tools the file names, in any spelling a caller may use.

    Raises:
        BadQueries: a line that is neither form, an unknown tool, or no query at all.
    """
    queries = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        place = f"{name}:{number}"
        asked, tools = _read_json(bare, place) if bare.startswith("{") else _read_row(line, place)
        if not asked.strip():
            raise BadQueries(f"{place}: the query is empty", hint=_HINT)
        queries.append(
            Query(text=asked.strip(), tools=_resolve(tools, place=place, snapshot=snapshot))
        )
    if not queries:
        raise BadQueries(f"{name}: there is no query in it", hint=_HINT)
    return queries


def queries_of_use(
    pairs: Iterable[tuple[str, str]], *, snapshot: Snapshot
) -> tuple[list[Query], int]:
    """Queries from (query, tool called after it), and how many pairs name a tool that is gone.

    The tools of one text are all right; a text asked twice is one query.
    """
    tools: dict[str, dict[QualifiedName, None]] = {}
    gone = 0
    for text, name in pairs:
        tool = snapshot.find(name)
        if tool is None:
            gone += 1
        elif text.strip():
            tools.setdefault(text.strip(), {})[tool.qualified] = None
    return [Query(text=text, tools=tuple(names)) for text, names in tools.items()], gone


def _read_row(line: str, place: str) -> tuple[str, list[str]]:
    query, tab, names = line.partition("\t")
    tools = [name for part in names.split(",") if (name := part.strip())]
    if not tab or not tools:
        raise BadQueries(
            f"{place}: no tab and tool behind the query {line[:_SHOWN_CHARACTERS]!r}", hint=_HINT
        )
    return query, tools


def _read_json(line: str, place: str) -> tuple[str, list[str]]:
    try:
        row: Json = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise BadQueries(
            f"{place}: not JSON: {line[:_SHOWN_CHARACTERS]!r}: {exc}", hint=_HINT
        ) from exc
    query, tools = row.get("query"), row.get("tools", row.get("relevant"))
    if not isinstance(query, str):
        raise BadQueries(f"{place}: $.query is {_shown(query)} and should be a string", hint=_HINT)
    names = [tools] if isinstance(tools, str) else tools
    if not isinstance(names, list) or not names or not all(isinstance(n, str) for n in names):
        raise BadQueries(
            f"{place}: $.tools is {_shown(tools)} and should be a list of names", hint=_HINT
        )
    return query, names


def _resolve(names: Sequence[str], *, place: str, snapshot: Snapshot) -> tuple[QualifiedName, ...]:
    tools = []
    for name in names:
        try:
            tools.append(snapshot.resolve(name).qualified)
        except ToolweftError as exc:
            raise BadQueries(f"{place}: {exc.message}", hint=exc.hint) from exc
    return tuple(dict.fromkeys(tools))


def _shown(value: Json) -> str:
    return "missing" if value is None else repr(value)[:_SHOWN_CHARACTERS]
