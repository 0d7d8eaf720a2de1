"""What the catalog holds of one source, and what a snapshot shows of it.

Pure: entries in, entries and mappings out. Whatever did not change is taken over as the same
object, so that a change of one source costs nothing in the others.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from toolweft.catalog.preparation import PreparedTool
from toolweft.core.ids import QualifiedName, SourceName
from toolweft.core.snapshot import CatalogTool, SourceStatus

__all__ = ("Deferral", "SourceEntry", "decide_deferral", "show_tools", "updated_aliases")

# Of a source's own account of what went wrong; the whole stands in its status.
_SHOWN_REASON_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Deferral:
    """The automatic choice for every tool of which nobody decided."""

    deferred: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SourceEntry:
    """One source: its state, its prepared tools, and how they were last shown."""

    status: SourceStatus
    python_namespace: str
    prepared: tuple[PreparedTool, ...] = ()
    # `shown_of[i]` was shown as `tools[i]` under `deferral`, the source being `down`.
    shown_of: tuple[PreparedTool, ...] = ()
    tools: tuple[CatalogTool, ...] = ()
    deferral: Deferral | None = None
    # Why the source cannot be called; empty where it can.
    down: str = ""


def decide_deferral(entries: Collection[SourceEntry], defer_above_tokens: int) -> Deferral:
    """Whether tools of which nobody decided are deferred: by what they cost together."""
    total = sum(item.automatic_tokens or 0 for entry in entries for item in entry.prepared)
    # The total itself is left out: it changes with each source, the choice seldom.
    if total > defer_above_tokens:
        reason = f"all definitions exceed defer_above_tokens = {defer_above_tokens}"
    else:
        reason = f"all definitions fit in defer_above_tokens = {defer_above_tokens}"
    return Deferral(total > defer_above_tokens, f"automatic: {reason}")


def show_tools(entry: SourceEntry, deferral: Deferral) -> SourceEntry:
    """The entry with its tools as a snapshot shows them now."""
    down = _down_reason(entry.status)
    same = entry.deferral == deferral and entry.down == down
    if same and entry.shown_of == entry.prepared:
        return entry
    reusable = {id(p): t for p, t in zip(entry.shown_of, entry.tools, strict=True)} if same else {}
    return replace(
        entry,
        shown_of=entry.prepared,
        tools=tuple(reusable.get(id(p)) or _show(p, deferral, down) for p in entry.prepared),
        deferral=deferral,
        down=down,
    )


def _show(prepared: PreparedTool, deferral: Deferral, down: str) -> CatalogTool:
    tool = prepared.tool
    if tool.status == "disabled":
        return tool
    if prepared.automatic_tokens is not None:
        tool = replace(tool, deferred=deferral.deferred, deferred_reason=deferral.reason)
    if down:
        tool = replace(tool, status="unavailable", status_reason=down)
    return tool


def _down_reason(status: SourceStatus) -> str:
    # One that starts and has tools is known from before; calls wait for it.
    if status.is_usable or status.state == "starting":
        return ""
    said = status.reason.strip().split("\n", 1)[0][:_SHOWN_REASON_CHARACTERS]
    return f"source {status.name!r} is {status.state}{': ' if said else ''}{said}"


def updated_aliases(
    aliases: Mapping[str, tuple[QualifiedName, ...]],
    before: Mapping[SourceName, SourceEntry],
    after: Mapping[SourceName, SourceEntry],
) -> Mapping[str, tuple[QualifiedName, ...]]:
    """The aliases of the tools in `after`, from those of the tools in `before`."""
    gone, come = _differences(before, after)
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


def _differences(
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
