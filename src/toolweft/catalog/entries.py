"""What the catalog holds of one source, and what a snapshot shows of it.

Pure: entries in, entries and mappings out. Whatever did not change is taken over as the same
object, so that a change of one source costs nothing in the others.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Self

from toolweft.catalog.definitions import conceal_definition
from toolweft.catalog.options import OWN_KINDS
from toolweft.catalog.preparation import PreparedTool, explain_deferral
from toolweft.core.ids import QualifiedName, SourceName
from toolweft.core.pins import Flag
from toolweft.core.snapshot import CatalogTool, SourceStatus

__all__ = (
    "Deferral",
    "Review",
    "SourceEntry",
    "decide_deferral",
    "find_differences",
    "show_tools",
    "updated_aliases",
)

# Of a source's own account of what went wrong; the whole stands in its status.
_SHOWN_REASON_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Deferral:
    """The automatic choice for every tool of which nobody decided."""

    deferred: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """Which tools of a source may not be used, and what the tools of all sources tell of them."""

    # Why, for each.
    suspended: Mapping[QualifiedName, str] = field(default_factory=dict)
    # By original name; beside those that a definition has for itself.
    flags: Mapping[str, tuple[Flag, ...]] = field(default_factory=dict)


_NOTHING = Review()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceEntry:
    """One source: its state, its prepared tools, and how they were last shown."""

    status: SourceStatus
    python_namespace: str
    prepared: tuple[PreparedTool, ...] = ()
    # What the prepared tools of which nobody decided cost together.
    automatic_tokens: int = 0
    # Those that call others.
    needing: tuple[QualifiedName, ...] = ()
    # `shown_of[i]` was shown as `tools[i]` under `deferral`, the source being `down`.
    shown_of: tuple[PreparedTool, ...] = ()
    tools: tuple[CatalogTool, ...] = ()
    deferral: Deferral | None = None
    # Why the source cannot be called; empty where it can.
    down: str = ""
    review: Review = _NOTHING
    # What is suspicious in what the source says of itself.
    instruction_flags: tuple[Flag, ...] = ()

    @property
    def is_own(self) -> bool:
        """Whether its tools are the user's own code."""
        return self.status.kind in OWN_KINDS

    def with_prepared(self, prepared: tuple[PreparedTool, ...]) -> Self:
        """The entry with other tools."""
        return replace(
            self,
            prepared=prepared,
            automatic_tokens=sum(item.automatic_tokens or 0 for item in prepared),
            needing=tuple(item.qualified for item in prepared if item.tool.definition.needs),
        )


def decide_deferral(entries: Collection[SourceEntry], defer_above_tokens: int) -> Deferral:
    """Whether tools of which nobody decided are deferred: by what they cost together."""
    total = sum(entry.automatic_tokens for entry in entries)
    is_deferred = total > defer_above_tokens
    return Deferral(is_deferred, explain_deferral(defer_above_tokens, is_deferred=is_deferred))


def show_tools(entry: SourceEntry, deferral: Deferral, review: Review) -> SourceEntry:
    """The entry with its tools as a snapshot shows them now."""
    down = _down_reason(entry.status)
    same = entry.deferral == deferral and entry.down == down and entry.review == review
    if same and entry.shown_of == entry.prepared:
        return entry
    reusable = {id(p): t for p, t in zip(entry.shown_of, entry.tools, strict=True)} if same else {}
    return replace(
        entry,
        shown_of=entry.prepared,
        tools=tuple(
            reusable.get(id(p)) or _show(p, deferral, down, review) for p in entry.prepared
        ),
        deferral=deferral,
        down=down,
        review=review,
    )


def _show(prepared: PreparedTool, deferral: Deferral, down: str, review: Review) -> CatalogTool:
    tool = prepared.tool
    if tool.status == "disabled":
        return tool
    flags = review.flags.get(tool.definition.name)
    if flags:
        tool = replace(tool, flags=(*tool.flags, *flags))
    suspended = review.suspended.get(prepared.qualified)
    if suspended:
        return _conceal(tool, suspended)
    if prepared.automatic_tokens is not None and tool.deferred_reason != deferral.reason:
        tool = replace(tool, deferred=deferral.deferred, deferred_reason=deferral.reason)
    if down:
        tool = replace(tool, status="unavailable", status_reason=down)
    return tool


def _conceal(tool: CatalogTool, reason: str) -> CatalogTool:
    """The tool without what nobody accepted: its texts may be an attack on whoever reads them."""
    return replace(
        tool,
        definition=conceal_definition(tool.definition),
        parameters={},
        severity="destructive",
        severity_reason="what its source says of it is not accepted",
        status="suspended",
        status_reason=reason,
        deferred=True,
        deferred_reason="suspended",
    )


def _down_reason(status: SourceStatus) -> str:
    # One that starts and has tools is known from before; calls wait for it.
    if status.is_usable or status.state == "starting":
        return ""
    said = status.told_reason[:_SHOWN_REASON_CHARACTERS]
    return f"source {status.name!r} is {status.state}{': ' if said else ''}{said}"


def updated_aliases(
    aliases: Mapping[str, tuple[QualifiedName, ...]],
    before: Mapping[SourceName, SourceEntry],
    after: Mapping[SourceName, SourceEntry],
) -> Mapping[str, tuple[QualifiedName, ...]]:
    """The aliases of the tools in `after`, from those of the tools in `before`."""
    gone, come = find_differences(before, after)
    if not gone and not come:
        return aliases
    updated = dict(aliases)
    for item in gone:
        for alias in item.aliases:
            left = tuple(name for name in updated[alias] if name != item.qualified)
            if left:
                updated[alias] = left
            else:
                del updated[alias]
    for item in come:
        only = (item.qualified,)
        for alias in item.aliases:
            others = updated.get(alias)
            updated[alias] = tuple(sorted({*others, item.qualified})) if others else only
    return MappingProxyType(updated)


def find_differences(
    before: Mapping[SourceName, SourceEntry], after: Mapping[SourceName, SourceEntry]
) -> tuple[list[PreparedTool], list[PreparedTool]]:
    """The tools only in `before` and those only in `after`, by object."""
    gone: list[PreparedTool] = []
    come: list[PreparedTool] = []
    for name in before.keys() | after.keys():
        old = before[name].prepared if name in before else ()
        new = after[name].prepared if name in after else ()
        if old is new:
            continue
        olds, news = {id(item) for item in old}, {id(item) for item in new}
        gone += [item for item in old if id(item) not in news]
        come += [item for item in new if id(item) not in olds]
    return gone, come
