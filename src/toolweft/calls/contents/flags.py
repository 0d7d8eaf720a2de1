"""What is suspicious in the prompts and resources that sources list: looked at once per listing.

The checks are those of tools' definitions. Guesses, and nothing is changed for them; where the
configuration says so, what is suspicious is held back.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

from toolweft.catalog.pins.texts import CheckedTexts, check_entry
from toolweft.core.contents import FIELDS, ContentKind, Contents
from toolweft.core.ids import SourceName
from toolweft.core.pins import Flag
from toolweft.core.ports import SnapshotHolder
from toolweft.core.snapshot import Snapshot

__all__ = ("ContentFlags", "Flags")

log = logging.getLogger(__name__)

# By kind and the source's own name or address; only those with something to say.
Flags: TypeAlias = Mapping[tuple[ContentKind, str], tuple[Flag, ...]]

# Of one source at a time; the command line shows all.
_MAX_LOGGED: Final = 20
_NOTHING: Final[Flags] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Looked:
    """What was found in one listing of one source."""

    contents: Contents
    checked: Mapping[tuple[ContentKind, str], CheckedTexts]
    # The snapshot that says whose the tools are; None where nothing speaks of any.
    snapshot: Snapshot | None
    flags: Flags


class ContentFlags:
    """What is suspicious in the lists of every source.

    Args:
        holder: knows whose tool a name is; None where no tools are known.
    """

    def __init__(self, holder: SnapshotHolder | None) -> None:
        self._holder = holder
        self._looked: dict[SourceName, _Looked] = {}
        self._owners: tuple[Snapshot | None, Mapping[str, frozenset[SourceName]]] = (None, {})

    def of(self, source: SourceName, contents: Contents) -> Flags:
        """What is suspicious in what a source lists now; the same object until that changes."""
        before = self._looked.get(source)
        snapshot = None if self._holder is None else self._holder.snapshot
        is_listed = before is not None and before.contents is contents
        if (
            before is not None
            and is_listed
            and (not before.snapshot or before.snapshot is snapshot)
        ):
            return before.flags
        checked = before.checked if before is not None and is_listed else _check(contents)
        speaks_of_tools = any(found.mentions for found in checked.values())
        owners = self._owners_in(snapshot) if snapshot and speaks_of_tools else {}
        flags = {
            key: all_flags
            for key, found in checked.items()
            if (all_flags := (*found.flags, *_cross_flags(found, source, owners)))
        }
        known = _NOTHING if before is None else before.flags
        if flags == known:
            flags_now = known
        else:
            flags_now = MappingProxyType(flags)
            _log(source, flags_now, known)
        self._looked[source] = _Looked(
            contents=contents,
            checked=checked,
            snapshot=snapshot if speaks_of_tools else None,
            flags=flags_now,
        )
        return flags_now

    def _owners_in(self, snapshot: Snapshot) -> Mapping[str, frozenset[SourceName]]:
        """The sources that have a tool of a name, by name."""
        if self._owners[0] is not snapshot:
            owners: dict[str, set[SourceName]] = {}
            for tool in snapshot.tools.values():
                owners.setdefault(tool.definition.name, set()).add(tool.definition.namespace)
            self._owners = snapshot, {name: frozenset(who) for name, who in owners.items()}
        return self._owners[1]


def _check(contents: Contents) -> Mapping[tuple[ContentKind, str], CheckedTexts]:
    return {
        (kind, entry[field]): found
        for kind, field in FIELDS.items()
        for entry in contents.listing(kind).entries
        if (found := check_entry(entry, kind=kind)).flags or found.mentions
    }


def _cross_flags(
    found: CheckedTexts, source: SourceName, owners: Mapping[str, frozenset[SourceName]]
) -> tuple[Flag, ...]:
    """Where a text says what to do with a tool of another source."""
    flags = []
    for mention in found.mentions:
        bare = mention.name.replace(":", ".").replace("/", ".").rpartition(".")[2]
        others = owners.get(mention.name) or owners.get(bare) or frozenset()
        if others and source not in others:
            reason = f"it says what to do with {mention.name!r}, a tool of {min(others)!r}"
            flags.append(Flag(kind="instruction", path=mention.path, reason=reason))
    return tuple(flags)


def _log(source: SourceName, flags: Flags, known: Flags) -> None:
    new = [(key, flag) for key, found in flags.items() for flag in found]
    new = [(key, flag) for key, flag in new if flag not in known.get(key, ())]
    for (kind, name), flag in new[:_MAX_LOGGED]:
        fields = {"source": source, "list": kind, "entry": name[:200], "reason": str(flag)}
        log.warning("contents.flagged", extra=fields)
    if len(new) > _MAX_LOGGED:
        fields = {"source": source, "count": str(len(new) - _MAX_LOGGED)}
        log.warning("contents.more_flagged", extra=fields)
