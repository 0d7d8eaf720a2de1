"""Remembers what was worked out from the newest snapshot.

A catalog of thousands costs about a millisecond to walk, and it is asked the same for each run.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from toolweft.core.snapshot import Snapshot

__all__ = ("PerSnapshot",)

_T = TypeVar("_T")


class PerSnapshot(Generic[_T]):
    """The result of a pure function of a snapshot, computed once for each in turn."""

    def __init__(self, work_out: Callable[[Snapshot], _T]) -> None:
        self._work_out = work_out
        self._latest: tuple[Snapshot, _T] | None = None

    def of(self, snapshot: Snapshot) -> _T:
        """The result for a snapshot; only the one asked for last is kept."""
        if self._latest is None or self._latest[0] is not snapshot:
            self._latest = (snapshot, self._work_out(snapshot))
        return self._latest[1]
