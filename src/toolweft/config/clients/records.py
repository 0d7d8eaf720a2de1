"""What `toolweft install` changed, kept so that it can be undone: hashes, and copies of files.

One record a client's file, in a folder that only its user may enter. A step is written before its
files are changed and marked done afterwards, so that an install that was cut off can be undone.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from toolweft.config.clients.files import FileChange, fingerprint, read_bytes, write_private
from toolweft.core.errors import ConfigError
from toolweft.core.json import Json

__all__ = ("FileRecord", "Record", "Records", "ServerRecord", "Step", "adopt", "server_hash")

_FORMAT = 1
# Decisions about a server's tools, in either format.
_APART = frozenset({"configs", "default_config", "toolweft"})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRecord:
    """One file before and after a step, as hashes; None where it was not there."""

    path: str
    before: str | None
    after: str | None
    # Name of the copy of what was there before; None where nothing was.
    copy: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRecord:
    """A server that toolweft's configuration has for this client."""

    # Of the server as it was written there.
    hash: str
    # Whether this install put it there.
    added: bool
    # Whether another one did whose client is gone, so that this one answers for it.
    adopted: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it goes when this client goes."""
        return self.added or self.adopted


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One install."""

    state: Literal["begun", "done"]
    client: FileRecord
    config: FileRecord
    # The servers that were taken out of the client's file.
    removed: tuple[str, ...]
    servers: Mapping[str, ServerRecord]


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Every install into one file that was not undone."""

    client: str
    path: Path
    steps: tuple[Step, ...] = ()

    @property
    def is_cut_off(self) -> bool:
        """Whether the last install did not come to its end."""
        return bool(self.steps) and self.steps[-1].state == "begun"

    def uses(self, config: str, server: str) -> bool:
        """Whether the client gets that server from that configuration."""
        return any(step.config.path == config and server in step.servers for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """The folder of records."""

    folder: Path

    def load(self, client: str, path: Path) -> Record:
        """The record of one file; one without steps where there is none.

        Raises:
            ConfigError: it cannot be read.
        """
        return self._read(self._place(client, path)) or Record(client=client, path=path)

    def others(self, record: Record) -> Iterator[Record]:
        """Every other record."""
        own = self._place(record.client, record.path)
        for place in sorted(self.folder.glob("*.json")):
            if place != own and (found := self._read(place)) is not None:
                yield found

    def save(self, record: Record) -> None:
        """Keep a record; one without steps is removed."""
        place = self._place(record.client, record.path)
        if not record.steps:
            place.unlink(missing_ok=True)
            return
        data = {"format": _FORMAT, **asdict(record), "path": str(record.path)}
        write_private(place, json.dumps(data, indent=1).encode())

    def keep_copy(self, record: Record, change: FileChange) -> FileRecord:
        """Copy what a file holds before a change, with its permissions."""
        before = fingerprint(change.before)
        name = None
        if change.before is not None and before is not None:
            name = f"{self._stem(record.client, record.path)}-{before[:16]}{change.path.suffix}.bak"
            mode = change.path.stat().st_mode & 0o777 if change.path.exists() else 0o600
            write_private(self.folder / name, change.before, mode=mode)
        return FileRecord(
            path=str(change.path), before=before, after=fingerprint(change.after), copy=name
        )

    def read_copy(self, file: FileRecord) -> bytes | None:
        """What the file held before; None where nothing was there or the copy is not the same."""
        if file.copy is None:
            return None
        content = read_bytes(self.folder / file.copy)
        return content if fingerprint(content) == file.before else None

    def drop_copies(self, record: Record) -> None:
        """Remove the copies of a record that was undone."""
        for step in record.steps:
            for file in (step.client, step.config):
                if file.copy is not None:
                    (self.folder / file.copy).unlink(missing_ok=True)

    def clear_unfinished(self) -> None:
        """Remove what a process that was killed left here."""
        for place in self.folder.glob(".*.toolweft-new"):
            place.unlink(missing_ok=True)

    def _place(self, client: str, path: Path) -> Path:
        return self.folder / f"{self._stem(client, path)}.json"

    def _stem(self, client: str, path: Path) -> str:
        return f"{client}-{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"

    def _read(self, place: Path) -> Record | None:
        content = read_bytes(place)
        if content is None:
            return None
        try:
            data: Any = json.loads(content)
            if data["format"] != _FORMAT:
                raise ConfigError(
                    f"{place}: written by another version of toolweft (format {data['format']!r})",
                    hint="use the version that installed, or remove the file and the client's"
                    " entry by hand",
                )
            steps = tuple(_step(step) for step in data["steps"])
            return Record(client=data["client"], path=Path(data["path"]), steps=steps)
        except (ValueError, KeyError, TypeError) as exc:
            raise ConfigError(
                f"{place}: not a record of an install: {exc}",
                hint="remove the file; copies of what was there lie beside it, ending in .bak",
            ) from exc


def server_hash(server: Json) -> str:
    """A hash of one server's settings, apart from decisions about its tools."""
    kept = server
    if isinstance(server, dict):
        kept = {key: value for key, value in server.items() if key not in _APART}
    # TOML has dates, and they are the same where they are written the same.
    return hashlib.sha256(json.dumps(kept, sort_keys=True, default=str).encode()).hexdigest()


def adopt(record: Record, config: str, server: str) -> Record:
    """The record of a client that now answers for a server another one brought."""

    def adopted(step: Step) -> Step:
        if step.config.path != config or server not in step.servers:
            return step
        owned = {**step.servers, server: replace(step.servers[server], adopted=True)}
        return replace(step, servers=owned)

    return replace(record, steps=tuple(map(adopted, record.steps)))


def _step(data: Any) -> Step:
    if data["state"] not in {"begun", "done"}:
        raise ValueError(f"unknown state {data['state']!r}")
    return Step(
        state=data["state"],
        client=FileRecord(**data["client"]),
        config=FileRecord(**data["config"]),
        removed=tuple(data["removed"]),
        servers={name: ServerRecord(**server) for name, server in data["servers"].items()},
    )
