"""Handles as files. Synchronous: `store` calls it in worker threads.

    FOLDER/content/<tenant>/<sha256>          contents, shared among handles of one tenant
    FOLDER/owned/<tenant>/<user>/<handle>/    data (the same file, linked) and record.json
    FOLDER/incoming/<handle>/                 what is being written

Tenants and users are folders by the hash of their names, so no name is ever part of a path. A
handle appears by one rename and so is whole or not there. Contents are hard links: what nobody
links any more is left over, and no reader or writer has to be asked. A record's time of change is
its last use.
"""

import json
import logging
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Final

from toolweft.core.handles import Draft, Handle
from toolweft.core.ids import HandleId
from toolweft.core.json import JsonObject
from toolweft.core.principals import Principal
from toolweft.stores.handles.kinds import SNIFF_BYTES, guess_kind
from toolweft.stores.opening import AS_IT_IS
from toolweft.stores.private_files import (
    COPY_BYTES,
    created,
    make_folder,
    name_key,
    owner_key,
    remove,
    set_time,
    subfolders,
    write_all,
)

__all__ = ("HandleFiles", "Written", "read_pieces")

log = logging.getLogger(__name__)

# Noting each use of a handle that is read in pieces would cost as much as reading it. Never later
# than in a tenth of its life, which a use would prolong too little otherwise.
_TOUCH_AFTER_S: Final = 30.0
_TOUCH_AFTER_SHARE: Final = 0.1
# Nobody writes one result for longer.
_ABANDONED_S: Final = 3600.0
# A record is a file, so what it says becomes no part of a path before it was looked at.
_SHA256: Final = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A content that was written, not yet to be seen."""

    folder: Path
    size_bytes: int
    sha256: str
    lines: int
    # Its first bytes.
    sample: bytes


class HandleFiles:
    """One folder of handles.

    Args:
        folder: made when the first handle is written.
        expire_s: a handle not used for so long does not exist any more.
    """

    def __init__(self, folder: Path, *, expire_s: float) -> None:
        self._folder = folder
        self._expire = timedelta(seconds=expire_s)
        self._touch_after = timedelta(seconds=min(_TOUCH_AFTER_S, _TOUCH_AFTER_SHARE * expire_s))

    # ------------------------------------------------------------------------------- writing

    def write(self, handle_id: HandleId, pieces: Iterable[bytes], *, now: datetime) -> Written:
        """Write a content where nobody looks for it; `publish` or `abandon` comes next."""
        folder = self._folder / "incoming" / handle_id
        make_folder(folder)
        digest, size_bytes, lines, sample = sha256(), 0, 0, b""
        last = b"\n"
        with created(folder / "data") as fd:
            # Now, and not before: each new file in it changes a folder's time.
            set_time(folder, now)
            for piece in pieces:
                if not piece:
                    continue
                write_all(fd, piece)
                digest.update(piece)
                size_bytes += len(piece)
                lines += piece.count(b"\n")
                last = piece[-1:]
                if len(sample) < SNIFF_BYTES:
                    sample += piece[: SNIFF_BYTES - len(sample)]
        return Written(
            folder=folder,
            size_bytes=size_bytes,
            sha256=digest.hexdigest(),
            # The last line needs no end.
            lines=lines + (last != b"\n"),
            sample=sample,
        )

    def publish(
        self, written: Written, *, owner: Principal, draft: Draft, path: Path | None, now: datetime
    ) -> Handle:
        """Make a written content the owner's handle."""
        kind, media_type = guess_kind(draft, path=path, sample=written.sample)
        rows = draft.rows
        if rows is None and kind in {"json_lines", "text"}:
            rows = written.lines
        handle = Handle(
            id=HandleId(written.folder.name),
            owner=owner,
            kind=kind,
            media_type=media_type,
            size_bytes=written.size_bytes,
            sha256=written.sha256,
            created_at=now,
            expires_at=now + self._expire,
            name=draft.name,
            rows=rows,
        )
        self._share(written, tenant=name_key(owner.tenant))
        record = written.folder / "record.json"
        with created(record) as fd:
            write_all(fd, _render_record(handle))
        set_time(record, now)
        home = self._folder / "owned" / owner_key(owner)
        make_folder(home)
        written.folder.rename(home / handle.id)
        return handle

    def abandon(self, handle_id: HandleId) -> None:
        """Remove what was written under an id."""
        shutil.rmtree(self._folder / "incoming" / handle_id, ignore_errors=True)

    def _share(self, written: Written, *, tenant: str) -> None:
        """Let one file stand for all contents of a tenant that are the same."""
        data = written.folder / "data"
        shared = self._folder / "content" / tenant / written.sha256
        # File systems without links keep a copy for each handle, and all else is the same.
        with suppress(OSError):
            make_folder(shared.parent)
            if not _has_size(shared, written.size_bytes):
                shared.unlink(missing_ok=True)
                os.link(data, shared)
                return
            other = written.folder / "other"
            os.link(shared, other)
            other.replace(data)

    # ------------------------------------------------------------------------------- reading

    def find(self, handle_id: HandleId, *, owner: Principal, now: datetime) -> Handle | None:
        """The owner's handle, in use from now on; None where there is none."""
        folder = self._folder / "owned" / owner_key(owner) / handle_id
        handle = self._load(folder, owner=owner, now=now)
        if handle is None:
            return None
        left = handle.expires_at - now
        if left < self._expire - self._touch_after:
            with suppress(FileNotFoundError):
                set_time(folder / "record.json", now)
        return handle

    def read(self, handle: Handle, *, start: int, size_bytes: int) -> bytes:
        """Bytes of a handle that was found just now.

        Raises:
            FileNotFoundError: it was dropped since.
        """
        path = self._folder / "owned" / owner_key(handle.owner) / handle.id / "data"
        fd = os.open(path, os.O_RDONLY | AS_IT_IS)
        try:
            os.lseek(fd, start, os.SEEK_SET)
            return os.read(fd, max(0, min(size_bytes, handle.size_bytes - start)))
        finally:
            os.close(fd)

    def owned(self, owner: Principal, *, now: datetime) -> list[Handle]:
        """The owner's handles, newest first."""
        folders = subfolders(self._folder / "owned" / owner_key(owner))
        found = (self._load(folder, owner=owner, now=now) for folder in folders)
        handles = [handle for handle in found if handle is not None]
        return sorted(handles, key=lambda handle: (handle.created_at, handle.id), reverse=True)

    def _load(self, folder: Path, *, owner: Principal, now: datetime) -> Handle | None:
        try:
            fields = json.loads((folder / "record.json").read_bytes())
            expires_at = _time_of(folder / "record.json") + self._expire
            if expires_at <= now or not _has_size(folder / "data", fields["size_bytes"]):
                return None
            return _parse_record(fields, folder.name, owner=owner, expires_at=expires_at)
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as exc:
            log.warning("handles.record_unreadable", extra={"error": type(exc).__name__})
            return None

    # ------------------------------------------------------------------------------- removing

    def drop(self, handle: Handle) -> None:
        """Remove a handle that was found, and its content where no other handle has it."""
        remove(self._folder / "owned" / owner_key(handle.owner) / handle.id)
        # Only this content is looked at: there may be thousands, and `sweep` finds what is left.
        if _SHA256.match(handle.sha256):
            content = self._folder / "content" / name_key(handle.owner.tenant) / handle.sha256
            with suppress(FileNotFoundError):
                if content.lstat().st_nlink == 1:
                    content.unlink(missing_ok=True)

    def sweep(self, *, now: datetime) -> dict[str, dict[str, int]]:
        """Remove what expired or was left half-written.

        Returns:
            Owner key -> handle -> bytes, of what is left.
        """
        for folder in subfolders(self._folder / "incoming"):
            with suppress(FileNotFoundError):
                if _time_of(folder) + timedelta(seconds=_ABANDONED_S) <= now:
                    remove(folder)
        kept: dict[str, dict[str, int]] = {}
        for tenant in subfolders(self._folder / "owned"):
            for user in subfolders(tenant):
                kept[f"{tenant.name}/{user.name}"] = self._sweep_owner(user, now=now)
        for contents in subfolders(self._folder / "content"):
            self._remove_unlinked(contents)
        return kept

    def _sweep_owner(self, user: Path, *, now: datetime) -> dict[str, int]:
        sizes = {}
        for folder in subfolders(user):
            try:
                if _time_of(folder / "record.json") + self._expire > now:
                    sizes[folder.name] = (folder / "data").stat().st_size
                    continue
            except FileNotFoundError:
                pass
            remove(folder)
        return sizes

    def _remove_unlinked(self, contents: Path) -> None:
        with suppress(FileNotFoundError), os.scandir(contents) as entries:
            for entry in entries:
                # A writer that links it meanwhile keeps its own link, and loses only the sharing.
                # What the listing itself says of links is 0 on Windows.
                if os.lstat(entry.path).st_nlink == 1:
                    Path(entry.path).unlink(missing_ok=True)


def read_pieces(path: Path) -> Iterator[bytes]:
    """A file piece by piece."""
    with path.open("rb", buffering=0) as file:
        while piece := file.read(COPY_BYTES):
            yield piece


def _render_record(handle: Handle) -> bytes:
    fields: JsonObject = {
        "kind": handle.kind,
        "media_type": handle.media_type,
        "size_bytes": handle.size_bytes,
        "sha256": handle.sha256,
        "created_at": handle.created_at.isoformat(),
        "name": handle.name,
        "rows": handle.rows,
    }
    return json.dumps(fields).encode()


def _parse_record(
    fields: JsonObject, name: str, *, owner: Principal, expires_at: datetime
) -> Handle:
    return Handle(
        id=HandleId(name),
        owner=owner,
        kind=fields["kind"],
        media_type=fields["media_type"],
        size_bytes=fields["size_bytes"],
        sha256=fields["sha256"],
        created_at=datetime.fromisoformat(fields["created_at"]),
        expires_at=expires_at,
        name=fields["name"],
        rows=fields["rows"],
    )


def _has_size(path: Path, size_bytes: int) -> bool:
    try:
        return path.stat().st_size == size_bytes
    except FileNotFoundError:
        return False


def _time_of(path: Path) -> datetime:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC)
