"""Defaults for programs and the containers they run in."""

import math
from dataclasses import dataclass
from typing import Literal

from toolweft.core.asks import DEFAULT_PARK_S
from toolweft.core.programs import ProgramLimits

__all__ = ("ContainerOptions", "ProgramOptions")

# Most of the slots may be one principal's, as often there is only one.
_SHARE = 3 / 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOptions:
    """How long containers live and how many."""

    idle_s: float = 270.0
    max_age_s: float = 3600.0
    max_live: int = 64
    # Of all of them together, beside what they share; None: half of what the machine has.
    memory_bytes: int | None = None
    # How long a run waits for a slot when all containers are busy, and how many may wait.
    queue_s: float = 10.0
    max_queued: int = 64

    @property
    def share(self) -> int:
        """Of `max_live`: above this one principal's containers give way to others at once."""
        return math.ceil(self.max_live * _SHARE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOptions:
    """Limits, checks and containers for programs."""

    limits: ProgramLimits = ProgramLimits()
    # strict: forbidden patterns refuse the program. standard: they are named as warnings.
    static_check: Literal["standard", "strict"] = "standard"
    containers: ContainerOptions = ContainerOptions()
    # Finished runs are kept this long for a `run_id` that asks again.
    keep_finished_s: float = 300.0
    # What a run asks while nobody waits for it stays open this long; then the run is stopped.
    park_s: float = DEFAULT_PARK_S
