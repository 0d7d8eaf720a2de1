"""A handle store in memory, for tests that put and load results."""

from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from toolweft.core.clock import Clock, IdSource
from toolweft.core.errors import HandleNotFound, InvalidArguments, StorageFull
from toolweft.core.handles import Draft, Handle, HandleSource
from toolweft.core.ids import HandleId
from toolweft.core.principals import Principal
from toolweft.stores.handles.kinds import SNIFF_BYTES, guess_kind

__all__ = ("MemoryHandleStore",)


class MemoryHandleStore:
    """Keeps handles in a dict; nothing is left when the test is over.

    Attributes:
        contents: handle -> its bytes.
        max_bytes: of all contents together; above it nothing is kept.
    """

    def __init__(self, *, clock: Clock, ids: IdSource, expire_s: float = 3600.0) -> None:
        self.contents: dict[HandleId, bytes] = {}
        self.max_bytes = 1 << 30
        self._clock = clock
        self._ids = ids
        self._expire = timedelta(seconds=expire_s)
        self._handles: dict[HandleId, Handle] = {}
        self._names: dict[tuple[Principal, str], HandleId] = {}

    async def keep(self, source: HandleSource, *, owner: Principal, draft: Draft) -> Handle:
        """Store a result.

        Raises:
            StorageFull: more than `max_bytes` would be kept.
            InvalidArguments: the file cannot be read, or the name begins like an id.
        """
        path = source if isinstance(source, Path) else None
        if draft.name is not None and (not draft.name.strip() or draft.name.startswith("h_")):
            raise InvalidArguments(f"a handle cannot be named {draft.name!r}")
        if isinstance(source, Path):
            if not source.is_file():
                raise InvalidArguments(f"{str(source)!r} cannot be stored")
            data = source.read_bytes()
        else:
            data = source if isinstance(source, bytes) else b"".join(source)
        if len(data) + sum(map(len, self.contents.values())) > self.max_bytes:
            raise StorageFull(f"{len(data):,} bytes more are too many")
        kind, media_type = guess_kind(draft, path=path, sample=data[:SNIFF_BYTES])
        lines = data.count(b"\n") + (data[-1:] not in {b"", b"\n"})
        counts_lines = draft.rows is None and kind in {"json_lines", "text"}
        now = self._clock.now()
        handle = Handle(
            id=HandleId(self._ids.new("h")),
            owner=owner,
            kind=kind,
            media_type=media_type,
            size_bytes=len(data),
            sha256=sha256(data).hexdigest(),
            created_at=now,
            expires_at=now + self._expire,
            name=draft.name,
            rows=lines if counts_lines else draft.rows,
        )
        self._handles[handle.id] = handle
        self.contents[handle.id] = data
        if draft.name is not None:
            self._names[owner, draft.name] = handle.id
        return handle

    async def find(self, key: str, *, owner: Principal) -> Handle:
        """The owner's handle.

        Raises:
            HandleNotFound: unknown, expired, or somebody else's.
        """
        handle = self._handles.get(self._names.get((owner, key), HandleId(key)))
        if handle is None or handle.owner != owner or handle.expires_at <= self._clock.now():
            raise HandleNotFound(f"there is no handle {key!r}", hint="make the result again")
        return handle

    async def read(self, key: str, *, owner: Principal, start: int, size_bytes: int) -> bytes:
        """Bytes from `start` on; raises as `find`."""
        handle = await self.find(key, owner=owner)
        return self.contents[handle.id][start : start + size_bytes]

    async def drop(self, key: str, *, owner: Principal) -> None:
        """Forget a handle; raises as `find`."""
        handle = await self.find(key, owner=owner)
        del self._handles[handle.id], self.contents[handle.id]

    async def owned(self, owner: Principal) -> Sequence[Handle]:
        """The owner's handles, newest first."""
        now = self._clock.now()
        kept = [h for h in self._handles.values() if h.owner == owner and h.expires_at > now]
        return kept[::-1]
