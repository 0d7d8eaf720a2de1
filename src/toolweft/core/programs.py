"""A program's run as data: limits, container, outcome.

Shared by the sandbox (which fills in what happened inside), the programs layer (which knows
calls and containers) and everything that shows an outcome.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from toolweft.core.calls import Blob
from toolweft.core.ids import CallId, ContainerId, QualifiedName, RunId
from toolweft.core.json import Json

__all__ = (
    "CONTAINER_LOST",
    "GOING",
    "LIMIT_CEILINGS",
    "LIMIT_FLOORS",
    "LIMIT_NAMES",
    "SESSION_LIMITS",
    "CallRecord",
    "Container",
    "ContainerStatus",
    "LimitName",
    "ProgramError",
    "ProgramGauges",
    "ProgramLimits",
    "ProgramOutcome",
    "ProgramStats",
    "ProgramStatus",
    "ProgramWarning",
)

# Told to a model whose container at its vendor is gone.
CONTAINER_LOST: Final = (
    "[The container in which programs ran is gone, and with it their variables and files."
    " Programs begin anew in a fresh one.]"
)

ProgramStatus = Literal[
    "ok",
    "running",
    "invalid",  # syntax or static check: nothing ran
    "error",  # the program raised
    "limit",
    "denied",
    "awaiting_input",
    "crashed",
    "cancelled",
    "expired",
]
# Those of a run that is not over.
GOING: Final[frozenset[ProgramStatus]] = frozenset({"running", "awaiting_input"})
LimitName = Literal[
    "memory",
    "cpu",
    "wall",
    "output",
    "calls",
    "recursion",
    "files",
    "disk",
    "threads",
    "arguments",
    "result",
    "parser",
    "total_memory",  # of all containers together
]
LIMIT_NAMES: tuple[LimitName, ...] = (
    "memory",
    "cpu",
    "wall",
    "output",
    "calls",
    "recursion",
    "files",
    "disk",
    "threads",
    "arguments",
    "result",
    "parser",
    "total_memory",
)
# Those that one session holds by itself; the rest is about all containers together.
SESSION_LIMITS: frozenset[LimitName] = frozenset(LIMIT_NAMES) - {"total_memory"}
ContainerStatus = Literal["idle", "busy", "expired", "closed"]

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramLimits:
    """What one run may use; memory, disk and threads hold for its whole container."""

    memory_bytes: int = 1024 * _MIB
    # CPU time of one run.
    active_s: float = 30.0
    # From start to end of one run, waiting for tools included, for people not.
    wall_s: float = 300.0
    max_calls: int = 1_000
    max_in_flight: int = 128
    # Printed characters kept; the rest is counted and dropped.
    kept_characters: int = 100_000
    # Printed characters after which the run is stopped.
    max_output_characters: int = 10_000_000
    max_argument_bytes: int = 1 * _MIB
    max_result_bytes: int = 16 * _MIB
    # The value of a program's last expression.
    max_value_bytes: int = 1 * _MIB
    max_code_bytes: int = 256 * 1024
    disk_bytes: int = 64 * _MIB
    max_files: int = 64
    max_threads: int = 16


# With less no program can start: the interpreter itself needs some, and its own seven descriptors.
LIMIT_FLOORS: Mapping[str, int] = {"memory_bytes": 64 * _MIB, "max_files": 16}
# Nobody may ask for more, whether for all runs or for one. A run with more memory would take what
# a small machine has; more calls at once and larger results would hold up everybody else's.
LIMIT_CEILINGS: Mapping[str, int] = {
    "memory_bytes": 5 * 1024 * _MIB,
    "max_in_flight": 1_024,
    "max_result_bytes": 64 * _MIB,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """The session in which programs run and keep state."""

    id: ContainerId
    expires_at: datetime
    last_active_at: datetime
    status: ContainerStatus
    # Backend and tier: "process/ns".
    backend: str

    def is_expired(self, now: datetime) -> bool:
        """Whether it is over; so at `expires_at` itself too."""
        return now >= self.expires_at

    def time_remaining_s(self, now: datetime) -> float:
        """Seconds until it expires, never below 0."""
        return max(0.0, (self.expires_at - now) / timedelta(seconds=1))

    def to_dict(self) -> dict[str, Json]:
        """The container as wires print it."""
        return {
            "id": self.id,
            "expires_at": self.expires_at.isoformat(),
            "last_active_at": self.last_active_at.isoformat(),
            "status": self.status,
            "backend": self.backend,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramError:
    """What a program raised, in the program's own terms: no host path, no frame of ours."""

    type: str
    message: str
    # From the program's own frames only, at most 4 KiB.
    traceback: str = ""
    # From 1; None where no line of the program is to blame.
    line: int | None = None
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramWarning:
    """Something in a program that will probably not do what was meant."""

    line: int
    message: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramStats:
    """What a run used."""

    # From beginning to end, without `held_s`.
    wall_s: float = 0.0
    # wall_s without the time in which the program only waited for tools.
    active_s: float = 0.0
    # While at least one call waited for a person; no limit counts it but that on processor time.
    held_s: float = 0.0
    cpu_s: float = 0.0
    peak_mem_bytes: int = 0
    calls: int = 0
    # Into the container (results) and out of it (arguments, output).
    bytes_in: int = 0
    bytes_out: int = 0
    # Estimated tokens of results that stayed out of the model's context.
    tokens_withheld: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramGauges:
    """What all programs of this process, whoever runs them, use at one moment."""

    # Each with a run in it.
    containers_busy: int
    containers_idle: int
    containers_opening: int
    # For a container to become free.
    runs_waiting: int
    calls_in_flight: int
    # Held by all containers beside what they share; 0 where nobody knows.
    memory_bytes: int
    # None where there is no cap.
    memory_limit_bytes: int | None

    def to_dict(self) -> dict[str, Json]:
        """The gauges under their own names."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """One call of a run, as the outcome lists it."""

    call_id: CallId
    execution_id: RunId
    index: int
    # As asked for where it could not be resolved.
    tool: QualifiedName | str
    line: int | None
    # "ok", or the failure's code.
    status: str
    duration_ms: float
    bytes_out: int
    tokens_out: int

    def to_dict(self) -> dict[str, Json]:
        """The record as wires print it, under both spellings of the run's id."""
        return {
            "call_id": self.call_id,
            "execution_id": self.execution_id,
            "tool_id": self.execution_id,
            "index": self.index,
            "tool": self.tool,
            "line": self.line,
            "status": self.status,
            "duration_ms": round(self.duration_ms, 3),
            "bytes_out": self.bytes_out,
            "tokens_out": self.tokens_out,
        }


