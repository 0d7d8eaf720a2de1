"""Takes an install back: byte for byte where the files are as it left them, else piece by piece.

Works on a view of the files, so that what would happen can be shown before it does.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toolweft.config.clients.editing import edit_servers, json_root, servers_in, written_servers
from toolweft.config.clients.files import FileChange, fingerprint, parse_bytes, read_bytes
from toolweft.config.clients.places import CLIENTS
from toolweft.config.clients.records import Record, Records, Step, adopt, server_hash
from toolweft.config.documents import Document
from toolweft.config.own_entry import own_arguments
from toolweft.core.json import Json

__all__ = ("Undoing", "View", "is_own", "undo")


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """Files as they would be; the disk stays as it is."""

    _found: dict[Path, bytes | None] = field(default_factory=dict)
    _planned: dict[Path, bytes | None] = field(default_factory=dict)

    def read(self, path: Path) -> bytes | None:
        """What the file would hold."""
        if path not in self._found:
            self._found[path] = self._planned[path] = read_bytes(path)
        return self._planned[path]

    def write(self, path: Path, content: bytes | None) -> None:
        """Let the file hold this."""
        self.read(path)
        self._planned[path] = content

    def changes(self) -> Iterator[FileChange]:
        """Every file that would differ."""
        for path, before in self._found.items():
            change = FileChange(path=path, before=before, after=self._planned[path])
            if change.is_change:
                yield change


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """What was taken back."""

    # Whether the client's file is what it was, byte for byte.
    exact: bool
    notes: tuple[str, ...]
    # Records of other clients that answer for shared servers now.
    adopted: tuple[Record, ...]


def undo(view: View, records: Records, record: Record, steps: Sequence[Step]) -> Undoing:
    """Take back steps of a record, the last one first.

    Args:
        view: receives the changes.
        records: holds the copies, and what other clients use.
        record: of the client's file.
        steps: some of its last.
    """
    notes: list[str] = []
    exact = True
    others = {other.client + str(other.path): other for other in records.others(record)}
    for step in reversed(steps):
        exact = _undo_client(view, records, record, step, notes) and exact
        _undo_config(view, records, step, others, notes)
    before = {other.client + str(other.path): other for other in records.others(record)}
    adopted = tuple(other for key, other in others.items() if other != before[key])
    return Undoing(exact=exact, notes=tuple(notes), adopted=adopted)


def is_own(server: Json) -> bool:
    """Whether a client's entry starts toolweft."""
    return (
        isinstance(server, dict)
        and own_arguments(server.get("command"), server.get("args")) is not None
    )


def _undo_client(
    view: View, records: Records, record: Record, step: Step, notes: list[str]
) -> bool:
    path = Path(step.client.path)
    content = view.read(path)
    found = fingerprint(content)
    if found == step.client.before:
        return True
    copy = records.read_copy(step.client)
    has_before = step.client.before is None or copy is not None
    if has_before and found in {step.client.after, None}:
        if found is None and copy is not None:
            notes.append(f"{path} was removed since; it is back as it was before the install")
        view.write(path, copy)
        return True
    if content is None:
        notes.append(f"{path} was removed since, and there is no copy of it")
        return False
    root = CLIENTS[record.client].root
    document = parse_bytes(content, path)
    servers = servers_in(document, root)
    before = {} if copy is None else servers_in(parse_bytes(copy, path), root)
    own = {name for name, server in servers.items() if is_own(server)}
    missing = [name for name in step.removed if name in before]
    back = {name: before[name] for name in missing if name not in servers or name in own}
    written = {} if copy is None else written_servers(copy, parse_bytes(copy, path), root)
    view.write(
        path,
        edit_servers(content, document, root, remove=own, add=back, written=written),
    )
    notes.append(
        f"{path} was changed since the install: only the entry of toolweft was taken out"
        + (f", and these put back: {', '.join(back)}" if back else "")
    )
    for name in step.removed:
        if name not in back:
            reason = "is there again already" if name in servers else "has no copy any more"
            notes.append(f"server {name!r} {reason}, so it was not put back")
    return False


def _undo_config(
    view: View, records: Records, step: Step, others: dict[str, Record], notes: list[str]
) -> None:
    path = Path(step.config.path)
    content = view.read(path)
    found, before = fingerprint(content), step.config.before
    config = step.config.path
    added = [name for name, server in step.servers.items() if server.is_ours]
    is_changed = before != step.config.after
    if content is None or not (added or is_changed) or (is_changed and found == before):
        return
    if not _has_copy(records, step):
        # Nothing went back to the client, so here it must stay.
        notes.append(f"{path} keeps: {', '.join(added) or 'everything'}")
        return
    claimed = {name for name in added for o in others.values() if o.uses(config, name)}
    is_adopted = any(server.adopted for server in step.servers.values())
    if not claimed and not is_adopted and found == step.config.after:
        view.write(path, records.read_copy(step.config))
        return
    for key, other in others.items():
        others[key] = _adopting(other, config, claimed)
    document = parse_bytes(content, path)
    root = "servers" if document.is_toml else json_root(document)
    servers = servers_in(document, root)
    remove = {name for name in added if name in servers and name not in claimed}
    changed = {n for n in remove if server_hash(servers[n]) != step.servers[n].hash}
    edited = edit_servers(content, document, root, remove=remove - changed, add={})
    is_ours = step.config.before is None and not any(parse_bytes(edited, path).data.values())
    view.write(path, edited if edited.strip() and not is_ours else None)
    notes += [f"{path} keeps {name!r}: another client uses it" for name in sorted(claimed)]
    notes += [
        f"{path} keeps {name!r}: it was changed there since the install" for name in sorted(changed)
    ]
    notes += [
        f"decisions about the tools of {name!r} went with it"
        for name in sorted(remove - changed)
        if _has_decisions(servers[name], document)
    ]


def _adopting(record: Record, config: str, servers: set[str]) -> Record:
    for name in servers:
        record = adopt(record, config, name)
    return record


def _has_decisions(server: Json, document: Document) -> bool:
    assert isinstance(server, dict)
    holder = server if document.is_toml else server.get("toolweft", {})
    return isinstance(holder, dict) and "configs" in holder


def _has_copy(records: Records, step: Step) -> bool:
    return step.client.before is None or records.read_copy(step.client) is not None
