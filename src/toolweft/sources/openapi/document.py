"""Text of a description to plain JSON, whether it is written in JSON or YAML. Pure.

YAML is read as the JSON that OpenAPI wants it to be: YAML 1.2's core schema, so that `on` is a text
and a date is one too, keys are texts, aliases are counted as if written out. Knows nothing of
OpenAPI but its version.
"""

import json
import math
import re
from dataclasses import dataclass
from typing import Any, Final

from toolweft.core.errors import InvalidDefinition
from toolweft.core.json import Json, JsonObject, decode_json

__all__ = ("MAX_DOCUMENT_BYTES", "parse_document")

# GitHub's, one of the largest there are, has 12 MB.
MAX_DOCUMENT_BYTES = 32 * 1024 * 1024
# Twice what a schema may have: paths, responses and the like stand around it.
_MAX_DEPTH = 200
# Lists, objects and values with every alias written out; a byte of text makes at most one.
_MAX_NODES = 4_000_000

_SUPPORTED = re.compile(r"3\.[01]\.\d")
_INT = re.compile(r"[-+]?[0-9]+\Z")
_OTHER_INT = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: Final[dict[str, Json]] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_CONTAINERS = frozenset({"MappingStartEvent", "SequenceStartEvent"})
_MAX_NUMBER_CHARACTERS = 400


def parse_document(text: bytes) -> JsonObject:
    """The description as plain JSON.

    Raises:
        InvalidDefinition: too large, too deep, neither JSON nor YAML, or not OpenAPI 3.0 or 3.1;
            with line and column where there are any.
    """
    if len(text) > MAX_DOCUMENT_BYTES:
        raise InvalidDefinition(
            f"the description has {len(text):,} bytes; the limit is {MAX_DOCUMENT_BYTES:,}",
            hint="leave out what is not needed",
        )
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDefinition(
            f"byte {error.start} of the description is not UTF-8", hint="save it as UTF-8"
        ) from error
    document = _parse_json(decoded) if decoded.lstrip()[:1] == "{" else _parse_yaml(decoded)
    return _check_version(document)


def _check_version(document: Json) -> JsonObject:
    if not isinstance(document, dict):
        raise InvalidDefinition(
            f"the description is {_kind(document)}, not an object",
            hint="it begins with openapi: 3.0.x or 3.1.x",
        )
    if "swagger" in document:
        raise InvalidDefinition(
            f"the description is Swagger {str(document['swagger'])[:20]!r}, not OpenAPI 3",
            hint="convert it to OpenAPI 3, as with swagger2openapi, and name the new file",
        )
    version = document.get("openapi")
    if not isinstance(version, str) or not _SUPPORTED.match(version):
        raise InvalidDefinition(
            f"$.openapi is {str(version)[:40]!r}; 3.0.x and 3.1.x can be read",
            hint="check that this is the address of the description, not of a page about it",
        )
    return document


def _parse_json(text: str) -> Json:
    try:
        document = decode_json(text)
    except json.JSONDecodeError as error:
        if text.lstrip()[1:].lstrip()[:1] != '"':
            # YAML may begin with a brace as well.
            return _parse_yaml(text)
        raise InvalidDefinition(
            f"the description is no JSON: {error.msg} in line {error.lineno}, column {error.colno}"
        ) from error
    except ValueError as error:
        raise InvalidDefinition(f"the description is no JSON: {error}") from error
    except RecursionError as error:
        raise _too_deep() from error
    _check_depth(document)
    return document


def _check_depth(document: Json) -> None:
    level: list[Json] = [document]
    for _ in range(_MAX_DEPTH):
        level = [
            child
            for value in level
            for child in (value.values() if isinstance(value, dict) else value)
            if isinstance(child, dict | list)
        ]
        if not level:
            return
    raise _too_deep()


