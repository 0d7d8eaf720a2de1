"""Where runs are kept, for how long, and how much of them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ("JournalOptions",)

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalOptions:
    """A folder and its caps, and what is kept at all."""

    enabled: bool = True
    # Whose runs: those of whoever runs toolweft, or everybody's.
    principals: Literal["local", "all"] = "local"
    # Made at the first use, for its user alone.
    folder: Path
    # A run older than this is gone.
    keep_s: float = 86_400.0
    # Of all runs of one principal; the oldest go first.
    max_bytes: int = 64 * _MIB
    # Of what one run asked, got and printed; a larger one is kept without any of it.
    max_run_bytes: int = 4 * _MIB
    # Globs of qualified names: once one is called, no value of its container's runs is kept.
    exclude: tuple[str, ...] = ()
    # Between two looks for what is too old or too much.
    sweep_s: float = 60.0
