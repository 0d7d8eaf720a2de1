"""Changes tables below one table of a TOML text and leaves every other byte as it is. Pure."""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import date, time

from toolweft.config.toml_text import Statement, toml_statements
from toolweft.core.json import Json, JsonObject

__all__ = ("add_rules", "edit_toml", "written_tables")

_BARE = re.compile(r"[A-Za-z0-9_-]+\Z")
_BLANK_LINES = re.compile(r"(?:[ \t]*\r?\n)+")
_FINAL_BREAK = re.compile(r"\r?\n\Z")


def edit_toml(
    text: str,
    root: str,
    *,
    remove: Collection[str],
    add: Mapping[str, Json],
    written: Mapping[str, str] | None = None,
) -> str:
    """The text with tables below `root` removed and others added.

    Args:
        text: valid TOML, or empty.
        root: a table at the top.
        remove: names of tables below it.
        add: new tables, in the place of the first that is removed, else at the end.
        written: how some of the new ones are to be written, from `written_tables`.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    gone = list(_spans(text, root, remove))
    tables = [
        (written or {}).get(name) or _table((root, name), value, newline)
        for name, value in add.items()
    ]
    added = newline.join(tables)
    headers = [start for start, _, is_header in gone if is_header]
    place = headers[0] if headers else len(text)
    parts: list[str] = []
    position = 0
    for start, end, _ in gone:
        parts.append(text[position:start])
        position = end
        if start == place and added:
            parts.append(added)
            if text[end:].strip() and not _BLANK_LINES.match(text, end):
                parts.append(newline)
        elif _ends_blank("".join(parts)):
            blank = _BLANK_LINES.match(text, end)
            position = end if blank is None else blank.end()
    whole = "".join((*parts, text[position:]))
    if added and not headers:
        whole = _append(whole, added, newline)
    return whole


def add_rules(text: str, server: str, rules: Mapping[str, Mapping[str, Json]]) -> str:
    """The text with decisions about a server's tools, each in a line.

    Args:
        text: valid TOML, or empty.
        server: its name.
        rules: what is decided, by tool.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    section = ("servers", server, "configs")
    statements = list(toml_statements(text))
    left = dict(rules)
    edits: list[tuple[int, str]] = []
    for statement in statements:
        tool = str(statement.path[3]) if len(statement.path) == 4 else ""
        if statement.is_header and statement.path[:3] == section and tool in left:
            lines = [f"{_key(key)} = {_value(value)}" for key, value in left.pop(tool).items()]
            edits.append((statement.end, newline.join(lines) + newline))
    lines = [f"{_key(tool)} = {_value(dict(rule))}" for tool, rule in left.items()]
    added = newline.join(lines)
    holder = next((s for s in statements if s.is_header and s.path == section), None)
    if lines and holder is not None:
        edits.append((holder.end, added + newline))
    for place, insertion in sorted(edits, reverse=True):
        before = text[:place]
        broken = before if before.endswith("\n") else before + newline
        text = broken + insertion + text[place:]
    if lines and holder is None:
        text = _append(text, f"[{_path(section)}]{newline}{added}{newline}", newline)
    return text


def written_tables(text: str, root: str) -> dict[str, str]:
    """How each table below `root` is written, its own tables and comments included.

    Those that are not written as tables are left out.
    """
    found: dict[str, str] = {}
    names = {str(s.path[1]) for s in toml_statements(text) if s.path[0] == root and len(s.path) > 1}
    for name in names:
        spans = list(_spans(text, root, {name}))
        if len(spans) == 1 and spans[0][2]:
            found[name] = text[spans[0][0] : spans[0][1]]
    return found


def _ends_blank(text: str) -> bool:
    return not text or text.endswith(("\n\n", "\n\r\n"))


def _spans(text: str, root: str, names: Collection[str]) -> Iterator[tuple[int, int, bool]]:
    """Runs of statements that belong to tables of these names, and whether one begins a table."""
    run: list[Statement] = []
    for statement in toml_statements(text):
        path = statement.path
        if len(path) > 1 and path[0] == root and path[1] in names:
            run.append(statement)
        elif run:
            yield run[0].start, run[-1].end, run[0].is_header
            run = []
    if run:
        yield run[0].start, run[-1].end, run[0].is_header


def _append(text: str, added: str, newline: str) -> str:
    if text and not _FINAL_BREAK.search(text):
        text += newline
    return text + ("" if _ends_blank(text) else newline) + added


def _table(path: tuple[str, ...], value: Json, newline: str) -> str:
    assert isinstance(value, dict)
    lines = [f"{_key(key)} = {_value(below)}" for key, below in value.items()]
    return "".join(line + newline for line in (f"[{_path(path)}]", *lines))


def _path(path: tuple[str, ...]) -> str:
    return ".".join(map(_key, path))


def _key(key: str) -> str:
    return key if _BARE.match(key) else _text(key)


def _value(value: Json) -> str:
    if isinstance(value, dict):
        return _inline(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    if isinstance(value, date | time):
        return value.isoformat()
    return _text(value) if isinstance(value, str) else json.dumps(value)


def _inline(value: JsonObject) -> str:
    pairs = [f"{_key(key)} = {_value(below)}" for key, below in value.items()]
    return f"{{ {', '.join(pairs)} }}" if pairs else "{}"


def _text(text: str) -> str:
    # A JSON text is a TOML text, but for one character that TOML wants escaped.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
