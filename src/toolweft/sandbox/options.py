"""What the user decides about isolation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ("SandboxOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """Which backend and tier; "auto" takes the strongest that holds."""

    backend: Literal["auto", "process"] = "auto"
    tier: Literal["auto", "ns", "landlock", "noopen"] = "auto"
    # Where environments of packages are kept; None where there are none.
    environments: Path | None = None
    # The dry run of one tier must end within this.
    probe_timeout_s: float = 20.0
