"""What an embedder adds to searches: vectors of tools in the background, of queries in time.

An async context manager that owns the tasks. A search asks for a hint and ranks with it; where
vectors are missing, the hint says why, and words and meanings rank alone.
"""

from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import anyio
import numpy as np

from toolweft.core.clock import Clock
from toolweft.core.errors import EmbedderUnavailable
from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchHit, SearchIndex, TextEmbedder, VectorStore
from toolweft.core.snapshot import Snapshot
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.embedding.query_vectors import QueryVectors
from toolweft.search.embedding.tool_vectors import ToolVectors
from toolweft.search.gains import Slots
from toolweft.search.hybrid import HybridIndex
from toolweft.search.nearness import Embedded
from toolweft.search.vectors import Floats

__all__ = ("EmbeddedHint", "Embeddings")

_ALONE = "words and meanings rank alone"


class Embeddings:
    """Asks an embedder on behalf of all searches.

    Args:
        embedder: gives the vectors; entered and left with this where it is a context manager.
        store: keeps those of tools.
        options: how patiently it is asked, and what it counts.
        clock: counts how long it is left alone after a failure.
        wait: how to let seconds pass between two attempts.
    """

    def __init__(
        self,
        embedder: TextEmbedder,
        store: VectorStore,
        *,
        options: EmbedderOptions,
        clock: Clock,
        wait: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._embedder, self._options, self._clock = embedder, options, clock
        self._tools = ToolVectors(embedder, store, options=options, wait=wait)
        self._queries: QueryVectors | None = None
        self._alignment = _Alignment(self._tools)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        """Begin to keep up; nobody waits for the embedder."""
        async with AsyncExitStack() as stack:
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(tasks.cancel_scope.cancel)
            tasks.start_soon(self._tools.run)
            self._queries = QueryVectors(
                self._embedder, options=self._options, clock=self._clock, tasks=tasks
            )
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop; what was embedded is kept, the rest is embedded the next time."""
        await self._stack.aclose()

    def watch(self, snapshot: Snapshot) -> None:
        """Keep the vectors of this snapshot's tools, where it is the newest."""
        self._tools.watch(snapshot)

    async def settle(self) -> None:
        """Return when every tool watched has its vector; for those who have time to wait."""
        await self._tools.settle()

    async def ask(self, queries: Sequence[str], *, snapshot: Snapshot) -> "EmbeddedHint":
        """What the embedder says about queries; waits for it no longer than the options allow."""
        assert self._queries is not None, "ask inside the context"
        self.watch(snapshot)
        async with anyio.create_task_group() as tasks:
            # A store answers in milliseconds; a command that asks once finds its vectors there.
            tasks.start_soon(self._wait_loaded)
            asked = [query for query in queries if query.strip()]
            vectors, reason = await self._queries.ask(asked)
        for vector in vectors.values():
            try:
                self._tools.expect(len(vector))
            except EmbedderUnavailable as exc:
                vectors, reason = {}, exc.message
                break
        return EmbeddedHint(
            vectors,
            reason,
            tools=self._tools,
            alignment=self._alignment,
            weight=self._options.weight,
        )

    async def _wait_loaded(self) -> None:
        with anyio.move_on_after(self._options.patience_s):
            await self._tools.is_loaded.wait()


@dataclass(slots=True, eq=False)
class _Alignment:
    """Which row of the table belongs to which slot of an index; of the index asked last."""

    tools: ToolVectors
    index: HybridIndex | None = None
    state: tuple[int, int] = (-1, -1)
    rows: Slots = field(default_factory=lambda: np.zeros(0, np.intp))

    def rows_of(self, index: HybridIndex) -> Slots:
        """By slot; -1 where the tool has no vector."""
        if index is not self.index or self.state != self.tools.state:
            keys, table = self.tools.keys, self.tools.table
            places = [
                -1 if name is None else table.place(keys.get(name, "")) for name in index.names
            ]
            self.rows = np.array(places, np.intp)
            self.index, self.state = index, self.tools.state
        return self.rows


class EmbeddedHint:
    """What an embedder says about the queries of one search; for use before anything waits."""

    def __init__(
        self,
        vectors: Mapping[str, Floats],
        reason: str,
        *,
        tools: ToolVectors,
        alignment: _Alignment,
        weight: float,
    ) -> None:
        self._vectors, self._reason, self._weight = vectors, reason, weight
        self._tools, self._alignment = tools, alignment

    @property
    def state(self) -> Hashable:
        """What answers with this hint depend on, beside the query."""
        return self._tools.state

    def search(
        self,
        index: SearchIndex,
        query: str,
        *,
        limit: int,
        visible: Collection[QualifiedName] | None,
    ) -> Sequence[SearchHit]:
        """What an index finds, with this hint."""
        vector = self._vectors.get(query)
        if vector is None or not isinstance(index, HybridIndex) or not len(self._tools.table):
            return index.search(query, limit=limit, visible=visible)
        rows = self._alignment.rows_of(index)
        cosines = self._tools.table.rows @ vector
        by_slot: Floats = np.where(rows < 0, np.float32(np.nan), cosines[rows])
        embedded = Embedded(by_slot, self._weight)
        return index.search(query, limit=limit, visible=visible, embedded=embedded)

    def degraded(
        self, query: str, *, snapshot: Snapshot, visible: Collection[QualifiedName] | None
    ) -> str:
        """What is missing from an answer, and why; "" where nothing is."""
        if not query.strip():
            return ""
        if query not in self._vectors:
            return f"{self._reason}; {_ALONE}"
        if self._tools.is_complete_for(snapshot):
            return ""
        names = [
            name
            for name, tool in snapshot.tools.items()
            if tool.status != "disabled" and (visible is None or name in visible)
        ]
        keys, table = self._tools.keys, self._tools.table
        missing = sum(keys.get(name, "") not in table for name in names)
        if not missing:
            return ""
        why = f" ({self._tools.failure})" if self._tools.failure else ""
        effect = _ALONE if missing == len(names) else "words and meanings rank these"
        return f"embeddings of {missing:,} of {len(names):,} tools are not ready{why}; {effect}"
