"""The handle store over files: names, caps, expiry. All work with files is done in threads."""

import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

import anyio
from anyio import CapacityLimiter, from_thread, to_thread
from anyio.abc import TaskGroup

from toolweft.core.clock import Clock, IdSource
from toolweft.core.errors import HandleNotFound, InvalidArguments, StorageFull
from toolweft.core.handles import Draft, Handle, HandleSource
from toolweft.core.ids import HandleId
from toolweft.core.principals import Principal
from toolweft.stores.handles.files import HandleFiles, read_pieces
from toolweft.stores.handles.options import HandleOptions
from toolweft.stores.handles.usage import Usage
from toolweft.stores.private_files import COPY_BYTES, owner_key

__all__ = ("FileHandleStore",)

log = logging.getLogger(__name__)

_ID = re.compile(r"h_[0-9A-Za-z]{1,64}\Z")
_MAX_NAME_CHARACTERS: Final = 100
# Newest names that a wrong one is compared with; the event loop waits meanwhile.
_MAX_COMPARED: Final = 100
# Large copies must not take every thread from whoever else needs one.
_MAX_THREADS: Final = 4

T = TypeVar("T")


class FileHandleStore:
    """Handles in a folder; an async context manager, which sweeps the folder while it is open.

    Args:
        options: folder, caps and times.
        clock: decides what has expired.
        ids: names handles; must be unguessable.
    """

    def __init__(self, options: HandleOptions, *, clock: Clock, ids: IdSource) -> None:
        self._options = options
        self._clock = clock
        self._ids = ids
        self._files = HandleFiles(options.folder, expire_s=options.expire_s)
        self._usage = Usage(options)
        self._names: dict[tuple[Principal, str], HandleId] = {}
        self._limiter: CapacityLimiter | None = None
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Begin to sweep: now, without waiting for it, and then again and again."""
        self._tasks = anyio.create_task_group()
        await self._tasks.__aenter__()
        self._tasks.start_soon(self._sweep_for_ever)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop sweeping; handles stay until they expire."""
        assert self._tasks is not None
        self._tasks.cancel_scope.cancel()
        # The body's error is not the group's: it comes out as it is, not wrapped.
        await self._tasks.__aexit__(None, None, None)

    async def keep(self, source: HandleSource, *, owner: Principal, draft: Draft) -> Handle:
        """Store a result whole, or not at all; see `core.handles.HandleStore`."""
        if draft.name is not None:
            _check_name(draft.name)
        handle_id = HandleId(self._ids.new("h"))
        handle = await self._in_thread(
            partial(self._keep, handle_id, source, owner=owner, draft=draft)
        )
        if draft.name is not None:
            self._names[owner, draft.name] = handle.id
        return handle

    async def find(self, key: str, *, owner: Principal) -> Handle:
        """The owner's handle; its time runs anew."""
        handle_id = self._resolve(key, owner)
        found = None
        if handle_id is not None:
            now = self._clock.now()
            found = await self._in_thread(
                partial(self._files.find, handle_id, owner=owner, now=now)
            )
        if found is None:
            raise self._not_found(key, owner)
        return found

    async def read(self, key: str, *, owner: Principal, start: int, size_bytes: int) -> bytes:
        """Bytes from `start` on, fewer than `size_bytes` only at the end."""
        handle_id = self._resolve(key, owner)
        data = None
        if handle_id is not None:
            data = await self._in_thread(
                partial(self._read, handle_id, owner=owner, start=start, size_bytes=size_bytes)
            )
        if data is None:
            raise self._not_found(key, owner)
        return data

    async def drop(self, key: str, *, owner: Principal) -> None:
        """Forget a handle before its time."""
        handle = await self.find(key, owner=owner)
        await self._in_thread(partial(self._files.drop, handle))
        self._usage.forget(owner_key(owner), handle.id)
        for name in [name for name, known in self._names.items() if known == handle.id]:
            del self._names[name]

    async def owned(self, owner: Principal) -> Sequence[Handle]:
        """The owner's handles, newest first."""
        return await self._in_thread(partial(self._files.owned, owner, now=self._clock.now()))

    async def sweep(self) -> None:
        """Remove what expired or was left half-written, and count anew what is there."""
        await self._in_thread(self._sweep)

    # ---------------------------------------------------------------------------- in the loop

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._limiter is None:
            self._limiter = CapacityLimiter(_MAX_THREADS)
        return await to_thread.run_sync(work, limiter=self._limiter)

    def _resolve(self, key: str, owner: Principal) -> HandleId | None:
        """The id that a key means; only what has the form of an id becomes part of a path."""
        if _ID.match(key):
            return HandleId(key)
        return self._names.get((owner, key))

    async def _sweep_for_ever(self) -> None:
        while True:
            await self.sweep()
            await anyio.sleep(self._options.sweep_s)

    def _not_found(self, key: str, owner: Principal) -> HandleNotFound:
        hint = f"one that nobody uses for {self._options.expire_s:g} s (handles.expire_s) is gone;"
        if _ID.match(key):
            return HandleNotFound(
                f"there is no handle {key[:100]!r}", hint=f"{hint} make the result again"
            )
        own = [name for whose, name in self._names if whose == owner and name != key]
        near = get_close_matches(key[:_MAX_NAME_CHARACTERS], own[-_MAX_COMPARED:], n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        return HandleNotFound(
            f"there is no handle {key[:100]!r}",
            hint=f"{meant}{hint} names are known only to the process that put them",
        )

    # ----------------------------------------------------------------------------- in a thread

    def _keep(
        self, handle_id: HandleId, source: HandleSource, *, owner: Principal, draft: Draft
    ) -> Handle:
        now = self._clock.now()
        key = owner_key(owner)
        path = source if isinstance(source, Path) else None
        is_kept = False
        try:
            pieces = self._counted(handle_id, source, owner=key)
            written = self._files.write(handle_id, pieces, now=now)
            handle = self._files.publish(written, owner=owner, draft=draft, path=path, now=now)
            is_kept = True
        except OSError as exc:
            raise StorageFull(
                f"nothing can be stored in {str(self._options.folder)!r}: {exc.strerror or exc}",
                hint="make room or make the folder writable, or name another in handles.folder",
            ) from exc
        else:
            return handle
        finally:
            self._usage.settle(key, handle_id, is_kept=is_kept)
            if not is_kept:
                self._files.abandon(handle_id)

    def _counted(self, handle_id: HandleId, source: HandleSource, *, owner: str) -> Iterator[bytes]:
        """The source's pieces, each counted against the caps before it is written."""
        pieces, reserved = _pieces_of(source)
        self._grow(owner, handle_id, reserved)
        size_bytes = 0
        for piece in pieces:
            # Whoever wants this may have gone away meanwhile.
            from_thread.check_cancelled()
            size_bytes += len(piece)
            if size_bytes > reserved:
                self._grow(owner, handle_id, size_bytes - reserved)
                reserved = size_bytes
            yield piece

    def _grow(self, owner: str, handle_id: HandleId, size_bytes: int) -> None:
        try:
            self._usage.grow(owner, handle_id, size_bytes)
        except StorageFull:
            # What has expired since the last look may make room.
            self._sweep()
            self._usage.grow(owner, handle_id, size_bytes)

    def _read(
        self, handle_id: HandleId, *, owner: Principal, start: int, size_bytes: int
    ) -> bytes | None:
        handle = self._files.find(handle_id, owner=owner, now=self._clock.now())
        if handle is None:
            return None
        try:
            return self._files.read(handle, start=start, size_bytes=size_bytes)
        except FileNotFoundError:
            return None

    def _sweep(self) -> None:
        try:
            self._usage.replace_by(partial(self._files.sweep, now=self._clock.now()))
        except OSError as exc:
            log.warning("handles.sweep_failed", extra={"reason": exc.strerror})


def _pieces_of(source: HandleSource) -> tuple[Iterable[bytes], int]:
    """The source's pieces, and its size as far as it is known."""
    if isinstance(source, Path):
        return read_pieces(source), _file_size(source)
    if isinstance(source, bytes):
        starts = range(0, len(source), COPY_BYTES)
        return (source[start : start + COPY_BYTES] for start in starts), len(source)
    return source, 0


def _file_size(path: Path) -> int:
    """The size of a regular file; anything else might never end.

    Raises:
        InvalidArguments: it cannot be read, or is none.
    """
    reason = "it is no regular file that can be read"
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK):
            return status.st_size
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
    raise InvalidArguments(
        f"the file {str(path)!r} cannot be stored: {reason}", hint="name a file of your own"
    )


def _check_name(name: str) -> None:
    is_short = 0 < len(name) <= _MAX_NAME_CHARACTERS
    if is_short and name.isprintable() and name.strip() and not name.startswith("h_"):
        return
    raise InvalidArguments(
        f"a handle cannot be named {name[:_MAX_NAME_CHARACTERS]!r}",
        hint=f"use 1 to {_MAX_NAME_CHARACTERS} printable characters, not beginning with 'h_'",
    )
