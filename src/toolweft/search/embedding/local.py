"""The embedder of a model in a folder: runs in this process, in threads of its own.

Nothing is read before the first text comes. Whatever goes wrong with the files or the library
that runs them is told as one reason, and tried again at the next request.
"""

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Literal

from anyio import CapacityLimiter, to_thread

from toolweft.core.errors import EmbedderUnavailable
from toolweft.search.embedding.checks import pack_vectors
from toolweft.search.embedding.folder import ModelFolder, read_folder
from toolweft.search.embedding.models import TextModel, load_model
from toolweft.search.embedding.options import EmbedderOptions

__all__ = ("FolderEmbedder",)

# A query must not stand behind a batch of tools, so each kind has threads of its own.
_QUERY_THREADS = 2


class FolderEmbedder:
    """The `TextEmbedder` of a folder."""

    def __init__(self, path: Path, *, options: EmbedderOptions) -> None:
        self._path, self._options, self._name = path, options, options.name
        self._lock = Lock()
        self._folder: ModelFolder | None = None
        self._loaded: TextModel | None = None
        self._limiters = {"query": CapacityLimiter(_QUERY_THREADS), "tool": CapacityLimiter(1)}

    @property
    def model(self) -> str:
        """The folder's name, a fingerprint of its files, and what is set before tools.

        Reads files at first use: ask in a thread.

        Raises:
            EmbedderUnavailable: the folder cannot be read.
        """
        folder = self._read()
        return f"folder {self._path.name} {folder.fingerprint} {self._prefix(folder, 'tool')!r}"

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "tool"]
    ) -> Sequence[bytes]:
        """One vector per text; see `toolweft.core.search.TextEmbedder`."""
        return await to_thread.run_sync(
            self._embed,
            texts,
            kind,
            # The thread goes on for a moment; whoever waited does not.
            abandon_on_cancel=True,
            limiter=self._limiters[kind],
        )

    def _embed(self, texts: Sequence[str], kind: Literal["query", "tool"]) -> Sequence[bytes]:
        folder = self._read()
        prefix = self._prefix(folder, kind)
        try:
            rows = self._model(folder).encode([prefix + text for text in texts])
            return pack_vectors(rows, count=len(texts))
        except EmbedderUnavailable as exc:
            raise EmbedderUnavailable(f"{self._name}: {exc.message}", hint=exc.hint) from exc
        except Exception as exc:
            # The libraries raise whatever they like where a file is not what it should be.
            reason = str(exc).strip().splitlines()[:1] or [type(exc).__name__]
            raise EmbedderUnavailable(
                f"{self._name} cannot be used: {reason[0][:300]}",
                hint="fetch the folder again, or name another one in search.embedder.path",
            ) from exc

    def _prefix(self, folder: ModelFolder, kind: Literal["query", "tool"]) -> str:
        options = self._options
        given = options.query_prefix if kind == "query" else options.tool_prefix
        return folder.prefixes.get(kind, "") if given is None else given

    def _read(self) -> ModelFolder:
        with self._lock:
            if self._folder is None:
                try:
                    self._folder = read_folder(self._path)
                except OSError as exc:
                    raise EmbedderUnavailable(f"{self._name} cannot be read: {exc}") from exc
            return self._folder

    def _model(self, folder: ModelFolder) -> TextModel:
        # Whoever comes while it is being loaded waits for the same one.
        with self._lock:
            if self._loaded is None:
                self._loaded = load_model(folder)
            return self._loaded
