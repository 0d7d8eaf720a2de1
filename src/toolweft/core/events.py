"""What the ledger records: append-only events of calls, runs and searches.

Events carry names, sizes, codes and durations, never arguments, results or program text.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from toolweft.core.calls import Caller, Principal
from toolweft.core.ids import CallId, ContainerId, RunId
from toolweft.core.programs import ProgramStats

__all__ = ("CallFinished", "CallStarted", "Event", "RunFinished", "RunStarted", "SearchDone")


@dataclass(frozen=True, slots=True, kw_only=True)
class CallStarted:
    """A call was asked for; written before any byte leaves for the source."""

    call_id: CallId
    at: datetime
    principal: Principal
    caller: Caller
    # Qualified where it resolved, else as asked.
    tool: str
    # "" where the tool did not resolve.
    severity: str
    bytes_in: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CallFinished:
    """A call ended, in whatever way."""

    call_id: CallId
    at: datetime
    principal: Principal
    # "ok", or the failure's code: "denied", "timeout", "tool_error", ...
    status: str
    duration_ms: float
    bytes_out: int
    # Estimated tokens of the result, and how many of them stayed out of a model's context.
    tokens_out: int
    tokens_withheld: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """A program was accepted for a container."""

    run_id: RunId
    at: datetime
    principal: Principal
    container_id: ContainerId
    # "process/ns"
    backend: str
    code_sha256: str
    code_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished:
    """A run ended, in whatever way."""

    run_id: RunId
    at: datetime
    principal: Principal
    status: str
    limit: str | None
    error_type: str | None
    error_line: int | None
    stats: ProgramStats


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDone:
    """A search was answered; its text is not kept."""

    at: datetime
    principal: Principal
    run_id: RunId | None
    queries: int
    hits: int
    duration_ms: float


Event: TypeAlias = CallStarted | CallFinished | RunStarted | RunFinished | SearchDone
