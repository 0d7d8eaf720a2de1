"""How near tools are to a query by an embedder's vectors, and how that enters a score. Needs numpy.

Pure. Cosines of different models mean different things: some put everything between 0.7 and 0.9.
So nearness is counted from what is usual in the catalog for this query up to its best tool.
"""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolweft.search.embedded import Embedded
from toolweft.search.vectors import Floats

# `Embedded` for those who rank with it: they have numpy.
__all__ = ("Embedded", "Signal", "blend", "blend_signals", "scale_nearness", "sum_signals")

# A part of a score: its name, its weight, and one number a tool.
Signal: TypeAlias = tuple[str, float, Floats]

_NAME = "embedding"
_TINY = 1e-6


def scale_nearness(cosines: Floats, usable: NDArray[np.bool_] | None = None) -> Floats:
    """Nearness of each tool: 1 the best one, 0 what is usual or less, NaN where nothing is known.

    Args:
        cosines: by slot; NaN where the tool has no vector.
        usable: slots that may be found, and so count; None for all.
    """
    known = ~np.isnan(cosines)
    counted = cosines[known if usable is None else known & usable]
    if not len(counted):
        return np.full_like(cosines, np.nan)
    best = float(counted.max())
    # Of few tools the mean says little: half of them may be what is asked for.
    usual = min(float(counted.mean(dtype=np.float64)), best - _TINY)
    above = (cosines.astype(np.float64) - usual) / (best - usual)
    nearness: Floats = above.clip(0, 1).astype(np.float32)
    return nearness


def blend(scores: Floats, nearness: Floats, *, weight: float) -> tuple[Floats, Floats]:
    """Scores with nearness mixed in, and what it added to each.

    A convex mix on the scale of the scores. A tool without a vector keeps its score: it is judged
    by all else, neither better nor worse for waiting.

    Args:
        scores: >= 0.
        nearness: of the same tools, in [0, 1] or NaN.
        weight: in [0, 1].
    """
    best = float(scores.max(initial=0.0)) or 1.0
    added: Floats = (weight * best * np.nan_to_num(nearness)).astype(np.float32)
    mixed: Floats = (_kept(nearness, weight) * scores + added).astype(np.float32)
    return mixed, added


def sum_signals(signals: Sequence[Signal]) -> Floats:
    """What the weighted signals of each tool add up to; at least one signal."""
    scores = np.zeros(len(signals[0][2]), np.float32)
    for _, share, values in signals:
        scores += np.float32(share) * values
    return scores


def blend_signals(signals: Sequence[Signal], nearness: Floats, *, weight: float) -> list[Signal]:
    """Signals whose sum is the `blend` of their sum and nearness; the last one is "embedding"."""
    _, added = blend(sum_signals(signals), nearness, weight=weight)
    kept = _kept(nearness, weight)
    return [*((name, share, kept * values) for name, share, values in signals), (_NAME, 1.0, added)]


def _kept(nearness: Floats, weight: float) -> Floats:
    """What is left to everything else, by tool."""
    return np.where(np.isnan(nearness), np.float32(1), np.float32(1 - weight))
