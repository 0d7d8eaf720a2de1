"""The index of the newest snapshot, made once and shared."""

from toolweft.core.ports import SearchIndex
from toolweft.core.snapshot import Snapshot
from toolweft.search.index import build_index, update_index

__all__ = ("IndexHolder",)


class IndexHolder:
    """Keeps one index and moves it on when a newer snapshot asks for its own."""

    def __init__(self) -> None:
        self._version = -1
        self._index: SearchIndex | None = None

    def index_for(self, snapshot: Snapshot) -> SearchIndex:
        """The index of `snapshot`; an older one than the newest seen gets one made for it."""
        if self._index is None:
            self._index, self._version = build_index(snapshot), snapshot.version
        elif snapshot.version > self._version:
            self._index, self._version = update_index(self._index, snapshot), snapshot.version
        elif snapshot.version < self._version:
            return update_index(self._index, snapshot)
        return self._index
