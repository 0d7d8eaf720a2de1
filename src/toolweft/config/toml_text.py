"""The statements of a TOML text, as offsets: what `tomllib` reads but does not place. Pure."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ("Statement", "toml_statements")

_BLANK = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*")
_PART = re.compile(
    r"""\s*(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|'(?P<literal>[^']*)'|(?P<bare>[A-Za-z0-9_-]+))[ \t]*"""
)
_VALUE = re.compile(
    r'"""(?:[^\\]|\\.)*?"""(?:"{0,2})|'
    r"'''.*?'''(?:'{0,2})|"
    r'"(?:[^"\\\n]|\\.)*"|'
    r"'[^'\n]*'|#[^\n]*|[\[\]{}\n]|[^\[\]{}\n\"'#]+",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A table's header or a key with its value."""

    # From the top of the file; a table of a list has its position: ("http", "keys", 0).
    path: tuple[str | int, ...]
    is_header: bool
    # From the beginning of its first line to behind the end of its last.
    start: int
    end: int
    # From 1.
    line: int


def toml_statements(text: str) -> Iterator[Statement]:
    """Every statement of a valid text, in order; keys inside a value are left out."""
    table: tuple[str | int, ...] = ()
    counts: dict[tuple[str | int, ...], int] = {}
    position, line, counted = 0, 1, 0
    while True:
        blank = _BLANK.match(text, position)
        assert blank is not None
        position = blank.end()
        if position >= len(text):
            return
        line += text.count("\n", counted, position)
        counted = position
        is_header = text[position] == "["
        brackets = 2 if text.startswith("[[", position) else int(is_header)
        key, after = _key(text, position + brackets)
        if is_header:
            table = key
            if brackets == 2:
                counts[key] = counts.get(key, -1) + 1
                table = (*key, counts[key])
        end = _line_end(text, after + brackets)
        yield Statement(
            path=table if is_header else (*table, *key),
            is_header=is_header,
            start=text.rfind("\n", 0, position) + 1,
            end=end,
            line=line,
        )
        position = end


def _key(text: str, position: int) -> tuple[tuple[str | int, ...], int]:
    parts: list[str | int] = []
    while match := _PART.match(text, position):
        quoted = match["quoted"]
        parts.append(match["literal"] or match["bare"] or "" if quoted is None else _read(quoted))
        position = match.end()
        if text[position : position + 1] != ".":
            break
        position += 1
    return tuple(parts), position


def _read(quoted: str) -> str:
    def character(match: re.Match[str]) -> str:
        code = match[1] or match[2]
        return chr(int(code, 16)) if code else _SHORT.get(match[3], match[3])

    return _ESCAPE.sub(character, quoted)


def _line_end(text: str, position: int) -> int:
    """Behind the line break that ends a statement: one outside quotes and brackets."""
    depth = 0
    while match := _VALUE.match(text, position):
        token = match[0]
        position = match.end()
        if token == "\n" and depth <= 0:
            break
        if token in {"[", "{"}:
            depth += 1
        elif token in {"]", "}"}:
            depth -= 1
    return position
