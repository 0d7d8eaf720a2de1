"""Text of a configuration file to data, with the line of every key.

Pure. Knows JSON and TOML, and nothing of what the keys mean.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from toolweft.core.errors import ConfigError
from toolweft.core.json import Json, JsonObject

__all__ = ("Document", "KeyPath", "parse_document", "read_document")

# Keys and list positions from the top: ("http", "keys", 0, "user").
KeyPath: TypeAlias = tuple[str | int, ...]

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|\n|[^\s{}\[\]:,"]+')
_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_TOML_KEY_PART = re.compile(r"""\s*(?:"((?:[^"\\]|\\.)*)"|'([^']*)'|([A-Za-z0-9_-]+))\s*""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One configuration file."""

    path: Path
    # How messages call it: relative to the working folder where it lies inside.
    label: str
    data: JsonObject
    # From 1; keys inside a value that was written on one line may be absent.
    lines: Mapping[KeyPath, int]

    @property
    def is_toml(self) -> bool:
        """Whether it is written in TOML; else in JSON."""
        return self.path.suffix == ".toml"

    def place(self, path: KeyPath) -> str:
        """`file:line` of a key, or of the nearest key around it."""
        while path:
            line = self.lines.get(path)
            if line is not None:
                return f"{self.label}:{line}"
            path = path[:-1]
        return self.label


def read_document(path: Path, *, label: str) -> Document:
    """Read and parse one file; `label` is how messages call it.

    Raises:
        ConfigError: it is missing, not readable, not UTF-8 or not valid; with line and column.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as exc:
        raise ConfigError(
            f"the configuration file {label!r} does not exist",
            hint="check the path, or write one with `toolweft init`",
        ) from exc
    except UnicodeDecodeError as exc:
        raise ConfigError(
            f"{label}: byte {exc.start} is not UTF-8", hint="save the file as UTF-8"
        ) from exc
    except OSError as exc:
        raise ConfigError(
            f"the configuration file {label!r} cannot be read: {exc.strerror}",
            hint="check its permissions",
        ) from exc
    return parse_document(text, path=path, label=label)


def parse_document(text: str, *, path: Path, label: str) -> Document:
    """Parse JSON or, where the name ends in `.toml`, TOML.

    Raises:
        ConfigError: not valid; the message has line and column.
    """
    if path.suffix == ".toml":
        toml = _parse_toml(text, label)
        return Document(path=path, label=label, data=toml, lines=dict(_toml_lines(text)))
    data = _parse_json(text, label)
    lines: dict[KeyPath, int] = {}
    for key, line in _json_lines(text):
        if key in lines:
            raise ConfigError(
                f"{label}:{line}: the key {key[-1]!r} was already given in line {lines[key]}",
                hint="rename or remove one of the two",
            )
        lines[key] = line
    return Document(path=path, label=label, data=data, lines=lines)


def _parse_json(text: str, label: str) -> JsonObject:
    try:
        data: Json = json.loads(text)
    except json.JSONDecodeError as exc:
        raise ConfigError(
            f"{label}:{exc.lineno}:{exc.colno}: not valid JSON: {exc.msg}",
            hint=_json_hint(text, exc),
        ) from exc
    except RecursionError as exc:
        raise ConfigError(f"{label}: nested too deeply") from exc
    if not isinstance(data, dict):
        raise ConfigError(
            f"{label}: an object is needed at the top, not {type(data).__name__}",
            hint='a file looks like {"mcpServers": {"time": {"command": "mcp-server-time"}}}',
        )
    return data


def _json_hint(text: str, fault: json.JSONDecodeError) -> str:
    """What to do; some editors allow in their JSON what JSON itself has not."""
    before, after = text[: fault.pos].rstrip(), text[fault.pos :].lstrip()
    # Since Python 3.13 the place is the comma itself.
    if after.startswith(","):
        before, after = ",", after[1:].lstrip()
    if after.startswith(("//", "/*")):
        return "JSON has no comments: remove this one, and any other"
    if before.endswith(",") and after.startswith(("}", "]")):
        return "JSON has no comma after the last value: remove it"
    return f"look at line {fault.lineno}, column {fault.colno}, and just before it"


def _parse_toml(text: str, label: str) -> JsonObject:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        place = _TOML_PLACE.search(str(exc))
        line, column = (place[1], place[2]) if place and place[1] else _end(text)
        reason = _TOML_PLACE.sub("", str(exc))
        raise ConfigError(
            f"{label}:{line}:{column}: not valid TOML: {reason}",
            hint=f"look at line {line}, column {column}, and just before it",
        ) from exc


def _end(text: str) -> tuple[str, str]:
    return str(text.count("\n") + 1), str(len(text) - text.rfind("\n"))


def _json_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Every key of valid JSON with its line, in order; a key given twice comes twice."""
    line = 1
    # One entry a level: the key last seen in an object, or the position in a list.
    path: list[str | int] = []
    previous = ""
    for match in _JSON_TOKEN.finditer(text):
        token = match[0]
        if token == "\n":
            line += 1
            continue
        if token == ":":
            path[-1] = json.loads(previous)
            yield tuple(path), line
        elif token in "{[":
            path.append("" if token == "{" else 0)
        elif token in "}]":
            path.pop()
        elif token == "," and isinstance(path[-1], int):
            path[-1] += 1
        previous = token


def _toml_lines(text: str) -> Iterator[tuple[KeyPath, int]]:
    """Tables and keys of valid TOML with their lines; keys of inline tables are left out."""
    table: KeyPath = ()
    counts: dict[KeyPath, int] = {}
    inside: str | None = None
    for number, line in enumerate(text.splitlines(), start=1):
        if inside is not None:
            inside = _open_quote(line, inside)
            continue
        stripped = line.strip()
        if stripped.startswith("["):
            is_list = stripped.startswith("[[")
            table = tuple(_toml_key(stripped.lstrip("[")))
            if is_list:
                counts[table] = counts.get(table, -1) + 1
                table = (*table, counts[table])
            yield table, number
        elif key := _toml_key(stripped):
            yield (*table, *key), number
            inside = _open_quote(stripped.partition("=")[2], None)


def _toml_key(text: str) -> list[str]:
    parts: list[str] = []
    position = 0
    while match := _TOML_KEY_PART.match(text, position):
        parts.append(next(part for part in match.groups() if part is not None))
        position = match.end()
        if text[position : position + 1] != ".":
            return parts if text[position : position + 1] in {"=", "]"} else []
        position += 1
    return []


def _open_quote(text: str, inside: str | None) -> str | None:
    """The multi-line quote that is still open after this line."""
    for quote in re.findall(r'"""|\'\'\'', text):
        if inside is None:
            inside = quote
        elif inside == quote:
            inside = None
    return inside
