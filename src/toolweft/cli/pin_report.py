"""How the tools of servers stand to what was accepted, as data and as text; pure."""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Final, Literal

from toolweft.catalog.pins.differences import Absent, Difference, find_differences
from toolweft.catalog.pins.hidden import show_hidden
from toolweft.cli.describe import flag_to_dict
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import Json, JsonObject
from toolweft.core.pins import Flag, Pin, PinnedServer, Pins
from toolweft.core.snapshot import CatalogTool

__all__ = ("PinReport", "PinRow", "RowState", "accept_rows", "compare_pins", "render_row")

# same, changed, new: see `PinState`. removed: accepted, and no more offered. unusable: offered,
# and cannot be used as it is.
RowState = Literal["same", "changed", "new", "removed", "unusable"]
_WORDS: Final = re.compile(r"\s+|\w+|[^\w\s]")
# Comparing longer texts word by word takes time that grows with the square.
_MAX_WORDS: Final = 4_000
_MAX_VALUE_CHARACTERS: Final = 2_000
# Around what changed in a long text.
_KEPT_WORDS: Final = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class PinRow:
    """One tool of one server."""

    # As `toolweft pin accept` takes it.
    name: str
    source: SourceName
    tool: ToolName
    state: RowState
    hash: str = ""
    definition: JsonObject
    differences: tuple[Difference, ...] = ()
    flags: tuple[Flag, ...] = ()

    def to_dict(self) -> JsonObject:
        """The row as plain JSON."""
        return {
            "name": self.name,
            "source": self.source,
            "tool": self.tool,
            "state": self.state,
            "hash": self.hash,
            "differences": [
                {"path": d.path, **_sides(d)} for d in self.differences if self.state == "changed"
            ],
            "flags": [flag_to_dict(flag) for flag in self.flags],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class PinReport:
    """All of them."""

    path: str
    rows: tuple[PinRow, ...]
    # Servers that could not be asked.
    not_ready: tuple[SourceName, ...]
    # Server -> how it was reached when its tools were accepted, where that is not as it is now.
    moved: Mapping[SourceName, str]

    @property
    def is_clean(self) -> bool:
        """Whether everything is as it was accepted, and everything could be compared."""
        return not self.not_ready and all(row.state == "same" for row in self.rows)

    def to_dict(self) -> JsonObject:
        """The report as plain JSON."""
        return {
            "ok": self.is_clean,
            "path": self.path,
            "tools": [row.to_dict() for row in self.rows],
            "not_ready": list(self.not_ready),
            "moved": dict(self.moved),
        }


def compare_pins(
    pins: Pins,
    tools: Sequence[tuple[CatalogTool, JsonObject]],
    *,
    ready: Collection[SourceName],
) -> tuple[PinRow, ...]:
    """A row for each tool that is offered or was accepted, by name.

    Args:
        pins: what is accepted.
        tools: with their records as their sources give them.
        ready: sources that listed all of their tools.
    """
    rows = [_row(tool, record, pins) for tool, record in tools]
    offered = {(row.source, row.tool) for row in rows}
    rows += [
        PinRow(
            name=f"{source}.{tool}",
            source=source,
            tool=tool,
            state="same" if pin.removed else "removed",
            hash=pin.hash,
            definition=pin.definition,
        )
        for source, server in pins.items()
        for tool, pin in server.tools.items()
        if source in ready and (source, tool) not in offered
    ]
    return tuple(sorted(rows, key=lambda row: row.name))


def accept_rows(pins: Pins, rows: Sequence[PinRow], reached: Mapping[SourceName, str]) -> Pins:
    """The pins with these rows accepted as they are."""
    accepted = dict(pins)
    for row in rows:
        server = accepted.get(row.source, PinnedServer())
        pin = Pin(hash=row.hash, definition=row.definition, removed=row.state == "removed")
        accepted[row.source] = PinnedServer(
            reached=reached.get(row.source, server.reached), tools={**server.tools, row.tool: pin}
        )
    return accepted


def render_row(row: PinRow) -> str:
    """What changed in one tool, and what is suspicious in it."""
    lines = [f"{row.name}: {row.state}"]
    if row.state == "changed" and not row.differences:
        lines.append("  what was accepted is not known well enough to show the difference")
    if row.state == "changed":
        for difference in row.differences:
            lines += _render_difference(difference)
    elif row.state == "new":
        lines += _indent(show_hidden(str(row.definition.get("description", ""))), by=4)
    lines += [f"  suspicious: {show_hidden(str(flag))}" for flag in row.flags]
    return "\n".join(lines)


def _row(tool: CatalogTool, record: JsonObject, pins: Pins) -> PinRow:
    definition = tool.definition
    server = pins.get(definition.namespace, PinnedServer())
    pin = server.tools.get(definition.name)
    state: RowState = "new"
    if pin is not None:
        state = "same" if pin.hash == tool.pin_hash else "changed"
    if not tool.pin_hash:
        state = "same" if pin is None else "unusable"
    changed = state == "changed" and pin is not None and pin.definition
    return PinRow(
        name=tool.qualified,
        source=definition.namespace,
        tool=definition.name,
        state=state,
        hash=tool.pin_hash,
        definition=record,
        differences=find_differences(pin.definition, record) if pin and changed else (),
        flags=tool.flags,
    )


def _render_difference(difference: Difference) -> Iterator[str]:
    old, new = difference.old, difference.new
    yield f"  {difference.path}"
    if isinstance(old, str) and isinstance(new, str):
        yield from _indent(_mark_words(show_hidden(old), show_hidden(new)), by=4)
        return
    if not isinstance(old, Absent):
        yield from _indent(f"- {_value(old)}", by=4)
    if not isinstance(new, Absent):
        yield from _indent(f"+ {_value(new)}", by=4)


def _mark_words(old: str, new: str) -> str:
    """Both texts in one: `[-what went-]`, `{+what came+}`."""
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    if len(before) > _MAX_WORDS or len(after) > _MAX_WORDS:
        return f"[-{_cut(old)}-]{{+{_cut(new)}+}}"
    parts: list[str] = []
    matcher = SequenceMatcher(None, before, after, autojunk=False)
    for tag, a_start, a_end, b_start, b_end in matcher.get_opcodes():
        if tag == "equal":
            parts.append(_shorten(before[a_start:a_end]))
            continue
        gone, come = "".join(before[a_start:a_end]), "".join(after[b_start:b_end])
        parts += [f"[-{gone}-]" if gone else "", f"{{+{come}+}}" if come else ""]
    return "".join(parts)


def _shorten(words: Sequence[str]) -> str:
    if len(words) <= 2 * _KEPT_WORDS:
        return "".join(words)
    return f"{''.join(words[:_KEPT_WORDS])} … {''.join(words[-_KEPT_WORDS:])}"


def _sides(difference: Difference) -> JsonObject:
    sides = {"old": difference.old, "new": difference.new}
    return {key: value for key, value in sides.items() if not isinstance(value, Absent)}


def _value(value: Json) -> str:
    return _cut(show_hidden(json.dumps(value, ensure_ascii=False)))


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_VALUE_CHARACTERS else f"{text[:_MAX_VALUE_CHARACTERS]}…"


def _indent(text: str, *, by: int) -> Iterator[str]:
    return (" " * by + line for line in text.splitlines())
