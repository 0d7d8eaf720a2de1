"""The catalog: it hears of sources and makes a new immutable snapshot of all tools at each change.

A change of one source costs what that source costs: the tools of the others are the same objects
in the next snapshot. Knows nothing of how sources reach their tools or of who reads snapshots.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from toolweft.catalog.entries import SourceEntry, decide_deferral, show_tools, updated_aliases
from toolweft.catalog.needs import unusable_for_needs
from toolweft.catalog.options import CatalogOptions
from toolweft.catalog.preparation import Preparation, PreparedTool, prepare_tools
from toolweft.catalog.rules import RuleBook
from toolweft.core.ids import QualifiedName, SourceName
from toolweft.core.names import python_namespaces
from toolweft.core.snapshot import CatalogTool, Snapshot, SourceStatus
from toolweft.core.tools import ToolDefinition

__all__ = ("Catalog",)

log = logging.getLogger(__name__)

# Where toolweft.toml has decisions about the tools of a kind of source. Those of saved programs
# stand where decisions about all sources do.
_SECTIONS = {"openapi": "openapi", "python": "python", "saved": "catalog"}


class Catalog:
    """All tools of all sources; a source listener and a holder of snapshots.

    Args:
        options: profile, rules and thresholds, for the catalog's whole life.
    """

    def __init__(self, options: CatalogOptions) -> None:
        self._options = options
        self._rules = RuleBook(options.rules)
        self._entries: dict[SourceName, SourceEntry] = {}
        self._subscribers: list[Callable[[Snapshot], None]] = []
        self._snapshot = Snapshot(version=0, tools=MappingProxyType({}), sources={})

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot; version 0 holds nothing."""
        return self._snapshot

    def subscribe(self, callback: Callable[[Snapshot], None]) -> Callable[[], None]:
        """Call `callback` with every new snapshot, in order, until the returned function is called.

        The callback runs inside the change that made the snapshot and must neither block nor
        change the catalog.
        """
        self._subscribers.append(callback)

        def unsubscribe() -> None:
            if callback in self._subscribers:
                self._subscribers.remove(callback)

        return unsubscribe

    def source_changed(
        self, status: SourceStatus, definitions: Sequence[ToolDefinition] | None
    ) -> None:
        """Take a source's new state; `definitions` is None where the tools stay as they were."""
        name = status.name
        entries = dict(self._entries)
        before = entries.get(name, SourceEntry(status=status, python_namespace=""))
        entries[name] = replace(before, status=status)
        entries = self._renamed(entries)
        if definitions is not None:
            entry = entries[name]
            prepared = prepare_tools(definitions, self._preparation(entry), known=entry.prepared)
            entries[name] = replace(entry, prepared=prepared)
            _log_loaded(name, prepared)
        self._publish(entries)

    def remove_source(self, name: SourceName) -> None:
        """Forget a source and its tools; unknown names are ignored."""
        entries = {n: entry for n, entry in self._entries.items() if n != name}
        self._publish(self._renamed(entries))

    def _renamed(self, entries: Mapping[SourceName, SourceEntry]) -> dict[SourceName, SourceEntry]:
        """The entries under the Python namespaces that the set of their names gives them."""
        namespaces = python_namespaces(entries)
        renamed = {}
        for name, entry in entries.items():
            if entry.python_namespace != namespaces[name]:
                entry = replace(entry, python_namespace=namespaces[name])
                definitions = [item.source_definition for item in entry.prepared]
                entry = replace(
                    entry, prepared=prepare_tools(definitions, self._preparation(entry))
                )
            renamed[name] = entry
        return renamed

    def _preparation(self, entry: SourceEntry) -> Preparation:
        name = entry.status.name
        return Preparation(
            source=name,
            python_namespace=entry.python_namespace,
            section=_SECTIONS.get(entry.status.kind, "servers"),
            options=self._options,
            rules=self._rules.for_source(name),
        )

    def _publish(self, entries: Mapping[SourceName, SourceEntry]) -> None:
        """Make `entries` the truth, and a snapshot where that changes what readers see."""
        deferral = decide_deferral(entries.values(), self._options.defer_above_tokens)
        # In name order, so that a listing does not depend on which server started first.
        shown = {name: show_tools(entries[name], deferral) for name in sorted(entries)}
        tools: dict[QualifiedName, CatalogTool] = {}
        for entry in shown.values():
            tools.update(zip((i.qualified for i in entry.prepared), entry.tools, strict=True))
        tools |= unusable_for_needs(tools, before=self._snapshot.tools)
        sources = {
            name: replace(
                entry.status,
                python_name=entry.python_namespace,
                tool_count=sum(tool.status != "disabled" for tool in entry.tools),
            )
            for name, entry in shown.items()
        }
        latest = self._snapshot
        aliases = updated_aliases(latest.aliases, self._entries, shown)
        self._entries = shown
        if sources == latest.sources and _are_same(tools, latest.tools):
            return
        self._snapshot = Snapshot(
            version=latest.version + 1,
            tools=MappingProxyType(tools),
            sources=MappingProxyType(sources),
            aliases=aliases,
        )
        for callback in tuple(self._subscribers):
            callback(self._snapshot)


def _are_same(
    tools: Mapping[QualifiedName, CatalogTool], others: Mapping[QualifiedName, CatalogTool]
) -> bool:
    """Whether both hold the very same objects."""
    return len(tools) == len(others) and all(others.get(n) is tool for n, tool in tools.items())


def _log_loaded(source: SourceName, prepared: Sequence[PreparedTool]) -> None:
    log.info(
        "catalog.source_loaded",
        extra={
            "source": source,
            "tools": len(prepared),
            "disabled": sum(item.tool.status == "disabled" for item in prepared),
            "closed_to_programs": sum("programmatic" not in i.tool.callers for i in prepared),
        },
    )
