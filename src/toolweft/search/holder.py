"""The index of the newest snapshot, made once and shared by all who search."""

from collections.abc import Callable

import anyio
import anyio.to_thread

from toolweft.core.derived import Derived
from toolweft.core.snapshot import Snapshot
from toolweft.search.index import build_index, update_index
from toolweft.search.views import ViewedIndex

__all__ = ("IndexHolder",)

# Comparing or indexing so many tools takes a few milliseconds; more goes to a thread, so that calls
# go on.
_MAX_TOOLS_INLINE = 50


class IndexHolder:
    """Keeps one index and moves it on when a newer snapshot asks for its own.

    Args:
        derived: what an earlier start's index was made of; None for nothing.
        is_settled: whether every source has told of its tools; then that is kept, and let go of.
    """

    def __init__(
        self, derived: Derived | None = None, *, is_settled: Callable[[], bool] = lambda: True
    ) -> None:
        self._derived, self._is_settled = derived, is_settled
        self._version = -1
        self._index: ViewedIndex | None = None
        self._size = 0
        self._lock = anyio.Lock()

    async def index_for(self, snapshot: Snapshot) -> ViewedIndex:
        """The index of `snapshot`; an older one than the newest seen gets one made for it.

        Whoever asks while it is being made waits for the same one.
        """
        if self._index is not None and snapshot.version == self._version:
            return self._index
        async with self._lock:
            return await self._index_for(snapshot)

    async def _index_for(self, snapshot: Snapshot) -> ViewedIndex:
        known = self._index
        if known is not None and snapshot.version == self._version:
            return known
        # How many of them changed is known only after looking at all.
        if max(len(snapshot.tools), self._size) > _MAX_TOOLS_INLINE:
            index = await anyio.to_thread.run_sync(self._move_on, known, snapshot)
        else:
            index = self._move_on(known, snapshot)
        if snapshot.version > self._version:
            self._index, self._version = index, snapshot.version
            self._size = len(snapshot.tools)
        if self._derived is not None and self._derived.is_kept and self._is_settled():
            # Whoever gives up a search must not leave it half forgotten.
            with anyio.CancelScope(shield=True):
                await self._derived.finish()
        return index

    def _move_on(self, known: ViewedIndex | None, snapshot: Snapshot) -> ViewedIndex:
        if known is None:
            return build_index(snapshot, self._derived)
        return update_index(known, snapshot, self._derived)
