"""JSON as editors write it, with comments and commas after the last value; pure.

Every function keeps offsets, so that places found in the plain text hold in the written one.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ("Member", "blank_comments", "plain_json", "scan_object")

_TOKEN = re.compile(
    r'"(?:[^"\\\n]|\\.)*"|//[^\r\n]*|/\*.*?\*/|[{}\[\]:,]|[^\s{}\[\]:,"/]+|["/]', re.DOTALL
)
_SPACE = re.compile(r"[ \t\r\n]*")
_VISIBLE = re.compile(r"[^\r\n]")
_DECODER = json.JSONDecoder()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A key and its value in the text of an object, as offsets."""

    key: str
    start: int
    value_start: int
    end: int
    # Where the comma behind it stands, if any.
    comma: int | None


def plain_json(text: str) -> str:
    """The text as plain JSON of the same length: what JSON has not becomes blanks."""
    return _blank(text, [*_comments(text), *_last_commas(text)])


def blank_comments(text: str) -> str:
    """The text without its comments, of the same length; commas stay."""
    return _blank(text, list(_comments(text)))


def scan_object(text: str, start: int) -> tuple[list[Member], int]:
    """The members of the object whose brace is at `start`, and where it ends.

    Args:
        text: valid, with comments and last commas or without.
        start: an offset.
    """
    plain, commas = plain_json(text), blank_comments(text)
    members: list[Member] = []
    position = _skip(plain, start + 1)
    while plain[position] != "}":
        key, key_end = _DECODER.raw_decode(plain, position)
        value_start = _skip(plain, _skip(plain, key_end) + 1)
        _, end = _DECODER.raw_decode(plain, value_start)
        behind = _skip(commas, end)
        comma = behind if commas[behind] == "," else None
        members.append(
            Member(key=key, start=position, value_start=value_start, end=end, comma=comma)
        )
        position = _skip(plain, end if comma is None else comma + 1)
    return members, position + 1


def _comments(text: str) -> Iterator[tuple[int, int]]:
    for match in _TOKEN.finditer(text):
        if match[0].startswith(("//", "/*")):
            yield match.span()


def _last_commas(text: str) -> Iterator[tuple[int, int]]:
    """Commas between a value and the bracket that closes what it is in."""
    previous, comma = "", None
    for match in _TOKEN.finditer(text):
        token = match[0]
        if token.startswith(("//", "/*")):
            continue
        if token in {"}", "]"} and comma is not None:
            yield comma
        comma = match.span() if token == "," and previous not in {"", ",", ":", "[", "{"} else None
        previous = token


def _blank(text: str, spans: list[tuple[int, int]]) -> str:
    parts: list[str] = []
    end = 0
    for start, stop in sorted(spans):
        parts += (text[end:start], _VISIBLE.sub(" ", text[start:stop]))
        end = stop
    return "".join((*parts, text[end:]))


def _skip(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    assert match is not None
    return match.end()
