"""Which tools may not be used because of what was accepted, and what only all tools together tell.

Called by the catalog for each snapshot it makes; what did not change is the same object again.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from toolweft.catalog.entries import Review, SourceEntry
from toolweft.catalog.pins import PinBook
from toolweft.catalog.pins.look_alikes import NO_CHANGE, NameIndex
from toolweft.catalog.preparation import PreparedTool
from toolweft.core.ids import QualifiedName, SourceName, ToolName
from toolweft.core.pins import Flag

__all__ = ("Reviewer",)

log = logging.getLogger(__name__)

_Flags = Mapping[str, tuple[Flag, ...]]
# Of one source at a time; `toolweft tools` and `toolweft pin` show all.
_MAX_LOGGED: Final = 20
_NO_FLAGS: Final[_Flags] = MappingProxyType({})


@dataclass(slots=True)
class _Known:
    """What was decided of a source, and from what."""

    prepared: tuple[PreparedTool, ...] = ()
    # Of the tools that can be used.
    names: frozenset[ToolName] = frozenset()
    # The tools whose texts tell what to do with others, and the names they tell it of.
    mentioning: tuple[PreparedTool, ...] = ()
    mentioned: frozenset[str] = frozenset()
    flags: _Flags = field(default_factory=dict)
    revision: int = -1
    review: Review = field(default_factory=Review)


class Reviewer:
    """Decides which tools are suspended and flags what depends on other sources.

    Args:
        book: what was accepted; None where nothing has to be.
    """

    def __init__(self, book: PinBook | None) -> None:
        self._book = book
        self._names = NameIndex()
        self._known: dict[SourceName, _Known] = {}

    def prepare(self, prepared: Sequence[PreparedTool]) -> Callable[[], None]:
        """Work out what is needed of many tools, in any thread; see `NameIndex.prepare`."""
        return self._names.prepare(_usable_names(prepared))

    def review(self, entries: Mapping[SourceName, SourceEntry]) -> Mapping[SourceName, Review]:
        """The decisions on the tools of every source, by source."""
        changed = {
            name for name, entry in entries.items() if self._of(name).prepared is not entry.prepared
        }
        gone = self._known.keys() - entries.keys()
        for name in gone:
            del self._known[name]
        for name in changed:
            _take_over(self._known[name], entries[name].prepared)
        names = NO_CHANGE
        if changed or gone:
            names = self._names.update({name: known.names for name, known in self._known.items()})
        for name, entry in entries.items():
            known = self._known[name]
            flags = known.flags
            is_other = name in changed or name in names.sources
            if is_other or not known.mentioned.isdisjoint(names.names):
                flags = self._cross_flags(name, entry, known.mentioning)
            revision = -1 if self._book is None else self._book.revision
            if name in changed or revision != known.revision or flags != known.flags:
                _log_flags(name, flags, known.flags)
                review = Review(suspended=self._suspended(name, entry, flags), flags=flags)
                _log_suspended(name, review, known.review)
                known.flags, known.revision, known.review = flags, revision, review
        return {name: self._known[name].review for name in entries}

    def _of(self, name: SourceName) -> _Known:
        return self._known.setdefault(name, _Known())

    def _cross_flags(
        self, source: SourceName, entry: SourceEntry, mentioning: Sequence[PreparedTool]
    ) -> _Flags:
        """What the texts and names of one source have to do with the tools of others."""
        if entry.is_own:
            return _NO_FLAGS
        found: dict[str, list[Flag]] = {}
        for name, owner, reason in self._names.look_alikes(source):
            flag = Flag(kind="look_alike", path="$.name", reason=f"{reason} of source {owner!r}")
            found.setdefault(name, []).append(flag)
        for item in mentioning:
            for mention in item.mentions:
                others = self._others(mention.name, source)
                if others:
                    reason = f"it says what to do with {mention.name!r}, a tool of {others[0]!r}"
                    flag = Flag(kind="instruction", path=mention.path, reason=reason)
                    found.setdefault(item.tool.definition.name, []).append(flag)
        return {name: tuple(flags) for name, flags in found.items()} or _NO_FLAGS

    def _others(self, mentioned: str, source: SourceName) -> Sequence[SourceName]:
        """Other sources whose tool is meant, where it is none of the source's own."""
        owners = self._names.owners(mentioned) or self._names.owners(_bare(mentioned))
        return () if source in owners else sorted(owners)

    def _suspended(
        self, source: SourceName, entry: SourceEntry, flags: _Flags
    ) -> Mapping[QualifiedName, str]:
        book = self._book
        if book is None or not book.compares(source):
            return {}
        suspended: dict[QualifiedName, str] = {}
        for item in entry.prepared:
            pin_hash = item.tool.pin_hash
            if not pin_hash:
                # It cannot be used anyway.
                continue
            name = item.source_definition.name
            state = book.state(source, name, pin_hash)
            if state == "changed":
                what = "its definition changed since it was accepted"
                suspended[item.qualified] = _advise(what, item.qualified)
            elif state == "new" and book.accepts(source):
                reason = self._refusal(item, flags.get(name, ()))
                if reason:
                    suspended[item.qualified] = _advise(reason, item.qualified)
                else:
                    book.accept(item.source_definition, pin_hash)
        return suspended

    def _refusal(self, item: PreparedTool, flags: tuple[Flag, ...]) -> str:
        """Why a tool that is seen for the first time is not accepted; empty where it is."""
        assert self._book is not None
        if self._book.mode == "strict":
            return 'it was never accepted (pins.mode = "strict")'
        all_flags = (*item.tool.flags, *flags)
        if all_flags and self._book.flagged == "suspend":
            # Models read this: none of the words that are suspicious.
            return f"it is suspicious ({', '.join(sorted({flag.kind for flag in all_flags}))})"
        return ""


