"""Changes members of one object in a JSON text and leaves every other byte as it is. Pure."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from toolweft.config.json_text import Member, blank_comments, plain_json, scan_object
from toolweft.core.json import Json

__all__ = ("edit_json", "written_members")

_UNIT = "  "
_INDENT = re.compile(r"[ \t]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Style:
    """How an object is laid out."""

    # Before each member; None where all stand on one line.
    indent: str | None
    # Before the brace that closes it.
    outer: str
    newline: str

    @property
    def separator(self) -> str:
        return ", " if self.indent is None else f",{self.newline}{self.indent}"

    def member(self, key: str, value: Json) -> str:
        if self.indent is None:
            return f"{_text(key)}: {_text(value)}"
        unit = self.indent.removeprefix(self.outer) or _UNIT
        lines = json.dumps(value, indent=unit, ensure_ascii=False).split("\n")
        return f"{_text(key)}: " + f"{self.newline}{self.indent}".join(lines)


def edit_json(
    text: str,
    root: str,
    *,
    remove: Collection[str],
    add: Mapping[str, Json],
    written: Mapping[str, str] | None = None,
) -> str:
    """The text with members of the object under `root` removed and others added.

    Args:
        text: valid JSON, with comments and last commas or without; or empty.
        root: a key of the outermost object; made where it is missing.
        remove: keys.
        add: new members, in the place of the first that is removed, else behind the last.
        written: how some of the new ones are to be written, from `written_members`.
    """
    plain = plain_json(text)
    newline = "\r\n" if "\r\n" in text else "\n"
    if not plain.strip():
        return f"{text}{json.dumps({root: dict(add)}, indent=2, ensure_ascii=False)}\n".replace(
            "\n", newline
        )
    top = plain.index("{")
    members, end = scan_object(text, top)
    holder = next((member for member in members if member.key == root), None)
    if holder is None:
        style = _style(text, members, top, newline)
        return _edit(text, members, (top, end), (), [style.member(root, dict(add))], style)
    members, end = scan_object(text, holder.value_start)
    style = _style(text, members, holder.value_start, newline)
    added = [(written or {}).get(key) or style.member(key, value) for key, value in add.items()]
    return _edit(text, members, (holder.value_start, end), remove, added, style)


def written_members(text: str, root: str) -> dict[str, str]:
    """How each member of the object under `root` is written, key included."""
    plain = plain_json(text)
    if not plain.strip():
        return {}
    members, _ = scan_object(text, plain.index("{"))
    holder = next((member for member in members if member.key == root), None)
    if holder is None or plain[holder.value_start] != "{":
        return {}
    found, _ = scan_object(text, holder.value_start)
    return {member.key: text[member.start : member.end] for member in found}


def _edit(
    text: str,
    members: list[Member],
    span: tuple[int, int],
    remove: Collection[str],
    added: list[str],
    style: _Style,
) -> str:
    gone = [member for member in members if member.key in remove]
    left = [member for member in members if member.key not in remove]
    edits: list[tuple[int, int, str]] = []
    bare = blank_comments(text)
    if added and gone:
        replaced = gone.pop(0)
        edits.append((replaced.start, replaced.end, style.separator.join(added)))
        left = sorted((*left, replaced), key=lambda member: member.start)
    elif added and left:
        edits += _append(bare, left[-1], style.separator.join(added), style)
    elif added:
        edits.append(_fill(text, span, style.separator.join(added), style))
    edits += [(*_removed(text, bare, member), "") for member in gone]
    # What is last now must not have a comma where the last one had none.
    if gone and left and gone[-1] is members[-1] and members[-1].comma is None:
        comma = left[-1].comma
        assert comma is not None
        edits.append((comma, comma + 1, ""))
    return _apply(text, edits)


def _append(bare: str, last: Member, added: str, style: _Style) -> list[tuple[int, int, str]]:
    """Behind the last member and what is said about it on its line."""
    end = last.end if last.comma is None else last.comma + 1
    comma = [(last.end, last.end, ",")] if last.comma is None else []
    closing = "," if last.comma is not None else ""
    if style.indent is None:
        return [*comma, (end, end, f" {added}{closing}")]
    line_end = bare.find("\n", end)
    if line_end >= 0 and not bare[end:line_end].strip():
        end = line_end - (bare[line_end - 1] == "\r")
    return [*comma, (end, end, f"{style.newline}{style.indent}{added}{closing}")]


def _fill(text: str, span: tuple[int, int], added: str, style: _Style) -> tuple[int, int, str]:
    """Into an object that has no member; its comments stay above."""
    start, end = span[0] + 1, span[1] - 1
    before = text[start:end].rstrip()
    return start, end, f"{before}{style.newline}{style.indent}{added}{style.newline}{style.outer}"


def _removed(text: str, bare: str, member: Member) -> tuple[int, int]:
    """The whole lines of a member where nothing else stands on them."""
    start = member.start
    end = member.end if member.comma is None else member.comma + 1
    line_start = text.rfind("\n", 0, start) + 1
    line_end = text.find("\n", end)
    is_alone = line_end >= 0 and not text[line_start:start].strip()
    if is_alone and not bare[end:line_end].strip():
        return line_start, line_end + 1
    if member.comma is None:
        return len(text[:start].rstrip(" \t")), end
    space = _INDENT.match(text, end)
    assert space is not None
    return start, space.end()


def _apply(text: str, edits: list[tuple[int, int, str]]) -> str:
    parts: list[str] = []
    position = 0
    for start, end, replacement in sorted(edits, key=lambda edit: edit[:2]):
        parts += (text[position:start], replacement)
        position = max(position, end)
    return "".join((*parts, text[position:]))


def _style(text: str, members: list[Member], start: int, newline: str) -> _Style:
    outer = _INDENT.match(text, text.rfind("\n", 0, start) + 1)
    assert outer is not None
    if not members:
        indent = outer[0] * 2 or _UNIT
        return _Style(indent=indent, outer=outer[0], newline=newline)
    line_start = text.rfind("\n", 0, members[0].start) + 1
    before = text[line_start : members[0].start]
    return _Style(indent=None if before.strip() else before, outer=outer[0], newline=newline)


def _text(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
