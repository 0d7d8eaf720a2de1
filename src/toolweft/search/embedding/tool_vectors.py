"""Keeps the vectors of the newest snapshot's tools, in the background.

texts → keys → those the store knows → the others in batches, each kept as soon as it is there

Searches read the table and never wait for it. An embedder that fails is asked again after a while,
with smaller batches, so that one text it cannot read does not hold up the others.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from itertools import islice
from types import MappingProxyType

import anyio
import anyio.lowlevel
from anyio import to_thread

from toolweft.core.errors import EmbedderUnavailable
from toolweft.core.ids import QualifiedName
from toolweft.core.search import TextEmbedder, VectorStore
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import ToolDefinition
from toolweft.search.embedding.asking import ask_embedder
from toolweft.search.embedding.checks import pack_vectors, read_vectors
from toolweft.search.embedding.options import EmbedderOptions
from toolweft.search.embedding.table import VectorTable
from toolweft.search.embedding.texts import build_text, split_batches, text_key
from toolweft.search.vectors import Floats

__all__ = ("ToolVectors",)

log = logging.getLogger(__name__)

# Vectors asked of the store at once: bounds a statement, and how long it takes.
_LOADED_AT_ONCE = 500
_FIRST_DELAY_S = 1.0
# As long as a store may take for one question.
_KEEP_S = 5.0
# Small, then ever larger: what stops soon has kept something too.
_FIRST_BATCH = 4

_NO_KEYS: Mapping[QualifiedName, str] = MappingProxyType({})


class ToolVectors:
    """The vectors of a catalog's tools; `run` keeps them up with the newest snapshot.

    Args:
        embedder: gives the vectors.
        store: keeps them.
        options: of the embedder.
        wait: how to let seconds pass.
    """

    def __init__(
        self,
        embedder: TextEmbedder,
        store: VectorStore,
        *,
        options: EmbedderOptions,
        wait: Callable[[float], Awaitable[None]] = anyio.sleep,
    ) -> None:
        self._embedder, self._store, self._options, self._wait = embedder, store, options, wait
        self.table = VectorTable()
        # Key of each tool's text; of the newest snapshot that was read.
        self.keys: Mapping[QualifiedName, str] = _NO_KEYS
        # Why the last request failed; "" where it did not.
        self.failure = ""
        # Set once what the store knows of the first snapshot is in the table, or cannot be had in
        # the time that a search has.
        self.is_loaded = anyio.Event()
        self._generation = 0
        self._definitions: Mapping[QualifiedName, ToolDefinition] = {}
        self._newest: Snapshot | None = None
        self._read: Snapshot | None = None
        self._missing: dict[str, str] = {}
        self._changed = anyio.Event()
        self._batch = min(_FIRST_BATCH, options.batch)
        self._idle = anyio.Event()

    def watch(self, snapshot: Snapshot) -> None:
        """Keep up with this snapshot from now on; older ones are ignored."""
        if self._newest is None or snapshot.version > self._newest.version:
            self._newest = snapshot
            self._changed.set()

    @property
    def state(self) -> tuple[int, int]:
        """Changes with the table and the keys."""
        return self._generation, self.table.version

    def is_complete_for(self, snapshot: Snapshot) -> bool:
        """Whether it is known that every tool of a snapshot has its vector."""
        return snapshot is self._read and not self._missing

    def expect(self, dimensions: int) -> bool:
        """Whether an embedder's new answer goes with the vectors known.

        Where it is of another dimension, the embedder has changed, and all starts anew. Only for
        an answer that has just come: a remembered one says nothing about the embedder of today.
        """
        known = self.table.dimensions
        if not known or known == dimensions:
            return True
        self.table = VectorTable(dimensions)
        self._generation += 1
        self._read = None
        self._changed.set()
        self.failure = f"{self._options.name} gave vectors of {dimensions} numbers after {known}"
        return False

    async def settle(self) -> None:
        """Return when every tool of the newest snapshot has its vector."""
        while self._newest is not None and not self.is_complete_for(self._newest):
            await self._idle.wait()
            # `run` must get to see what changed.
            await anyio.lowlevel.checkpoint()

    async def run(self) -> None:
        """Never returns; cancel it."""
        failures = 0
        while True:
            self._changed = anyio.Event()
            try:
                await self._catch_up()
            except Exception as exc:
                # Embedder and store may be anybody's, and nothing else must end with them.
                failures += 1
                self._note(exc, failures)
                self.is_loaded.set()
                delay_s = _FIRST_DELAY_S * 2.0 ** min(failures - 1, 16)
                await self._wait(min(delay_s, self._options.cooldown_s))
                continue
            failures, self.failure = 0, ""
            self._idle.set()
            await self._changed.wait()
            self._idle = anyio.Event()

    async def _catch_up(self) -> None:
        """Return when every tool of the newest snapshot has its vector."""
        while self._newest is not None:
            if self._newest is not self._read:
                await self._begin(self._newest)
            elif self._missing:
                await self._embed_some()
            else:
                return

    async def _begin(self, snapshot: Snapshot) -> None:
        """Find out what is missing, after what the store knows."""
        texts, definitions, keys = await to_thread.run_sync(
            _read_tools, snapshot, self._definitions, self.keys
        )
        self._definitions, self.keys = definitions, keys
        self._generation += 1
        wanted = set(keys.values())
        self.table.keep(wanted)
        model = await self._identify()
        missing = [key for key in wanted if key not in self.table]
        for first in range(0, len(missing), _LOADED_AT_ONCE):
            found = await self._store.load(model, missing[first : first + _LOADED_AT_ONCE])
            self.table.add(read_vectors(found, dimensions=self.table.dimensions))
        lacking = {key: name for name, key in keys.items() if key not in self.table}
        self._missing = {
            key: texts[key] if key in texts else build_text(definitions[name])
            for key, name in lacking.items()
        }
        self._read = snapshot
        self.is_loaded.set()

    async def _embed_some(self) -> None:
        """Embed the next batch and keep it."""
        options = self._options
        texts = list(islice(self._missing.values(), self._batch))
        texts = next(split_batches(texts, most=self._batch, characters=options.batch_characters))
        batch = dict(islice(self._missing.items(), len(texts)))
        try:
            rows = await self._embed(texts)
        except EmbedderUnavailable:
            # The others first the next time; at last a text that cannot be read stands alone.
            for key, text in batch.items():
                if self._missing.pop(key, None) is not None:
                    self._missing[key] = text
            self._batch = max(1, self._batch // 2)
            raise
        self._batch = min(options.batch, self._batch * 2)
        vectors: dict[str, Floats] = dict(zip(batch, rows, strict=True))
        self.table.add(vectors)
        for key in batch:
            self._missing.pop(key, None)
        self.failure = ""
        packed = dict(zip(vectors, pack_vectors(rows, count=len(rows)), strict=True))
        # Whoever closes all this meanwhile waits for it: what was embedded is kept.
        with anyio.move_on_after(_KEEP_S, shield=True):
            await self._store.save(await self._identify(), packed)

    async def _embed(self, texts: list[str]) -> Floats:
        rows = await ask_embedder(self._embedder, texts, kind="tool", options=self._options)
        if not self.expect(rows.shape[1]):
            raise EmbedderUnavailable(self.failure)
        return rows

    async def _identify(self) -> str:
        # It may read files, and must not hold up whoever closes all this.
        return await to_thread.run_sync(lambda: self._embedder.model, abandon_on_cancel=True)

    def _note(self, error: Exception, failures: int) -> None:
        self.failure = _reason_of(error, name=self._options.name)
        # Once for a row of failures; searches go on saying it.
        if failures == 1:
            log.warning("search.embedder_failed", extra={"reason": self.failure})


def _reason_of(error: Exception, *, name: str) -> str:
    if isinstance(error, EmbedderUnavailable):
        return error.message
    return f"{name} or its store failed: {type(error).__name__}: {error}".rstrip(": ")


def _read_tools(
    snapshot: Snapshot,
    known: Mapping[QualifiedName, ToolDefinition],
    keys: Mapping[QualifiedName, str],
) -> tuple[dict[str, str], dict[QualifiedName, ToolDefinition], dict[QualifiedName, str]]:
    """The texts of tools not read before by key, and definition and key of each that is found."""
    texts: dict[str, str] = {}
    definitions: dict[QualifiedName, ToolDefinition] = {}
    found: dict[QualifiedName, str] = {}
    for name, tool in snapshot.tools.items():
        if tool.is_withheld:
            continue
        definition = definitions[name] = tool.definition
        if known.get(name) is definition and name in keys:
            found[name] = keys[name]
            continue
        text = build_text(definition)
        found[name] = key = text_key(text)
        texts[key] = text
    return texts, definitions, found
