"""Layers of configuration: files, environment, flags, each over the ones before.

A layer is flat, one entry a value, so that a later layer replaces single values and every value
remembers where it was written. Pure except `read_files`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from toolweft.config.client_files import convert_client_file
from toolweft.config.documents import Document, KeyPath, read_document
from toolweft.config.shape import canonical_path, known_keys
from toolweft.core.errors import ConfigError
from toolweft.core.json import Json, JsonObject

__all__ = (
    "Entry",
    "Layer",
    "environment_layer",
    "flag_layer",
    "merge_files",
    "merge_layers",
    "read_files",
    "unused_variables",
)

_PREFIX = "TOOLWEFT_"
# Settings outside any section that a variable may set without a double underscore.
_TOP_KEYS = ("profile",)
# The variable that names the file.
_FILE_KEY = "config"
# Each says how a source is reached.
_TRANSPORTS: Mapping[str, frozenset[str]] = {
    "servers": frozenset({"command", "url", "recorded"}),
    "openapi": frozenset({"url", "path", "base_url"}),
}
_WORDS: Mapping[str, str] = {"servers": "server", "openapi": "OpenAPI source"}
_EMBEDDER: KeyPath = ("search", "embedder")
_CREDENTIALS = frozenset({"key", "headers"})
# What is said of a source's tools, however it is reached.
_DECISIONS = frozenset({("default_config",), ("configs",)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One value as it was written."""

    value: Json
    # "toolweft.toml:12", "environment TOOLWEFT_HTTP__PORT" or "flag".
    origin: str
    # Where relative paths in the value count from.
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Values and the places of all keys, tables included."""

    entries: Mapping[KeyPath, Entry] = field(default_factory=dict)
    places: Mapping[KeyPath, str] = field(default_factory=dict)

    def place(self, path: KeyPath) -> str:
        """Where a key was written, or else the nearest key around it or below it."""
        for length in range(len(path), 0, -1):
            found = self.places.get(path[:length])
            if found is not None:
                return found
        below = (place for key, place in self.places.items() if key[: len(path)] == path)
        return next(below, "configuration")

    def data(self) -> JsonObject:
        """The values as nested dicts."""
        nested: JsonObject = {}
        # Shorter first: a value that stands where a section should be is reported itself.
        for path in sorted(self.entries, key=len):
            level: Json = nested
            for part in path[:-1]:
                level = level.setdefault(part, {}) if isinstance(level, dict) else None
            if isinstance(level, dict):
                level.setdefault(path[-1], self.entries[path].value)
        return nested


def read_files(start: Path, *, cwd: Path) -> tuple[list[Layer], list[Path], list[str]]:
    """Read a file and all it includes.

    Returns:
        The layers and their files, each included file before the one that names it, and notes.

    Raises:
        ConfigError: a file is missing, not valid, or includes itself.
    """
    layers: list[Layer] = []
    files: list[Path] = []
    notes: list[str] = []

    def read(path: Path, above: tuple[Path, ...]) -> None:
        if path in above:
            raise ConfigError(
                f"{_label(above[-1], cwd)} includes {_label(path, cwd)!r}, which includes it",
                hint="remove one of the two includes",
            )
        if path in files:
            return
        document = _read_included(path, above, cwd)
        data, lines = document.data, document.lines
        if not document.is_toml:
            converted = convert_client_file(document)
            data, lines = converted.data, converted.lines
            notes.extend(converted.notes)
        for included in _included(document):
            read(_resolved(path.parent / included), (*above, path))
        layers.append(_document_layer(document, data, lines))
        files.append(path)

    cwd = cwd.resolve()
    read(_resolved(start), ())
    return layers, files, notes


def environment_layer(environ: Mapping[str, str], *, cwd: Path) -> Layer:
    """The values of variables such as `TOOLWEFT_HTTP__PORT` and `TOOLWEFT_PROFILE`."""
    entries: dict[KeyPath, Entry] = {}
    for name, text in environ.items():
        if not name.startswith(_PREFIX):
            continue
        key = name.removeprefix(_PREFIX).lower()
        if "__" in key or key in _TOP_KEYS:
            path = canonical_path(tuple(key.split("__")))
            entries[path] = Entry(value=_parse_text(text), origin=f"environment {name}", folder=cwd)
    return _plain_layer(entries)


def unused_variables(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that was probably meant to set a value and sets none."""
    notes: list[str] = []
    for name in sorted(environ):
        key = name.removeprefix(_PREFIX).lower()
        if not name.startswith(_PREFIX) or "__" in key or key in (*_TOP_KEYS, _FILE_KEY):
            continue
        section, _, below = key.partition("_")
        near = get_close_matches(key, (*_TOP_KEYS, _FILE_KEY), n=1, cutoff=0.75)
        if below and known_keys((section,)):
            near = [f"{section}__{below}"]
        if near:
            meant = f"{_PREFIX}{near[0].upper()}"
            notes.append(f"the variable {name} is not used: did you mean {meant}?")
    return notes


def flag_layer(overrides: Mapping[str, Json], *, cwd: Path) -> Layer:
    """The values of flags, by dotted key; the library may give numbers and lists as such."""
    return _plain_layer(
        {
            canonical_path(tuple(key.split("."))): Entry(
                value=_parse_text(value) if isinstance(value, str) else value,
                origin="flag",
                folder=cwd,
            )
            for key, value in overrides.items()
        }
    )


