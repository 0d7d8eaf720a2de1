"""A stored large or binary result as data, and the port to where it is kept.

Programs page through handles, clients read them as resources, and neither holds the bytes. Who may
read one is decided where it is kept, at each read.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Literal, Protocol, TypeAlias

from toolweft.core.ids import HandleId
from toolweft.core.json import Json
from toolweft.core.principals import Principal

__all__ = ("HANDLE_SCHEME", "Draft", "Handle", "HandleKind", "HandleSource", "HandleStore")

# json: one value. json_lines: one value a line. text: UTF-8. binary: anything.
HandleKind = Literal["json", "json_lines", "text", "binary"]

# Bytes at hand; a file, copied as it is now; or pieces, made in a worker thread as they are wanted.
HandleSource: TypeAlias = bytes | Path | Iterable[bytes]

HANDLE_SCHEME: Final = "toolweft://handles/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is known of a result before it is kept; what is not is read off its first bytes."""

    kind: HandleKind | None = None
    media_type: str | None = None
    # Under which its owner finds it, for as long as this process lives.
    name: str | None = None
    # Items of a JSON array, where they were counted already.
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Handle:
    """One stored result."""

    # Unguessable, and still no right: only its owner finds it.
    id: HandleId
    owner: Principal
    kind: HandleKind
    media_type: str
    size_bytes: int
    # Of the content, lower-case hex.
    sha256: str
    created_at: datetime
    # If nobody uses it until then.
    expires_at: datetime
    name: str | None = None
    # Items of a JSON array, or lines; None where nobody counted.
    rows: int | None = None

    @property
    def uri(self) -> str:
        """Its address as a resource."""
        return f"{HANDLE_SCHEME}{self.id}"

    def to_dict(self) -> dict[str, Json]:
        """The handle as wires print it; whose it is, is no news to whoever may see it."""
        return {
            "id": self.id,
            "uri": self.uri,
            "name": self.name,
            "kind": self.kind,
            "media_type": self.media_type,
            "size_bytes": self.size_bytes,
            "rows": self.rows,
            "sha256": self.sha256,
            "created_at": self.created_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
        }


class HandleStore(Protocol):
    """Keeps results for their owners.

    A key is an id or a name. A handle of somebody else, one that expired and one that never was
    read the same: `HandleNotFound`.
    """

    async def keep(self, source: HandleSource, *, owner: Principal, draft: Draft) -> Handle:
        """Store a result whole, or not at all.

        Raises:
            StorageFull: above a cap, or the disk is full or cannot be written.
            InvalidArguments: a name that cannot be one, or a file that cannot be read.
        """
        ...

    async def find(self, key: str, *, owner: Principal) -> Handle:
        """The owner's handle; its time runs anew.

        Raises:
            HandleNotFound: there is none.
        """
        ...

    async def read(self, key: str, *, owner: Principal, start: int, size_bytes: int) -> bytes:
        """Bytes from `start` on, fewer than `size_bytes` only at the end; raises as `find`."""
        ...

    async def drop(self, key: str, *, owner: Principal) -> None:
        """Forget a handle before its time; raises as `find`."""
        ...

    async def owned(self, owner: Principal) -> Sequence[Handle]:
        """The owner's handles, newest first."""
        ...
