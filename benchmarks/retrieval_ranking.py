"""Ranks the queries of a set as the application would: by words, meanings, and an embedder."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import numpy as np

from benchmarks.harness import ROOT, Report
from toolweft.core.clock import SystemClock
from toolweft.search import LexicalIndex
from toolweft.search.embedding import EmbedderOptions
from toolweft.search.embedding.embeddings import Embeddings
from toolweft.search.embedding.local import FolderEmbedder
from toolweft.search.hybrid import HybridIndex
from toolweft.search.vectors import Neighbours, WordVectors, load_vectors
from toolweft.stores import SqlVectorStore, VectorStoreOptions
from toolweft.testing import retriever
from toolweft.testing.retrieval import build_tools

_LIMIT = 10


class Ranking:
    """How queries are ranked.

    Args:
        folder: of an embedder's model; None for none.
        knows_meanings: False leaves our own vectors out, which may have learned from the queries.
        report: gets the embedder's speed.
    """

    def __init__(self, folder: Path | None, *, knows_meanings: bool, report: Report) -> None:
        self._folder, self._knows_meanings, self._report = folder, knows_meanings, report

    def rank(
        self, tools: Sequence[Mapping[str, Any]], queries: Sequence[str]
    ) -> list[Sequence[str]]:
        """The identifiers of the tools found for each query, best first."""
        if self._folder is not None:
            return anyio.run(self._with_embedder, tools, queries)
        if self._knows_meanings:
            searcher = retriever(tools)
            return [searcher.search(query, _LIMIT) for query in queries]
        snapshot, identifiers = build_tools(tools)
        index = LexicalIndex.of(snapshot)
        return [
            [identifiers[hit.qualified] for hit in index.search(query, limit=_LIMIT)]
            for query in queries
        ]

    async def _with_embedder(
        self, tools: Sequence[Mapping[str, Any]], queries: Sequence[str]
    ) -> list[Sequence[str]]:
        assert self._folder is not None
        # Slow machines: what is measured is quality, so nothing is given up.
        options = EmbedderOptions(path=self._folder, query_timeout_s=60.0)
        place = VectorStoreOptions(url=f"sqlite:///{ROOT}/.cache/bench/vectors.db", timeout_s=60)
        clock = SystemClock()
        snapshot, identifiers = build_tools(tools)
        store = SqlVectorStore(place, clock=clock)
        found: list[Sequence[str]] = []
        embedder = FolderEmbedder(self._folder, options=options)
        async with Embeddings(embedder, store, options=options, clock=clock) as embeddings:
            start = time.perf_counter()
            embeddings.watch(snapshot)
            await embeddings.settle()
            settled_s = time.perf_counter() - start
            self._report.notes.append(f"{len(tools)} tools had their vectors in {settled_s:.1f} s")
            vectors = load_vectors() if self._knows_meanings else _no_vectors()
            index = HybridIndex.of(snapshot, vectors=vectors)
            start = time.perf_counter()
            for query in queries:
                hint = await embeddings.ask([query], snapshot=snapshot)
                hits = hint.search(index, query, limit=_LIMIT, visible=None)
                found.append([identifiers[hit.qualified] for hit in hits])
            spent_ms = 1000 * (time.perf_counter() - start) / len(queries)
            self._report.notes.append(f"{spent_ms:.1f} ms a query, its vector included")
        return found


def _no_vectors() -> WordVectors:
    """A vocabulary that knows no word, so that words and the embedder rank alone."""
    nothing = np.zeros((1, 128), np.float32)
    neighbours = Neighbours(np.zeros((1, 1), np.uint16), np.zeros((1, 1), np.uint8))
    # No text holds such a word.
    return WordVectors(("\0",), nothing, nothing, neighbours)