def merge_files(layers: Sequence[Layer]) -> tuple[Layer, list[str]]:
    """One layer of several files, and notes; a server that is defined anew is not mixed.

    What one file writes for a server (variables, headers, folders) may be credentials: another
    server that a later file gives the same name must not get them. Decisions about tools stay.
    """
    merged = Layer()
    notes: list[str] = []
    for layer in layers:
        for section in sorted(_defined_sources(layer) & _defined_sources(merged), key=str):
            word = _WORDS[str(section[0])]
            notes.append(
                f"{layer.place(section)}: {word} {section[1]!r} replaces the one of "
                f"{merged.place(section)}; of that one only decisions about tools are kept"
            )
            merged = _without_transport(merged, section)
        if _defines_embedder(layer):
            merged = _without_transport(merged, _EMBEDDER)
        for name in _readdressed_models(layer):
            merged = _without_keys(merged, ("models", name), _CREDENTIALS)
        merged = merge_layers([merged, layer])
    return merged, notes


def merge_layers(layers: Sequence[Layer]) -> Layer:
    """One layer in which the later values replace the earlier."""
    entries: dict[KeyPath, Entry] = {}
    places: dict[KeyPath, str] = {}
    for layer in layers:
        entries |= layer.entries
        places |= layer.places
    return Layer(entries=entries, places=places)


def _defined_sources(layer: Layer) -> set[KeyPath]:
    """Sections of sources that a layer says how to reach, not only more about."""
    return {
        path[:2]
        for path in layer.entries
        if len(path) == 3 and path[2] in _TRANSPORTS.get(str(path[0]), ())
    }


def _defines_embedder(layer: Layer) -> bool:
    """Whether it says where an embedder is, not only more about it: a key is for one place."""
    return any((*_EMBEDDER, key) in layer.entries for key in ("url", "path"))


def _readdressed_models(layer: Layer) -> set[str | int]:
    """Models that a layer sends to another address: a key is for one place."""
    return {path[1] for path in layer.entries if path[0] == "models" and path[2:] == ("base_url",)}


def _without_keys(layer: Layer, section: KeyPath, keys: frozenset[str]) -> Layer:
    return _kept(layer, lambda path: path[:2] != section or path[2:3] not in {(k,) for k in keys})


def _without_transport(layer: Layer, section: KeyPath) -> Layer:
    return _kept(layer, lambda path: path[:2] != section or path[2:3] in _DECISIONS)


def _kept(layer: Layer, is_kept: Callable[[KeyPath], bool]) -> Layer:
    return Layer(
        entries={path: entry for path, entry in layer.entries.items() if is_kept(path)},
        places={path: place for path, place in layer.places.items() if is_kept(path)},
    )


def _document_layer(document: Document, data: JsonObject, lines: Mapping[KeyPath, int]) -> Layer:
    located = Document(path=document.path, label=document.label, data=data, lines=lines)
    entries: dict[KeyPath, Entry] = {}
    for written, value in _leaves(data, ()):
        path = canonical_path(written)
        place = located.place(written)
        if path in entries:
            raise ConfigError(
                f"{place}: {'.'.join(map(str, path))!r} is given twice, the short name included",
                hint="remove one of the two",
            )
        entries[path] = Entry(value=value, origin=place, folder=document.path.parent)
    places = {canonical_path(path): f"{document.label}:{line}" for path, line in lines.items()}
    return Layer(entries=entries, places={path: e.origin for path, e in entries.items()} | places)


def _plain_layer(entries: Mapping[KeyPath, Entry]) -> Layer:
    return Layer(entries=entries, places={path: e.origin for path, e in entries.items()})


def _leaves(value: Json, path: KeyPath) -> Iterator[tuple[KeyPath, Json]]:
    if isinstance(value, dict) and (value or not path):
        for key, below in value.items():
            yield from _leaves(below, (*path, key))
    else:
        yield path, value


def _resolved(path: Path) -> Path:
    """The file itself, links followed.

    Raises:
        ConfigError: links lead round in a circle, or no file can have that name.
    """
    try:
        found = path.resolve()
        if found.is_symlink():
            # From Python 3.13 on a circle is no error until it is followed.
            found.stat()
    except (OSError, RuntimeError, ValueError) as exc:
        raise ConfigError(
            f"{str(path)!r} cannot be followed: {exc}", hint="mend the link or the name"
        ) from exc
    return found


def _read_included(path: Path, above: tuple[Path, ...], cwd: Path) -> Document:
    try:
        return read_document(path, label=_label(path, cwd))
    except ConfigError as exc:
        if not above or path.exists():
            raise
        raise ConfigError(
            f"{_label(above[-1], cwd)} includes {_label(path, cwd)!r}, which does not exist",
            hint="correct its include: paths count from the folder of the file they stand in",
        ) from exc


def _included(document: Document) -> list[str]:
    included = document.data.get("include", []) if document.is_toml else []
    if not isinstance(included, list) or not all(isinstance(name, str) for name in included):
        raise ConfigError(
            f"{document.place(('include',))}: include is {included!r}, not a list of paths",
            hint='write include = ["mcp.json"]',
        )
    return included


def _parse_text(text: str) -> Json:
    """A list where the text is one in JSON; else the text, which the models read further."""
    if text.lstrip().startswith("["):
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            return text
    return text


def _label(path: Path, cwd: Path) -> str:
    return str(path.relative_to(cwd)) if path.is_relative_to(cwd) else str(path)
