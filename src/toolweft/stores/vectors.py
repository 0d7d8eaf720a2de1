"""Vectors in an SQL database: SQLite by default, PostgreSQL by address.

A cache: whatever goes wrong, it knows nothing and says so once. This module imports no database
package; the threads that ask do.
"""

import logging
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread

from toolweft.core.clock import Clock
from toolweft.stores.location import prepare_file, read_path
from toolweft.stores.vector_options import VectorStoreOptions

__all__ = ("SqlVectorStore",)

log = logging.getLogger(__name__)

_T = TypeVar("_T")

# Vectors saved between two looks at how many there are.
_SAVED_BETWEEN_CLEANING = 5_000


class SqlVectorStore:
    """The `VectorStore` of a database; needs no opening or closing."""

    def __init__(self, options: VectorStoreOptions, *, clock: Clock) -> None:
        self._options, self._clock = options, clock
        # SQLite has one writer, and nobody is in a hurry.
        self._limiter = CapacityLimiter(1)
        self._has_failed = False
        self._is_prepared = False
        self._saved = _SAVED_BETWEEN_CLEANING

    async def load(self, model: str, keys: Collection[str]) -> Mapping[str, bytes]:
        """The known ones of some vectors; see `toolweft.core.search.VectorStore`."""
        wanted = sorted(set(keys))

        def load() -> Mapping[str, bytes]:
            from toolweft.stores.vector_queries import load_vectors

            return load_vectors(self._options, model, wanted)

        return await self._try(load, otherwise={}) if wanted else {}

    async def save(self, model: str, vectors: Mapping[str, bytes]) -> None:
        """Keep vectors; see `toolweft.core.search.VectorStore`."""
        at_us = int(self._clock.now().timestamp() * 1_000_000)

        def save() -> None:
            from toolweft.stores.vector_queries import clean_vectors, save_vectors

            save_vectors(self._options, model, vectors, at_us=at_us)
            self._saved += len(vectors)
            if self._saved >= _SAVED_BETWEEN_CLEANING:
                clean_vectors(self._options, model)
                self._saved = 0

        if vectors:
            await self._try(save, otherwise=None)

    async def _try(self, work: Callable[[], _T], *, otherwise: _T) -> _T:
        """Do work in a thread; its outcome, or another where it fails or takes too long."""
        from_thread: list[_T] = []

        def run() -> None:
            try:
                self._prepare()
                from_thread.append(work())
            except Exception as exc:
                # Whatever a driver raises: a cache that fails must not stop anything. The file
                # may be gone, so the next attempt makes it anew.
                self._is_prepared = False
                self._note(type(exc).__name__)

        with anyio.move_on_after(self._options.timeout_s) as scope:
            await to_thread.run_sync(run, abandon_on_cancel=True, limiter=self._limiter)
        if scope.cancelled_caught:
            self._note("timeout")
            return otherwise
        return from_thread[0] if from_thread else otherwise

    def _prepare(self) -> None:
        """Make the file and the table, once."""
        if self._is_prepared:
            return
        from toolweft.stores.vector_queries import prepare_vectors

        path = read_path(self._options.url)
        if path is not None:
            prepare_file(path)
        prepare_vectors(self._options)
        self._is_prepared = True

    def _note(self, reason: str) -> None:
        if not self._has_failed:
            log.warning("vectors.store_failed", extra={"reason": reason})
        self._has_failed = True
