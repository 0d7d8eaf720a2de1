"""Bytes that come in pieces to rows: JSON arrays, JSON lines, lines of text. Without any I/O.

Each reader takes pieces of any size with `feed` and gives the rows that are complete; `finish`
gives what was left at the end. No more is kept than the row that is still open.
"""

import codecs
import json
import re
from collections.abc import Iterator
from json.decoder import JSONDecoder
from typing import Any, Protocol

__all__ = ("ArrayRows", "BadRow", "LineRows", "RowReader", "parse_lines")

_decode = JSONDecoder().raw_decode
_SPACE = re.compile(r"[ \t\n\r]*")
# What may belong to a number that is not over yet.
_NUMBER_REST = re.compile(r"[-+.eE0-9]*\Z")
# Characters of the longest word or escape that a cut may leave unfinished.
_CUT = 16


class BadRow(ValueError):
    """The content is not what its kind says."""


class RowReader(Protocol):
    """Pieces to rows."""

    def feed(self, piece: bytes) -> Iterator[Any]:
        """The rows that are complete now."""
        ...

    def finish(self) -> Iterator[Any]:
        """The rest."""
        ...


class LineRows:
    """Lines as bytes, without their ends; empty ones too, but none after the last end."""

    def __init__(self) -> None:
        self._open: list[bytes] = []

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The lines that are complete now."""
        first, *others = piece.split(b"\n")
        self._open.append(first)
        if not others:
            return
        yield _without_return(b"".join(self._open))
        self._open = [others.pop()]
        if b"\r" in piece:
            others = [_without_return(line) for line in others]
        yield from others

    def finish(self) -> Iterator[bytes]:
        """A last line without an end."""
        line = b"".join(self._open)
        self._open = []
        if line:
            yield _without_return(line)


class ArrayRows:
    """Items of one JSON array at the top."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._text = ""
        self._waiting: list[str] = []
        self._waiting_characters = 0
        # What may come next: the array's start, an item, or what follows one.
        self._state = "start"
        self._rows = 0

    def feed(self, piece: bytes) -> Iterator[Any]:
        """The items that are complete now."""
        return self._feed(self._decode(piece, is_last=False), is_last=False)

    def finish(self) -> Iterator[Any]:
        """Nothing, for everything is there already.

        Raises:
            BadRow: the array did not end.
        """
        yield from self._feed(self._decode(b"", is_last=True), is_last=True)
        if self._state != "end":
            raise BadRow(f"the JSON array ends in the middle, after {self._rows} items")

    def _decode(self, piece: bytes, *, is_last: bool) -> str:
        try:
            text = self._decoder.decode(piece, is_last)
        except UnicodeDecodeError:
            raise BadRow("the content is not UTF-8") from None
        return text.removeprefix("\ufeff") if self._state == "start" else text

    def _feed(self, text: str, *, is_last: bool) -> Iterator[Any]:
        self._waiting.append(text)
        self._waiting_characters += len(text)
        # An item that spans many pieces is looked at each time its text has doubled.
        if not is_last and self._waiting_characters < len(self._text):
            return
        text = self._text = self._text + "".join(self._waiting)
        self._waiting.clear()
        self._waiting_characters = 0
        position = 0
        while True:
            position = _after_space(text, position)
            if position >= len(text):
                break
            if self._state == "item" and text[position] != "]":
                end, row = self._item(text, position, is_last=is_last)
                if end is None:
                    break
                self._state = "after"
                self._rows += 1
                position = end
                yield row
            else:
                self._punctuation(text[position])
                position += 1
        self._text = text[position:]

    def _item(self, text: str, position: int, *, is_last: bool) -> tuple[int | None, Any]:
        try:
            row, end = _decode(text, position)
        except json.JSONDecodeError as fault:
            # What only lacks its end is wrong at its end, or in a text that is still open.
            is_open = fault.msg.startswith("Unterminated") or fault.pos > len(text) - _CUT
            if is_last or not is_open:
                raise BadRow(f"item {self._rows} is not JSON: {fault.msg}") from None
            return None, None
        except RecursionError:
            raise BadRow(f"item {self._rows} is nested too deeply") from None
        if not is_last and isinstance(row, int | float) and _NUMBER_REST.match(text, end):
            return None, None
        return end, row

    def _punctuation(self, character: str) -> None:
        match self._state, character:
            case "start", "[":
                self._state = "item"
            case "after", ",":
                self._state = "item"
            case "item" | "after", "]":
                self._state = "end"
            case "start", _:
                raise BadRow("the JSON is no array")
            case _:
                raise BadRow(f"{character!r} stands after item {self._rows - 1}")


def parse_lines(lines: list[bytes], *, first: int) -> list[Any]:
    """The values of JSON lines, empty ones left out; `first` is the number of the first, from 0.

    Raises:
        BadRow: a line is not JSON; the message has its number, from 1.
    """
    filled = [line for line in lines if line and not line.isspace()]
    try:
        # One call for all of them takes half the time of one for each.
        rows = json.loads(b"[" + b",".join(filled) + b"]")
    except (ValueError, RecursionError):
        rows = None
    if rows is not None and len(rows) == len(filled):
        return list(rows)
    return [_parse_line(line, first + i) for i, line in enumerate(lines) if line.strip()]


def _parse_line(line: bytes, index: int) -> Any:
    try:
        return json.loads(line.removeprefix(codecs.BOM_UTF8) if index == 0 else line)
    except (ValueError, RecursionError) as fault:
        raise BadRow(f"line {index + 1} is not JSON: {fault}") from None


def _after_space(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    assert found is not None
    return found.end()


def _without_return(line: bytes) -> bytes:
    return line[:-1] if line.endswith(b"\r") else line
