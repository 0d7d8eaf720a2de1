"""The forward pass of BERT models in numpy, so that small sentence models need no torch.

Pure: weights come from the caller. Knows nothing of files, tokens or pooling.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt

import numpy as np

from toolweft.search.embedding.pooling import Numbers
from toolweft.search.vectors import Floats

__all__ = ("BertModel", "BertShape")

_PREFIX = "bert."
# Added to the attention of what is not there.
_HIDDEN = np.float32(-1e9)
# Abramowitz & Stegun 7.1.26: erf within 1.5e-7.
_ERF_P = np.float32(0.3275911)
_ERF = tuple(map(np.float32, (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)))


@dataclass(frozen=True, slots=True, kw_only=True)
class BertShape:
    """What the weights do not say of themselves."""

    heads: int
    layer_norm_eps: float


@dataclass(frozen=True, slots=True, eq=False)
class _Dense:
    weights: Floats
    bias: Floats

    def __call__(self, rows: Floats) -> Floats:
        result: Floats = rows @ self.weights
        result += self.bias
        return result


@dataclass(frozen=True, slots=True, eq=False)
class _Norm:
    gain: Floats
    bias: Floats
    eps: np.float32

    def __call__(self, rows: Floats) -> Floats:
        centred = rows - rows.mean(axis=-1, keepdims=True)
        variance = np.einsum("...i,...i->...", centred, centred)[..., None]
        variance /= np.float32(rows.shape[-1])
        centred /= np.sqrt(variance + self.eps)
        centred *= self.gain
        centred += self.bias
        result: Floats = centred
        return result


@dataclass(frozen=True, slots=True, eq=False)
class _Layer:
    # Queries, keys and values in one product.
    asked: _Dense
    attended: _Dense
    attention_norm: _Norm
    inner: _Dense
    outer: _Dense
    norm: _Norm


class BertModel:
    """An encoder with absolute positions and exact GELU.

    Args:
        weights: by the names of Hugging Face, with or without "bert." before them.
        shape: the rest.

    Raises:
        KeyError: a weight is missing.
        ValueError: the weights do not fit together.
    """

    def __init__(self, weights: Mapping[str, Floats], shape: BertShape) -> None:
        named = _Weights(weights, eps=np.float32(shape.layer_norm_eps))
        self._words = named.array("embeddings.word_embeddings.weight")
        self._places = named.array("embeddings.position_embeddings.weight")
        self._kind = named.array("embeddings.token_type_embeddings.weight")[0]
        self._norm = named.norm("embeddings.LayerNorm")
        self._layers = [named.layer(f"encoder.layer.{i}.") for i in range(named.count_layers())]
        self._heads = shape.heads
        size = self._words.shape[1]
        if not self._layers or size % shape.heads:
            raise ValueError(
                f"{len(self._layers)} layers of {size} numbers in {shape.heads} heads do not fit"
            )

    @property
    def max_tokens(self) -> int:
        """A longer text has no position for its last tokens."""
        return len(self._places)

    def states(self, ids: Numbers, mask: Numbers) -> Floats:
        """What the last layer says of each token.

        Args:
            ids: (texts, tokens), numbers of the vocabulary.
            mask: (texts, tokens): 1 where a token stands, 0 behind the end.

        Returns:
            (texts, tokens, dimensions).
        """
        texts, tokens = ids.shape
        rows = self._words[ids] + self._places[:tokens] + self._kind
        rows = self._norm(rows).reshape(texts * tokens, -1)
        hidden = np.where(mask[:, None, None, :] > 0, np.float32(0), _HIDDEN)
        for layer in self._layers:
            attended = layer.attended(self._attend(layer.asked(rows), hidden))
            attended += rows
            rows = layer.attention_norm(attended)
            inner = layer.outer(_gelu(layer.inner(rows)))
            inner += rows
            rows = layer.norm(inner)
        states: Floats = rows.reshape(texts, tokens, -1)
        return states

    def _attend(self, asked: Floats, hidden: Floats) -> Floats:
        """What each token takes over from the others.

        Args:
            asked: (texts * tokens, 3 * dimensions): queries, keys and values.
            hidden: (texts, 1, 1, tokens), to be added to the scores.
        """
        texts, tokens = len(hidden), hidden.shape[-1]
        parts = asked.reshape(texts, tokens, 3, self._heads, -1).transpose(2, 0, 3, 1, 4)
        queries, keys, values = np.ascontiguousarray(parts)
        scores = queries @ keys.transpose(0, 1, 3, 2)
        scores /= np.float32(sqrt(queries.shape[-1]))
        scores += hidden
        scores -= scores.max(axis=-1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=-1, keepdims=True)
        mixed = (scores @ values).transpose(0, 2, 1, 3)
        return np.ascontiguousarray(mixed).reshape(texts * tokens, -1)


class _Weights:
    """Weights by name, turned the way they are multiplied."""

    def __init__(self, weights: Mapping[str, Floats], *, eps: np.float32) -> None:
        self._arrays = {name.removeprefix(_PREFIX): array for name, array in weights.items()}
        self._eps = eps

    def array(self, name: str) -> Floats:
        return np.ascontiguousarray(self._arrays[name], np.float32)

    def count_layers(self) -> int:
        prefix = "encoder.layer."
        numbers = {name.split(".")[2] for name in self._arrays if name.startswith(prefix)}
        return len(numbers)

    def dense(self, *names: str) -> _Dense:
        """One product in place of several side by side."""
        weights = np.concatenate([self.array(f"{name}.weight") for name in names])
        bias = np.concatenate([self.array(f"{name}.bias") for name in names])
        return _Dense(np.ascontiguousarray(weights.T), bias)

    def norm(self, name: str) -> _Norm:
        return _Norm(self.array(f"{name}.weight"), self.array(f"{name}.bias"), self._eps)

    def layer(self, prefix: str) -> _Layer:
        own = f"{prefix}attention.self."
        return _Layer(
            self.dense(f"{own}query", f"{own}key", f"{own}value"),
            self.dense(f"{prefix}attention.output.dense"),
            self.norm(f"{prefix}attention.output.LayerNorm"),
            self.dense(f"{prefix}intermediate.dense"),
            self.dense(f"{prefix}output.dense"),
            self.norm(f"{prefix}output.LayerNorm"),
        )


def _gelu(rows: Floats) -> Floats:
    """Each x times the share of a normal distribution below x; in place where it can be."""
    size = np.abs(rows)
    size *= np.float32(sqrt(0.5))
    step = 1 / (1 + _ERF_P * size)
    tail = np.full_like(rows, _ERF[0])
    for factor in _ERF[1:]:
        tail *= step
        tail += factor
    tail *= step
    # Half of what lies beyond |x|.
    tail *= np.exp(-size * size) * np.float32(0.5)
    rows *= np.where(rows >= 0, 1 - tail, tail)
    return rows
