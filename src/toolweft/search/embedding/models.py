"""Models of a folder, loaded: each turns texts into vectors, whatever runs it.

Imports the libraries that run them, so only threads do it, at first use.
"""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from toolweft.core.errors import EmbedderUnavailable
from toolweft.search.embedding.bert import BertModel, BertShape
from toolweft.search.embedding.folder import ModelFolder
from toolweft.search.embedding.pooling import Numbers, pool
from toolweft.search.vectors import Floats

__all__ = ("TextModel", "load_model")

_EXTRA = "pip install 'toolweft[embeddings]'"
_POOLED = "sentence_embedding"
_MEANT_FOR_TOKENS = 3


class TextModel(Protocol):
    """A loaded model; threads may share it."""

    def encode(self, texts: Sequence[str]) -> Floats:
        """(texts, dimensions), of any length."""
        ...


def load_model(folder: ModelFolder) -> TextModel:
    """Load the weights of a folder with the library that suits them.

    Raises:
        EmbedderUnavailable: that library is not installed.
        Exception: whatever it raises where the files are not what they should be.
    """
    match folder.kind:
        case "onnx":
            _check_installed("onnxruntime", "tokenizers", hint=_EXTRA)
            return _OnnxModel(folder)
        case "bert":
            _check_installed("safetensors", "threadpoolctl", "tokenizers", hint=_EXTRA)
            return _NumpyModel(folder)
        case "other":
            _check_installed(
                "sentence_transformers",
                hint="pip install sentence-transformers: models of type "
                f"{folder.config.get('model_type', 'unknown')!r} need it",
            )
            return _LibraryModel(folder)


def _check_installed(*packages: str, hint: str) -> None:
    missing = [package for package in packages if find_spec(package) is None]
    if missing:
        raise EmbedderUnavailable(
            f"the embedder's folder needs {' and '.join(missing)}, which is not installed",
            hint=hint,
        )


class _NumpyModel:
    """BERT weights in a safetensors file."""

    def __init__(self, folder: ModelFolder) -> None:
        from safetensors.numpy import load_file

        from toolweft.search.embedding.threads import OneThread
        from toolweft.search.embedding.tokens import TokenReader

        shape = BertShape(
            heads=int(folder.config["num_attention_heads"]),
            layer_norm_eps=float(folder.config.get("layer_norm_eps", 1e-12)),
        )
        self._model = BertModel(load_file(folder.weights), shape)
        self._tokens = TokenReader(
            folder.tokenizer,
            max_tokens=min(folder.max_tokens, self._model.max_tokens),
            lower_case=folder.lower_case,
        )
        self._pooling = folder.pooling
        self._one_thread = OneThread()

    def encode(self, texts: Sequence[str]) -> Floats:
        rows = _Rows(len(texts))
        with self._one_thread.held():
            for batch in self._tokens.batches(texts):
                states = self._model.states(batch.ids, batch.mask)
                rows.put(batch.places, pool(states, batch.mask, self._pooling))
        return rows.array


class _OnnxModel:
    """A graph that takes token numbers and gives token states or whole vectors."""

    def __init__(self, folder: ModelFolder) -> None:
        import onnxruntime  # type: ignore[import-untyped]  # has no types

        from toolweft.search.embedding.tokens import TokenReader

        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # A thread that waits must not take the processor from calls.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._session: Any = onnxruntime.InferenceSession(
            str(folder.weights), options, providers=["CPUExecutionProvider"]
        )
        self._inputs = {node.name for node in self._session.get_inputs()}
        outputs = [node.name for node in self._session.get_outputs()]
        self._output = _POOLED if _POOLED in outputs else outputs[0]
        self._tokens = TokenReader(
            folder.tokenizer, max_tokens=folder.max_tokens, lower_case=folder.lower_case
        )
        self._pooling = folder.pooling

    def encode(self, texts: Sequence[str]) -> Floats:
        rows = _Rows(len(texts))
        for batch in self._tokens.batches(texts):
            offered: dict[str, Numbers] = {
                "input_ids": batch.ids,
                "attention_mask": batch.mask,
                "token_type_ids": batch.kinds,
            }
            taken = {name: array for name, array in offered.items() if name in self._inputs}
            found = np.asarray(self._session.run([self._output], taken)[0], np.float32)
            if found.ndim == _MEANT_FOR_TOKENS:
                found = pool(found, batch.mask, self._pooling)
            rows.put(batch.places, found)
        return rows.array


class _LibraryModel:
    """Any other architecture, as far as the sentence-transformers library knows it."""

    def __init__(self, folder: ModelFolder) -> None:
        # By name: it is never installed where this is checked.
        library: Any = import_module("sentence_transformers")
        self._model: Any = library.SentenceTransformer(
            str(folder.path), device="cpu", local_files_only=True
        )

    def encode(self, texts: Sequence[str]) -> Floats:
        found = self._model.encode(list(texts), show_progress_bar=False, convert_to_numpy=True)
        return np.asarray(found, np.float32)


class _Rows:
    """Vectors as they come in, each put where its text stood."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.array: Floats = np.zeros((count, 0), np.float32)

    def put(self, places: Sequence[int], vectors: Floats) -> None:
        if not self.array.size:
            self.array = np.zeros((self._count, vectors.shape[1]), np.float32)
        self.array[places] = vectors
