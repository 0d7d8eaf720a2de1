"""Tool search on its own, without sources or a catalog: for measuring it on query sets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from toolweft.core.ids import QualifiedName, SourceName, ToolName
from toolweft.core.search import SearchIndex
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.core.tools import ToolDefinition
from toolweft.search import build_index

__all__ = ("Retriever", "build_tools", "retriever")


class Retriever:
    """Finds tools by the identifiers they were given with."""

    def __init__(self, index: SearchIndex, identifiers: Mapping[QualifiedName, str]) -> None:
        self.index = index
        self._identifiers = identifiers

    def search(self, query: str, k: int) -> Sequence[str]:
        """The identifiers of at most `k` tools, best first."""
        return [self._identifiers[hit.qualified] for hit in self.index.search(query, limit=k)]


def retriever(tools: Iterable[Mapping[str, Any]]) -> Retriever:
    """Index plain descriptions of tools.

    Args:
        tools: each with `id` and `name`, and where known `server`, `description` and
            `input_schema`. Two may have the same name.
    """
    snapshot, identifiers = build_tools(tools)
    return Retriever(build_index(snapshot), identifiers)


def build_tools(
    tools: Iterable[Mapping[str, Any]],
) -> tuple[Snapshot, Mapping[QualifiedName, str]]:
    """A snapshot of plain descriptions as `retriever` takes them, and their identifiers."""
    known: dict[QualifiedName, CatalogTool] = {}
    identifiers: dict[QualifiedName, str] = {}
    for tool in tools:
        found = _catalog_tool(tool, len(known))
        known[found.qualified] = found
        identifiers[found.qualified] = tool["id"]
    return Snapshot(version=1, tools=known, sources={}), identifiers


def _catalog_tool(tool: Mapping[str, Any], number: int) -> CatalogTool:
    server = str(tool.get("server") or "")
    definition = ToolDefinition(
        name=ToolName(tool["name"]),
        namespace=SourceName(server),
        description=tool.get("description") or "",
        input_schema=tool.get("input_schema") or tool.get("inputSchema") or {"type": "object"},
    )
    return CatalogTool(
        definition=definition,
        # Numbered, since names may repeat; the index reads the name in the definition.
        python_namespace=f"{server}_{number}",
        python_name=tool["name"],
        wire_name="",
        parameters={},
        severity="read_only",
        severity_reason="",
        callers=frozenset(),
        callers_reason="",
        deferred=True,
        deferred_reason="",
    )
