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

from toolweft.config.json_text import plain_json
from toolweft.config.toml_text import toml_statements
from toolweft.core.errors import ConfigError
from toolweft.core.json import Json, JsonObject

__all__ = ("Document", "KeyPath", "parse_document", "read_document")

# Keys and list positions from the top: ("http", "keys", 0, "user").
KeyPath: TypeAlias = tuple[str | int, ...]

_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|\n|[^\s{}\[\]:,"]+')
_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")


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
    """Parse JSON, comments included, or, where the name ends in `.toml`, TOML.

    Raises:
        ConfigError: not valid; the message has line and column.
    """
    if path.suffix == ".toml":
        toml = _parse_toml(text, label)
        return Document(path=path, label=label, data=toml, lines=dict(_toml_lines(text)))
    plain = plain_json(text)
    data = _parse_json(plain, label)
    lines: dict[KeyPath, int] = {}
    for key, line in _json_lines(plain):
        if key in lines:
            raise ConfigError(
                f"{label}:{line}: the key {key[-1]!r} was already given in line {lines[key]}",
                hint="rename or remove one of the two",
            )
        lines[key] = line
    return Document(path=path, label=label, data=data, lines=lines)


def _parse_json(plain: str, label: str) -> JsonObject:
    try:
        data: Json = json.loads(plain)
    except json.JSONDecodeError as exc:
        is_open = plain.startswith("/*", exc.pos)
        raise ConfigError(
            f"{label}:{exc.lineno}:{exc.colno}: not valid JSON: {exc.msg}",
            hint="end this comment with */"
            if is_open
            else f"look at line {exc.lineno}, column {exc.colno}, and just before it",
        ) from exc
    except RecursionError as exc:
        raise ConfigError(f"{label}: nested too deeply") from exc
    except ValueError as exc:
        raise _too_long(label) from exc
    if not isinstance(data, dict):
        raise ConfigError(
            f"{label}: an object is needed at the top, not {type(data).__name__}",
            hint='a file looks like {"mcpServers": {"time": {"command": "mcp-server-time"}}}',
        )
    return data


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
    except RecursionError as exc:
        raise ConfigError(f"{label}: nested too deeply") from exc
    except ValueError as exc:
        raise _too_long(label) from exc


def _too_long(label: str) -> ConfigError:
    return ConfigError(
        f"{label}: a number in it has more digits than can be read",
        hint="write it as a text, or leave it out",
    )


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
    for statement in toml_statements(text):
        yield statement.path, statement.line
