"""From what a model says of each token to one vector of a text. Needs numpy; pure."""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolweft.search.vectors import Floats

__all__ = ("Numbers", "Pooling", "pool")

Pooling: TypeAlias = Literal["mean", "cls", "max"]
Numbers: TypeAlias = NDArray[np.int64]


def pool(states: Floats, mask: Numbers, pooling: Pooling) -> Floats:
    """One vector per text.

    Args:
        states: (texts, tokens, dimensions).
        mask: (texts, tokens): 1 where a token stands, 0 behind the end; each text has a token.
        pooling: the mean or the maximum over the tokens, or the first one alone.

    Returns:
        (texts, dimensions), of any length.
    """
    if pooling == "cls":
        return states[:, 0]
    if pooling == "max":
        hidden = np.where(mask[:, :, None] > 0, states, -np.inf)
        highest: Floats = hidden.max(axis=1).astype(np.float32)
        return highest
    weights = mask[:, :, None].astype(np.float32)
    mean: Floats = (states * weights).sum(axis=1) / np.maximum(weights.sum(axis=1), 1)
    return mean
