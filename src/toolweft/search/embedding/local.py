"""The embedder of a model in a folder: runs in this process, in threads of its own.

Nothing is read before the first text comes. Whatever goes wrong with the files or the library
that runs them is told as one reason, and tried again at the next request. A thread cannot be
stopped, so their number is bounded however many requests are given up.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread
from typing import Literal

import anyio
from anyio import CapacityLimiter, to_thread

from toolweft.core.errors import EmbedderUnavailable
from toolweft.search.embedding.checks import pack_vectors
from toolweft.search.embedding.folder import ModelFolder, read_folder
from toolweft.search.embedding.models import TextModel, load_model
from toolweft.search.embedding.options import EmbedderOptions

__all__ = ("FolderEmbedder",)

# A query must not stand behind a batch of tools, so each kind has threads of its own.
_THREADS = {"query": 2, "tool": 1}
# A thread cannot wake whoever waits for it, whose event loop may be gone: they look again so often.
_LOOK_S = 0.02


@dataclass(slots=True, eq=False)
class _Reading:
    """A model being read; when it is done it has either a model or an error."""

    folder: ModelFolder | None = None
    model: TextModel | None = None
    error: EmbedderUnavailable | None = None


class FolderEmbedder:
    """The `TextEmbedder` of a folder.

    Args:
        path: the folder.
        options: prefixes.
        load: makes a model of what the folder says; called in a thread.
    """

    def __init__(
        self,
        path: Path,
        *,
        options: EmbedderOptions,
        load: Callable[[ModelFolder], TextModel] = load_model,
    ) -> None:
        self._path, self._options, self._name, self._load = path, options, options.name, load
        # Of the folder's files; whoever asks for `model` does not wait for the weights.
        self._files = Lock()
        self._folder: ModelFolder | None = None
        # Of everything below; held for a moment only.
        self._lock = Lock()
        self._reading: _Reading | None = None
        self._running = dict.fromkeys(_THREADS, 0)
        self._limiters = {kind: CapacityLimiter(most) for kind, most in _THREADS.items()}

    @property
    def model(self) -> str:
        """The folder's name, a fingerprint of its files, and what is set before tools.

        Reads files at first use: ask in a thread.

        Raises:
            EmbedderUnavailable: the folder cannot be read.
        """
        folder = self._read_files()
        return f"folder {self._path.name} {folder.fingerprint} {self._prefix(folder, 'tool')!r}"

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "tool"]
    ) -> Sequence[bytes]:
        """One vector per text; see `toolweft.core.search.TextEmbedder`."""
        folder, model = await self._ready()
        prefix = self._prefix(folder, kind)
        return await to_thread.run_sync(
            self._encode,
            model,
            [prefix + text for text in texts],
            kind,
            # The thread goes on for a moment; whoever waited does not.
            abandon_on_cancel=True,
            limiter=self._limiters[kind],
        )

    async def _ready(self) -> tuple[ModelFolder, TextModel]:
        """Folder and model; whoever comes while they are being read waits for the same ones."""
        reading = self._begin_reading()
        while reading.error is None:
            if reading.folder is not None and reading.model is not None:
                return reading.folder, reading.model
            await anyio.sleep(_LOOK_S)
        raise EmbedderUnavailable(
            reading.error.message, hint=reading.error.hint
        ) from reading.error.__cause__

    def _begin_reading(self) -> _Reading:
        """The reading under way, or done; a new one where none is or the last one failed."""
        with self._lock:
            if self._reading is None or self._reading.error is not None:
                self._reading = _Reading()
                # One that never ends must not keep the process from ending.
                thread = Thread(target=self._read, args=(self._reading,), daemon=True)
                thread.start()
            return self._reading

    def _read(self, reading: _Reading) -> None:
        try:
            reading.folder = self._read_files()
            reading.model = self._load(reading.folder)
        except Exception as exc:
            reading.error = self._explained(exc)

    def _read_files(self) -> ModelFolder:
        with self._files:
            if self._folder is None:
                try:
                    self._folder = read_folder(self._path)
                except Exception as exc:
                    raise self._explained(exc) from exc
            return self._folder

    def _encode(
        self, model: TextModel, texts: Sequence[str], kind: Literal["query", "tool"]
    ) -> Sequence[bytes]:
        with self._counted(kind):
            try:
                return pack_vectors(model.encode(texts), count=len(texts))
            except Exception as exc:
                raise self._explained(exc) from exc

    @contextmanager
    def _counted(self, kind: Literal["query", "tool"]) -> Iterator[None]:
        """One of the threads of a kind; those count whose requests were given up, too."""
        with self._lock:
            if self._running[kind] >= _THREADS[kind]:
                raise EmbedderUnavailable(f"{self._name} is still busy with texts given up")
            self._running[kind] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[kind] -= 1

    def _explained(self, error: Exception) -> EmbedderUnavailable:
        """The error as one reason; the libraries raise whatever they like."""
        if isinstance(error, EmbedderUnavailable):
            return EmbedderUnavailable(self._named(error.message), hint=error.hint)
        reason = str(error).strip().splitlines()[:1] or [type(error).__name__]
        return EmbedderUnavailable(
            f"{self._name} cannot be used: {reason[0][:300]}",
            hint="fetch the folder again, or name another one in search.embedder.path",
        )

    def _named(self, message: str) -> str:
        return message if message.startswith(self._name) else f"{self._name}: {message}"

    def _prefix(self, folder: ModelFolder, kind: Literal["query", "tool"]) -> str:
        options = self._options
        given = options.query_prefix if kind == "query" else options.tool_prefix
        return folder.prefixes.get(kind, "") if given is None else given
