"""Static word vectors of our own: what each word means, as far as 128 numbers can say it.

Loaded from the file beside this module at first use; made by `training/`. Needs numpy, and so is
imported only by what ranks with vectors. Knows nothing of tools.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Self

import numpy as np
from numpy.typing import NDArray

from toolweft.search.grams import hash_grams
from toolweft.search.words import STOP_WORDS

__all__ = ("Floats", "Neighbours", "WordVectors", "load_vectors", "unit")

Floats = NDArray[np.float32]

_FILE = "vectors.npz"
# Likeness is kept as a byte: 255 is 1.
_BYTE = 255.0
# Less alike than this is not a neighbour.
_MIN_LIKENESS = 0.4
_MAX_NEIGHBOURS = 16
# Words of queries without a vector of their own: 0.6 kB each.
_MAX_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """For every word the words most like it, best first, padded with likeness 0."""

    words: NDArray[np.uint16]
    likeness: NDArray[np.uint8]


class WordVectors:
    """A vocabulary of stems with a vector each, and vectors of character n-grams for the rest.

    A word's vector is as long as the word is telling. The axes are ordered: the first ones carry
    most, so that a beginning of a vector is a good guess at the whole.
    """

    def __init__(
        self, words: Sequence[str], rows: Floats, grams: Floats, neighbours: Neighbours
    ) -> None:
        self._words = words
        self._numbers: Mapping[str, int] = {word: number for number, word in enumerate(words)}
        self._rows, self._grams, self._neighbours = rows, grams, neighbours
        self._unknown: dict[str, Floats] = {}
        self._nothing = np.zeros_like(self._rows[0])

    @property
    def dimensions(self) -> int:
        """The length of every vector."""
        return int(self._rows.shape[1])

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def __len__(self) -> int:
        return len(self._words)

    def vector(self, word: str) -> Floats:
        """The vector of a word; of one unknown from its n-grams; of a stop word, none at all."""
        number = self._numbers.get(word)
        if number is not None:
            row: Floats = self._rows[number]
            return row
        grams = [] if word in STOP_WORDS else hash_grams(word, len(self._grams))
        guess: Floats = self._grams[grams].mean(axis=0) if grams else self._nothing
        return guess

    def asked_vector(self, word: str) -> Floats:
        """The vector of a word of a query: people ask with the same words again and again."""
        if word in self._numbers:
            return self.vector(word)
        guess = self._unknown.get(word)
        if guess is None:
            guess = self.vector(word)
            if len(self._unknown) >= _MAX_REMEMBERED:
                self._unknown.clear()
            self._unknown[word] = guess
        return guess

    def neighbours(self, word: str) -> list[tuple[str, float]]:
        """The words most like one, best first, each with its likeness in (0, 1]."""
        number = self._numbers.get(word)
        if number is None:
            return []
        likeness = self._neighbours.likeness[number]
        count = np.count_nonzero(likeness)
        return [
            (self._words[other], alike / _BYTE)
            for other, alike in zip(
                self._neighbours.words[number, :count].tolist(),
                likeness[:count].tolist(),
                strict=True,
            )
        ]

    @classmethod
    def build(
        cls, words: Sequence[str], rows: Floats, grams: Floats, *, dimensions: int | None = None
    ) -> Self:
        """Vectors as trained: turned to their principal axes, with each word's neighbours found.

        Args:
            words: distinct.
            rows: one for each word.
            grams: one for each bucket of n-grams.
            dimensions: so many leading axes are kept; None for all. Neighbours are those of the
                whole vectors.
        """
        _, axes = np.linalg.eigh(rows.T @ rows)
        axes = axes[:, ::-1][:, :dimensions].astype(np.float32)
        return cls(words, rows @ axes, grams @ axes, _find_neighbours(words, rows))

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Vectors from the bytes `pack` gave."""
        with np.load(BytesIO(data), allow_pickle=False) as file:
            words = bytes(file["words"]).decode().split("\n")
            rows = file["rows"] * file["row_scales"].astype(np.float32)[:, None]
            grams = file["grams"] * file["gram_scales"].astype(np.float32)[:, None]
            return cls(words, rows, grams, Neighbours(file["near"], file["likeness"]))

    def pack(self) -> bytes:
        """The vectors as a file: one byte a number, with one scale a row.

        Not compressed: it would save a seventh of the size, and take three times as long to read.
        """
        rows, row_scales = _rounded(self._rows)
        grams, gram_scales = _rounded(self._grams)
        file = BytesIO()
        np.savez(
            file,
            words=np.frombuffer("\n".join(self._words).encode(), np.uint8),
            rows=rows,
            row_scales=row_scales,
            grams=grams,
            gram_scales=gram_scales,
            near=self._neighbours.words,
            likeness=self._neighbours.likeness,
        )
        return file.getvalue()


@cache
def load_vectors() -> WordVectors:
    """The vectors shipped with the package, read once."""
    return WordVectors.unpack(files("toolweft.search").joinpath(_FILE).read_bytes())


def unit(vectors: Floats) -> Floats:
    """The same directions at length 1; what has no direction stays 0."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    scaled: Floats = vectors / np.maximum(lengths, 1e-9)
    return scaled


def _rounded(rows: Floats) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    scales = (np.maximum(np.abs(rows).max(axis=1), 1e-6) / 127).astype(np.float16)
    return np.round(rows / scales.astype(np.float32)[:, None]).astype(np.int8), scales


def _find_neighbours(words: Sequence[str], rows: Floats) -> Neighbours:
    directions = unit(rows)
    # Pairs of characters are no words: what stands near them is chance.
    directions[[number for number, word in enumerate(words) if not word.isascii()]] = 0
    most = min(_MAX_NEIGHBOURS, len(words) - 1)
    near = np.zeros((len(words), most), np.uint16)
    likeness = np.zeros((len(words), most), np.uint8)
    for start in range(0, len(words), 1_000):
        part = np.arange(start, min(start + 1_000, len(words)))
        cosines = directions[part] @ directions.T
        cosines[np.arange(len(part)), part] = 0
        best = np.argpartition(-cosines, most - 1, axis=1)[:, :most]
        values = np.take_along_axis(cosines, best, 1)
        order = np.argsort(-values, axis=1, kind="stable")
        values = np.take_along_axis(values, order, 1)
        near[part] = np.take_along_axis(best, order, 1)
        likeness[part] = np.round(_BYTE * np.where(values > _MIN_LIKENESS, values, 0))
    return Neighbours(near, likeness)