def _parse_yaml(text: str) -> Json:
    import yaml

    # In C where PyYAML has it: ten times as fast. From events, as its own reading of deep nesting
    # ends the process.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    reader = _Reader()
    try:
        for event in yaml.parse(text, Loader=loader):
            reader.feed(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        said = error.problem or error.context or "cannot be read"
        raise InvalidDefinition(f"the description is no YAML: {said}{place}") from error
    except yaml.YAMLError as error:
        raise InvalidDefinition(f"the description is no YAML: {error}") from error
    return reader.root


@dataclass(slots=True)
class _Open:
    """A list or object that is being read."""

    value: Json
    anchor: str | None
    # Of everything in it so far, aliases written out.
    nodes: int = 1
    # The key whose value comes next; None where a key comes next.
    key: str | None = None


class _Reader:
    """Makes plain JSON of YAML's events; an alias is the very object its anchor is."""

    def __init__(self) -> None:
        self.root: Json = None
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Json, int]] = {}
        self._documents = 0

    def feed(self, event: Any) -> None:
        """Take the next event."""
        kind = type(event).__name__
        if kind == "ScalarEvent":
            self._scalar(event)
        elif kind in _CONTAINERS:
            self._begin(event, {} if kind == "MappingStartEvent" else [])
        elif kind in {"MappingEndEvent", "SequenceEndEvent"}:
            closed = self._open.pop()
            self._place(closed.value, closed.nodes, event, anchor=closed.anchor)
        elif kind == "AliasEvent":
            if event.anchor not in self._anchors:
                raise InvalidDefinition(
                    f"{_where(event)}: the alias *{event.anchor} has no finished anchor before it",
                    hint="use $ref for what refers to itself",
                )
            value, nodes = self._anchors[event.anchor]
            self._place(value, nodes, event)
        elif kind == "DocumentStartEvent":
            self._documents += 1
            if self._documents > 1:
                raise InvalidDefinition(f"{_where(event)}: a second document begins")

    def _scalar(self, event: Any) -> None:
        holder = self._open[-1] if self._open else None
        if holder is None or holder.key is not None or isinstance(holder.value, list):
            self._place(_read_scalar(event), 1, event, anchor=event.anchor)
            return
        is_plain = event.implicit[0]
        if is_plain and event.value == "<<":
            raise InvalidDefinition(
                f"{_where(event)}: merge keys (<<) are not part of the YAML of OpenAPI",
                hint="write the keys out, or use $ref",
            )
        holder.key = event.value

    def _begin(self, event: Any, empty: Json) -> None:
        if len(self._open) >= _MAX_DEPTH:
            raise _too_deep()
        self._open.append(_Open(empty, event.anchor))

    def _place(self, value: Json, nodes: int, event: Any, *, anchor: str | None = None) -> None:
        if anchor is not None:
            self._anchors[anchor] = value, nodes
        if not self._open:
            self.root = value
            return
        holder = self._open[-1]
        holder.nodes += nodes
        if holder.nodes > _MAX_NODES:
            raise InvalidDefinition(
                f"{_where(event)}: the description has more than {_MAX_NODES:,} values when its"
                " aliases are written out",
                hint="use $ref in place of aliases",
            )
        if isinstance(holder.value, list):
            holder.value.append(value)
        elif holder.key is None:
            raise InvalidDefinition(f"{_where(event)}: a key is {_kind(value)}, not a text")
        else:
            holder.value[holder.key] = value
            holder.key = None


def _read_scalar(event: Any) -> Json:
    text: str = event.value
    if not event.implicit[0]:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if len(text) > _MAX_NUMBER_CHARACTERS:
        return text
    if _INT.match(text):
        return int(text)
    if _OTHER_INT.match(text):
        return int(text, 0)
    if _FLOAT.match(text):
        number = float(text)
        return number if math.isfinite(number) else text
    return text


def _where(event: Any) -> str:
    return f"line {event.start_mark.line + 1}, column {event.start_mark.column + 1}"


def _kind(value: Json) -> str:
    return "empty" if value is None else f"a {type(value).__name__}"


def _too_deep() -> InvalidDefinition:
    return InvalidDefinition(
        f"the description is nested deeper than {_MAX_DEPTH} levels", hint="use $ref"
    )