NO_STATS = ProgramStats()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramOutcome:
    """How a run ended, or that it is still running."""

    run_id: RunId
    status: ProgramStatus
    # Set with status "limit" only.
    limit: LimitName | None = None
    stdout: str = ""
    # Characters printed in all; more than len(stdout) where some were dropped.
    stdout_characters: int = 0
    # The last expression's value, None where there is none.
    value: Json = None
    # The value was not JSON: `value` is its repr.
    value_is_repr: bool = False
    # The images and sounds in the value, in order; each stands there as its type and size.
    media: tuple[Blob, ...] = ()
    error: ProgramError | None = None
    warnings: tuple[ProgramWarning, ...] = ()
    calls: tuple[CallRecord, ...] = ()
    handles: tuple[Mapping[str, Json], ...] = field(default_factory=tuple)
    stats: ProgramStats = NO_STATS
    container: Container | None = None

    def to_dict(self) -> dict[str, Json]:
        """The whole outcome as plain JSON."""
        error = self.error
        stats = self.stats
        return {
            "run_id": self.run_id,
            "execution_id": self.run_id,
            "status": self.status,
            "limit": self.limit,
            "stdout": self.stdout,
            "stdout_characters": self.stdout_characters,
            "value": self.value,
            "value_is_repr": self.value_is_repr,
            "error": None
            if error is None
            else {
                "type": error.type,
                "message": error.message,
                "traceback": error.traceback,
                "line": error.line,
                "hint": error.hint,
            },
            "warnings": [
                {"line": w.line, "message": w.message, "hint": w.hint} for w in self.warnings
            ],
            "calls": [call.to_dict() for call in self.calls],
            "handles": [dict(handle) for handle in self.handles],
            "stats": {
                "wall_s": round(stats.wall_s, 6),
                "active_s": round(stats.active_s, 6),
                "held_s": round(stats.held_s, 6),
                "cpu_s": round(stats.cpu_s, 6),
                "peak_mem_bytes": stats.peak_mem_bytes,
                "calls": stats.calls,
                "bytes_in": stats.bytes_in,
                "bytes_out": stats.bytes_out,
                "tokens_withheld": stats.tokens_withheld,
            },
            "container": None if self.container is None else self.container.to_dict(),
        }
