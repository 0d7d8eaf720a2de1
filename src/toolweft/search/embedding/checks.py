"""Vectors as bytes and as rows: checked, and of length 1. Needs numpy; pure."""

from collections.abc import Mapping, Sequence

import numpy as np

from toolweft.core.errors import EmbedderUnavailable
from toolweft.search.vectors import Floats, unit

__all__ = ("pack_vectors", "read_vectors", "unpack_vectors")

_NUMBER = np.dtype("<f4")
# Above every model; more would be a mistake that fills the memory.
_MAX_DIMENSIONS = 16_384
_SHORTEST = 1e-6
_ROUNDING = 1e-2


def pack_vectors(rows: Floats, *, count: int) -> list[bytes]:
    """Rows as the vectors of `count` texts: float32, little-endian, of length 1.

    Raises:
        EmbedderUnavailable: there are more or fewer, or one has no direction.
    """
    if rows.ndim != 2 or len(rows) != count or not 0 < rows.shape[1] <= _MAX_DIMENSIONS:
        raise EmbedderUnavailable(f"gave an array of {rows.shape} for {count} texts")
    if not np.isfinite(rows).all():
        raise EmbedderUnavailable("gave a vector with a number that is not finite")
    if (np.linalg.norm(rows, axis=1) < _SHORTEST).any():
        raise EmbedderUnavailable("gave a vector of zeros")
    return [row.tobytes() for row in unit(rows.astype(np.float32)).astype(_NUMBER)]


def unpack_vectors(packed: Sequence[bytes], *, count: int) -> Floats:
    """The vectors of `count` texts as rows.

    Args:
        packed: what an embedder answered.
        count: how many texts it was given, >= 1.

    Raises:
        EmbedderUnavailable: it did not keep its promises.
    """
    if len(packed) != count:
        raise EmbedderUnavailable(f"gave {len(packed)} vectors for {count} texts")
    sizes = {len(vector) for vector in packed}
    if len(sizes) != 1 or not min(sizes) or min(sizes) % _NUMBER.itemsize:
        raise EmbedderUnavailable(f"gave vectors of {sorted(sizes)[:3]} bytes")
    rows = np.frombuffer(b"".join(packed), _NUMBER).reshape(count, -1).astype(np.float32)
    if not np.isfinite(rows).all():
        raise EmbedderUnavailable("gave a vector with a number that is not finite")
    return unit(rows)


def read_vectors(kept: Mapping[str, bytes], *, dimensions: int = 0) -> dict[str, Floats]:
    """The vectors of a store that can be used; the others are as if they were not there.

    Args:
        kept: by key, as they were saved.
        dimensions: those of other dimensions are left out; 0 to take those of the first that is
            sound.
    """
    usable: dict[str, Floats] = {}
    for key, data in kept.items():
        if not data or len(data) % _NUMBER.itemsize:
            continue
        row = np.frombuffer(data, _NUMBER).astype(np.float32)
        dimensions = dimensions or len(row)
        length = float(np.linalg.norm(row)) if np.isfinite(row).all() else 0.0
        if len(row) == dimensions and abs(length - 1) < _ROUNDING:
            usable[key] = row
    return usable
