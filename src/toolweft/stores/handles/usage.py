"""How much each owner has stored, against the caps. Pure, but safe to share among threads.

What other processes store in the same folder is learnt when the folder is looked through, so the
caps may be passed by what they wrote since.
"""

from collections.abc import Callable, Mapping
from threading import Lock

from toolweft.core.errors import StorageFull
from toolweft.stores.handles.options import HandleOptions

__all__ = ("Usage",)


class Usage:
    """Bytes and numbers of handles, by owner."""

    def __init__(self, options: HandleOptions) -> None:
        self._options = options
        self._lock = Lock()
        # Owner -> handle -> bytes: of what is kept, and of what is being written.
        self._kept: dict[str, dict[str, int]] = {}
        self._pending: dict[str, dict[str, int]] = {}
        # What came (bytes) or went (None) while the folder is looked through, by look.
        self._looks: list[dict[tuple[str, str], int | None]] = []

    def grow(self, owner: str, handle: str, size_bytes: int) -> None:
        """Reserve more bytes for a handle that is being written.

        Raises:
            StorageFull: a cap would be passed; nothing is reserved.
        """
        options = self._options
        with self._lock:
            own = self._bytes_of(owner) + size_bytes
            total = sum(map(self._bytes_of, self._kept.keys() | self._pending.keys())) + size_bytes
            count = len(self._kept.get(owner, ())) + len(self._pending.get(owner, ()))
            if own > options.max_bytes:
                raise _full(
                    f"{own:,} bytes stored for this principal would be more than"
                    f" {options.max_bytes:,}",
                    key="handles.max_bytes",
                )
            if total > options.max_total_bytes:
                raise _full(
                    f"{total:,} bytes stored for all principals would be more than"
                    f" {options.max_total_bytes:,}",
                    key="handles.max_total_bytes",
                )
            if handle not in self._pending.get(owner, ()) and count >= options.max_handles:
                raise _full(
                    f"this principal has {count:,} handles already, as many as there may be",
                    key="handles.max_handles",
                )
            pending = self._pending.setdefault(owner, {})
            pending[handle] = pending.get(handle, 0) + size_bytes

    def settle(self, owner: str, handle: str, *, is_kept: bool) -> None:
        """End a reservation: the handle is kept from now on, or was given up."""
        with self._lock:
            size_bytes = self._pending.get(owner, {}).pop(handle, 0)
            if is_kept:
                self._kept.setdefault(owner, {})[handle] = size_bytes
                self._note(owner, handle, size_bytes)

    def forget(self, owner: str, handle: str) -> None:
        """A handle is gone."""
        with self._lock:
            self._kept.get(owner, {}).pop(handle, None)
            self._note(owner, handle, None)

    def replace_by(self, look: Callable[[], Mapping[str, Mapping[str, int]]]) -> None:
        """Take what a look through the folder finds, and what comes and goes meanwhile."""
        meanwhile: dict[tuple[str, str], int | None] = {}
        with self._lock:
            self._looks.append(meanwhile)
        found: Mapping[str, Mapping[str, int]] | None = None
        try:
            found = look()
        finally:
            with self._lock:
                # By identity: two that are empty are equal.
                self._looks = [other for other in self._looks if other is not meanwhile]
                if found is not None:
                    self._kept = _merge(found, meanwhile)

    def bytes_of(self, owner: str) -> int:
        """Bytes reserved and kept for one owner."""
        with self._lock:
            return self._bytes_of(owner)

    def _note(self, owner: str, handle: str, size_bytes: int | None) -> None:
        for meanwhile in self._looks:
            meanwhile[owner, handle] = size_bytes

    def _bytes_of(self, owner: str) -> int:
        kept, pending = self._kept.get(owner, {}), self._pending.get(owner, {})
        return sum(kept.values()) + sum(pending.values())


def _merge(
    found: Mapping[str, Mapping[str, int]], meanwhile: Mapping[tuple[str, str], int | None]
) -> dict[str, dict[str, int]]:
    kept = {owner: dict(sizes) for owner, sizes in found.items()}
    for (owner, handle), size_bytes in meanwhile.items():
        if size_bytes is None:
            kept.get(owner, {}).pop(handle, None)
        else:
            kept.setdefault(owner, {})[handle] = size_bytes
    return kept


def _full(message: str, *, key: str) -> StorageFull:
    return StorageFull(
        message, hint=f"drop a handle, wait until unused ones expire, or raise {key}"
    )