def _advise(reason: str, name: QualifiedName) -> str:
    return f"{reason}; `toolweft pin diff {name}` shows it, `toolweft pin accept {name}` allows it"


def _take_over(known: _Known, prepared: tuple[PreparedTool, ...]) -> None:
    """Note what of the new tools is asked for again with every other source that changes."""
    mentions = [mention.name for item in prepared for mention in item.mentions]
    known.prepared = prepared
    known.names = _usable_names(prepared)
    known.mentioning = tuple(item for item in prepared if item.mentions)
    known.mentioned = frozenset((*mentions, *map(_bare, mentions)))


def _usable_names(prepared: Sequence[PreparedTool]) -> frozenset[ToolName]:
    return frozenset(i.tool.definition.name for i in prepared if i.tool.status != "disabled")


def _bare(mentioned: str) -> str:
    """A name without the source that may stand before it."""
    return mentioned.replace(":", ".").replace("/", ".").rpartition(".")[2]


def _log_flags(source: SourceName, flags: _Flags, known: _Flags) -> None:
    new = [
        (name, flag)
        for name, found in flags.items()
        for flag in found
        if flag not in known.get(name, ())
    ]
    for name, flag in new[:_MAX_LOGGED]:
        fields = {"source": source, "tool": name, "reason": str(flag)}
        log.warning("catalog.tool_flagged", extra=fields)
    _log_rest(source, "catalog.more_tools_flagged", len(new))


def _log_suspended(source: SourceName, review: Review, known: Review) -> None:
    new = [
        (name, reason)
        for name, reason in review.suspended.items()
        if known.suspended.get(name) != reason
    ]
    for name, reason in new[:_MAX_LOGGED]:
        fields = {"source": source, "tool": name, "reason": reason}
        log.warning("catalog.tool_suspended", extra=fields)
    _log_rest(source, "catalog.more_tools_suspended", len(new))


def _log_rest(source: SourceName, event: str, count: int) -> None:
    if count > _MAX_LOGGED:
        log.warning(event, extra={"source": source, "count": count - _MAX_LOGGED})
