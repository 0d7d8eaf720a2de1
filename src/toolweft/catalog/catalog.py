"""The catalog: it hears of sources and makes a new immutable snapshot of all tools at each change.

A change of one source costs what that source costs: the tools of the others are the same objects
in the next snapshot. Knows nothing of how sources reach their tools or of who reads snapshots.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from types import MappingProxyType

from anyio import to_thread

from toolweft.catalog.entries import SourceEntry, decide_deferral, show_tools, updated_aliases
from toolweft.catalog.gone import GoneTools
from toolweft.catalog.needs import unusable_for_needs
from toolweft.catalog.options import CatalogOptions
from toolweft.catalog.pins import PinBook
from toolweft.catalog.pins.texts import flag_instructions
from toolweft.catalog.preparation import Preparation, PreparedTool, prepare_tools
from toolweft.catalog.review import Reviewer
from toolweft.catalog.rules import RuleBook, build_answer_rules
from toolweft.core.answers import Answers
from toolweft.core.clock import Clock, SystemClock
from toolweft.core.derived import Derived
from toolweft.core.errors import ToolNotFound
from toolweft.core.ids import QualifiedName, SourceName
from toolweft.core.names import python_namespaces
from toolweft.core.snapshot import CatalogTool, Snapshot, SourceStatus
from toolweft.core.tools import ToolDefinition

__all__ = ("Catalog",)

log = logging.getLogger(__name__)

# Where toolweft.toml has decisions about the tools of a kind of source. Those of saved programs
# stand where decisions about all sources do.
_SECTIONS = {"openapi": "openapi", "python": "python", "saved": "catalog"}


_QUALIFIED = attrgetter("qualified")
# From here on looking through tools takes longer than anything else may wait.
_MANY_TOOLS = 100


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Tools that were looked through before they were reported."""

    definitions: Sequence[ToolDefinition]
    python_namespace: str
    prepared: tuple[PreparedTool, ...]
    # Gives the reviewer what was worked out for it.
    hand_over: Callable[[], None]

    def fits(self, definitions: Sequence[ToolDefinition], entry: SourceEntry) -> bool:
        """Whether these very tools were looked through, under the names they have now."""
        is_same = self.definitions is definitions
        return is_same and self.python_namespace == entry.python_namespace


