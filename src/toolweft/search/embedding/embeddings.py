"""What an embedder adds to searches: vectors of tools in the background, of queries in time.

An async context manager that owns the tasks. A search asks about its queries and ranks with what
it hears; where vectors are missing it hears that too, and words and meanings rank alone.
"""

from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import anyio
import numpy as np

from toolweft.core.clock import Clock
from toolweft.core.ids import QualifiedName
from toolweft.core.search import TextEmbedder, VectorStore
from toolweft.core.snapshot import Snapshot
from toolweft.search.embedded import ALONE, Embedded, EmbeddedQueries, SlottedIndex
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.embedding.query_vectors import QueryVectors
from toolweft.search.embedding.tool_vectors import ToolVectors
from toolweft.search.gains import Slots
from toolweft.search.vectors import Floats

__all__ = ("Embeddings",)

# Whatever the embedder itself has said: that is for the operator.
_SILENT = f"the embedder does not answer; {ALONE}"
# The first search waits so long for what the store knows; no other does.
_STORE_PATIENCE_S = 0.3


class Embeddings:
    """Asks an embedder on behalf of all searches.

    Args:
        embedder: gives the vectors; whoever made it opens and closes it.
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
                self._embedder,
                options=self._options,
                clock=self._clock,
                tasks=tasks,
                expect=self._tools.expect,
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

    async def ask(
        self,
        queries: Sequence[str],
        *,
        snapshot: Snapshot,
        index: SlottedIndex,
        visible: Collection[QualifiedName] | None,
    ) -> EmbeddedQueries:
        """What the embedder says about queries; waits for it no longer than the options allow."""
        assert self._queries is not None, "ask inside the context"
        self.watch(snapshot)
        asked = [query for query in queries if query.strip()]
        vectors, reason = await self._queries.ask(asked, dimensions=self._tools.table.dimensions)
        if not self._tools.is_loaded.is_set():
            await self._wait_loaded()
        # Nothing waits from here on: table, keys and vectors belong together.
        dimensions = self._tools.table.dimensions
        usable = {q: v for q, v in vectors.items() if len(v) == (dimensions or len(v))}
        lack = self._lack(snapshot, visible) if usable else ""
        degraded = {q: lack if q in usable else _SILENT for q in asked if lack or q not in usable}
        reasons = [reason] if len(usable) < len(asked) else []
        if len(usable) < len(vectors):
            reasons.append(f"{self._options.name} gave queries and tools vectors of two lengths")
        if lack:
            reasons.append(self._tools.failure)
        return EmbeddedQueries(
            by_query=_Cosines(
                usable if len(self._tools.table) else {},
                rows=self._tools.table.rows,
                places=self._alignment.rows_of(index),
                weight=self._options.weight,
            ),
            state=self._tools.state,
            degraded=degraded,
            reason="; ".join(dict.fromkeys(filter(None, reasons))),
        )

    async def _wait_loaded(self) -> None:
        # A store answers in milliseconds; a command that asks once finds its vectors there.
        with anyio.move_on_after(min(_STORE_PATIENCE_S, self._options.patience_s)):
            await self._tools.is_loaded.wait()
        # Once: the next search goes on with what is there.
        self._tools.is_loaded.set()

    def _lack(self, snapshot: Snapshot, visible: Collection[QualifiedName] | None) -> str:
        """Which vectors of tools are missing; "" where none is."""
        if self._tools.is_complete_for(snapshot):
            return ""
        names = [
            name
            for name, tool in snapshot.tools.items()
            if not tool.is_withheld and (visible is None or name in visible)
        ]
        keys, table = self._tools.keys, self._tools.table
        missing = sum(keys.get(name, "") not in table for name in names)
        if not missing:
            return ""
        effect = ALONE if missing == len(names) else "words and meanings rank these"
        return f"embeddings of {missing:,} of {len(names):,} tools are not ready; {effect}"


class _Cosines(Mapping[str, Embedded]):
    """Cosines of all tools by query, worked out when asked for: most answers are remembered."""

    def __init__(
        self, vectors: Mapping[str, Floats], *, rows: Floats, places: Slots, weight: float
    ) -> None:
        self._vectors, self._rows, self._places, self._weight = vectors, rows, places, weight

    def __getitem__(self, query: str) -> Embedded:
        cosines = self._rows @ self._vectors[query]
        by_slot: Floats = np.where(self._places < 0, np.float32(np.nan), cosines[self._places])
        return Embedded(by_slot, self._weight)

    def __iter__(self) -> Iterator[str]:
        return iter(self._vectors)

    def __len__(self) -> int:
        return len(self._vectors)


@dataclass(slots=True, eq=False)
class _Alignment:
    """Which row of the table belongs to which slot of an index; of the index asked last."""

    tools: ToolVectors
    index: SlottedIndex | None = None
    state: tuple[int, int] = (-1, -1)
    rows: Slots = field(default_factory=lambda: np.zeros(0, np.intp))

    def rows_of(self, index: SlottedIndex) -> Slots:
        """By slot; -1 where the tool has no vector."""
        if index is not self.index or self.state != self.tools.state:
            keys, table = self.tools.keys, self.tools.table
            places = [
                -1 if name is None else table.place(keys.get(name, "")) for name in index.names
            ]
            self.rows = np.array(places, np.intp)
            self.index, self.state = index, self.tools.state
        return self.rows
