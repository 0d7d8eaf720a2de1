"""What may help to rank the queries of one search beside the index, and what stands in for it.

The searcher asks for a hint before it ranks. Needs no numpy.
"""

from collections.abc import Collection, Hashable, Sequence
from typing import Protocol

from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchHit, SearchIndex
from toolweft.core.snapshot import Snapshot

__all__ = ("Hint", "HintSource", "UnusableEmbedder")


class Hint(Protocol):
    """Help for the queries of one search; for use before anything waits."""

    @property
    def state(self) -> Hashable:
        """What answers with this hint depend on, beside the query."""
        ...

    def search(
        self,
        index: SearchIndex,
        query: str,
        *,
        limit: int,
        visible: Collection[QualifiedName] | None,
    ) -> Sequence[SearchHit]:
        """What an index finds with this hint; see `SearchIndex.search`."""
        ...

    def degraded(
        self, query: str, *, snapshot: Snapshot, visible: Collection[QualifiedName] | None
    ) -> str:
        """What is missing from the answer, and why; "" where nothing is."""
        ...


class HintSource(Protocol):
    """Where hints come from."""

    async def ask(self, queries: Sequence[str], *, snapshot: Snapshot) -> Hint:
        """The hint for some queries; never raises, and never waits long."""
        ...


class UnusableEmbedder:
    """Stands in for an embedder that cannot be used as configured: searches say so and go on.

    Args:
        reason: why.
    """

    def __init__(self, reason: str) -> None:
        self._hint = _NoHint(reason)

    async def ask(self, queries: Sequence[str], *, snapshot: Snapshot) -> Hint:
        """A hint that only says why there is none."""
        return self._hint


class _NoHint:
    state: Hashable = None

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def search(
        self,
        index: SearchIndex,
        query: str,
        *,
        limit: int,
        visible: Collection[QualifiedName] | None,
    ) -> Sequence[SearchHit]:
        return index.search(query, limit=limit, visible=visible)

    def degraded(
        self, query: str, *, snapshot: Snapshot, visible: Collection[QualifiedName] | None
    ) -> str:
        return f"{self._reason}; words and meanings rank alone"
