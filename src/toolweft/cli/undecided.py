"""Tools of which neither their server nor the configuration says whether they only read."""

from toolweft.catalog.rules import RuleBook
from toolweft.cli.output import Column, render_table
from toolweft.config import Settings
from toolweft.core.ids import SourceName
from toolweft.core.snapshot import CatalogTool, Snapshot

__all__ = ("find_undecided", "render_undecided")

_COLUMNS = (
    Column(title="tool"),
    Column(title="probably"),
    Column(title="description", flexible=True),
)


def find_undecided(snapshot: Snapshot, settings: Settings) -> list[CatalogTool]:
    """The tools of MCP servers that nothing is said of, by name; answers do not count here."""
    book = RuleBook(settings.catalog.rules)
    servers = {server.name: book.for_source(SourceName(server.name)) for server in settings.servers}
    found = [
        tool
        for tool in snapshot.tools.values()
        if tool.definition.namespace in servers
        and tool.definition.hints.read_only is None
        and tool.definition.severity is None
        and all(
            rule.severity is None
            for rule in servers[tool.definition.namespace].of(tool.definition.name)
        )
    ]
    return sorted(found, key=lambda tool: tool.qualified)


def render_undecided(undecided: list[CatalogTool], suggested: set[str]) -> str:
    """A table of them, with those marked that are suggested."""
    rows = [
        [
            tool.qualified,
            "reads" if tool.qualified in suggested else "",
            tool.definition.short_description,
        ]
        for tool in undecided
    ]
    return render_table(_COLUMNS, rows)
