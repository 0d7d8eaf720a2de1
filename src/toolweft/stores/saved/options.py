"""Where saved programs live and how they may call one another."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ("SavedOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedOptions:
    """A folder and a depth."""

    # Made at the first use, for its user alone.
    folder: Path
    # Saved programs may call saved programs so deep.
    max_depth: int = 4