class Catalog:
    """All tools of all sources; a source listener and a holder of snapshots.

    Args:
        options: profile, rules and thresholds, for the catalog's whole life.
        pins: what was accepted; None where nothing has to be.
        clock: says when a tool was taken away; None for the machine's own.
        derived: what an earlier start found out of definitions; None for nothing.
    """

    def __init__(
        self,
        options: CatalogOptions,
        *,
        pins: PinBook | None = None,
        clock: Clock | None = None,
        derived: Derived | None = None,
    ) -> None:
        self._options = options
        self._derived = derived or Derived()
        self._rules = RuleBook(options.rules)
        self._answers: Answers = {}
        self._entries: dict[SourceName, SourceEntry] = {}
        self._reviewer = Reviewer(pins)
        self._gone = GoneTools(clock=clock or SystemClock())
        self._ahead: dict[SourceName, _Ahead] = {}
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

    async def prepare(self, status: SourceStatus, definitions: Sequence[ToolDefinition]) -> None:
        """Look through many tools in a thread, for `source_changed` to find it done.

        Where the source's Python name changes meanwhile it was in vain.
        """
        if len(definitions) < _MANY_TOOLS:
            return
        entry = self._renamed(self._with_status(status))[status.name]
        work = partial(self._look_ahead, definitions, self._preparation(entry), entry.prepared)
        self._ahead[status.name] = await to_thread.run_sync(work, abandon_on_cancel=True)

    def _look_ahead(
        self,
        definitions: Sequence[ToolDefinition],
        preparation: Preparation,
        known: Sequence[PreparedTool],
    ) -> _Ahead:
        """Runs in a thread, so it changes nothing."""
        prepared = prepare_tools(definitions, preparation, known=known)
        hand_over = self._reviewer.prepare(prepared)
        return _Ahead(definitions, preparation.python_namespace, prepared, hand_over)

    def source_changed(
        self, status: SourceStatus, definitions: Sequence[ToolDefinition] | None
    ) -> None:
        """Take a source's new state; `definitions` is None where the tools stay as they were."""
        name = status.name
        entries = self._renamed(self._with_status(status))
        ahead = self._ahead.pop(name, None)
        if definitions is not None:
            entry = entries[name]
            if ahead is not None and ahead.fits(definitions, entry):
                prepared = ahead.prepared
                ahead.hand_over()
            else:
                preparation = self._preparation(entry)
                prepared = prepare_tools(definitions, preparation, known=entry.prepared)
            entries[name] = entry.with_prepared(prepared)
            _log_loaded(name, prepared)
        self._publish(entries)

    def _with_status(self, status: SourceStatus) -> dict[SourceName, SourceEntry]:
        """The entries, with a source's new state."""
        unknown = SourceEntry(status=replace(status, instructions=""), python_namespace="")
        before = self._entries.get(status.name, unknown)
        entry = replace(
            before,
            status=status,
            instruction_flags=before.instruction_flags
            if status.instructions == before.status.instructions
            else flag_instructions(status.instructions),
        )
        return {**self._entries, status.name: entry}

    def pins_changed(self) -> None:
        """Look again at every tool: something else is accepted than before."""
        self._publish(self._entries)

    def answered(self, answers: Answers) -> None:
        """Take what was answered of tools that nothing else is said of, in place of earlier."""
        rules = build_answer_rules(answers)
        # The configuration comes after, and so wins.
        self._rules = RuleBook((*rules, *self._options.rules))
        before, self._answers = self._answers, answers
        entries = dict(self._entries)
        for name, entry in self._entries.items():
            if answers.get(name, {}) != before.get(name, {}):
                definitions = [item.source_definition for item in entry.prepared]
                prepared = prepare_tools(definitions, self._preparation(entry))
                entries[name] = entry.with_prepared(prepared)
        self._publish(entries)

    def source_definition(self, name: QualifiedName) -> ToolDefinition:
        """What its source says of a tool, in its own words, accepted or not.

        Raises:
            ToolNotFound: there is no such tool.
        """
        for entry in self._entries.values():
            for item in entry.prepared:
                if item.qualified == name:
                    return item.source_definition
        raise ToolNotFound(f"the catalog has no tool named {name!r}")

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
                entry = entry.with_prepared(prepare_tools(definitions, self._preparation(entry)))
            renamed[name] = entry
        return renamed

    def _preparation(self, entry: SourceEntry) -> Preparation:
        name = entry.status.name
        return Preparation(
            source=name,
            python_namespace=entry.python_namespace,
            section=_SECTIONS.get(entry.status.kind, "servers"),
            is_own=entry.is_own,
            options=self._options,
            rules=self._rules.for_source(name),
            derived=self._derived,
        )

    def _publish(self, entries: Mapping[SourceName, SourceEntry]) -> None:
        """Make `entries` the truth, and a snapshot where that changes what readers see."""
        deferral = decide_deferral(entries.values(), self._options.defer_above_tokens)
        # In name order, so that a listing does not depend on which server started first.
        reviews = self._reviewer.review(entries)
        shown = {
            name: show_tools(entries[name], deferral, reviews[name]) for name in sorted(entries)
        }
        tools: dict[QualifiedName, CatalogTool] = {}
        for entry in shown.values():
            tools.update(zip(map(_QUALIFIED, entry.prepared), entry.tools, strict=True))
        latest = self._snapshot
        needing = [name for entry in shown.values() for name in entry.needing]
        tools |= unusable_for_needs(needing, tools, before=latest.tools)
        sources = {
            # The same as before where the entry is.
            name: latest.sources[name] if self._entries.get(name) is entry else _status(entry)
            for name, entry in shown.items()
        }
        aliases = updated_aliases(latest.aliases, self._entries, shown)
        gone = self._gone.update(self._entries, shown)
        self._entries = shown
        if sources == latest.sources and _are_same(tools, latest.tools):
            return
        self._snapshot = Snapshot(
            version=latest.version + 1,
            tools=MappingProxyType(tools),
            sources=MappingProxyType(sources),
            aliases=aliases,
            gone=gone,
        )
        for callback in tuple(self._subscribers):
            callback(self._snapshot)


def _status(entry: SourceEntry) -> SourceStatus:
    """How a source stands, as a snapshot shows it."""
    return replace(
        entry.status,
        python_name=entry.python_namespace,
        flags=entry.instruction_flags,
        tool_count=sum(not tool.is_withheld for tool in entry.tools),
    )


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
            "disabled": sum(item.tool.is_withheld for item in prepared),
            "closed_to_programs": sum("programmatic" not in i.tool.callers for i in prepared),
        },
    )
