"""Where stored results live, for how long, and how many."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ("HandleOptions",)

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class HandleOptions:
    """A folder and its caps."""

    # Made at the first use, for its user alone.
    folder: Path
    # A handle that nobody used for so long is gone.
    expire_s: float = 3600.0
    # Of one principal; contents that several handles share count for each of them.
    max_bytes: int = 1024 * _MIB
    max_handles: int = 1_000
    # Of all principals together.
    max_total_bytes: int = 4096 * _MIB
    # Between two looks for what has expired.
    sweep_s: float = 60.0
