"""What the ledger records: append-only events of calls, runs and searches.

Events carry names, sizes, codes and durations, never arguments, results or program text. What was
searched for travels with them, and is kept by those alone who are told to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self, TypeAlias

from toolweft.core.calls import Caller, Principal
from toolweft.core.ids import CallId, ContainerId, QualifiedName, RunId
from toolweft.core.models import ModelRole, TokenUsage
from toolweft.core.programs import ProgramStats

__all__ = (
    "AskedQuery",
    "CallFinished",
    "CallStarted",
    "ContentUsed",
    "Event",
    "ModelReplied",
    "RunFinished",
    "RunStarted",
    "SearchDone",
)

# Of a query; a need in words is shorter, and events wait in memory.
_MAX_QUERY_CHARACTERS: Final = 1_000


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
class AskedQuery:
    """One query of a search, and what it found."""

    # Its first 1,000 characters.
    text: str
    # Best first.
    found: tuple[QualifiedName, ...]

    @classmethod
    def of(cls, text: str, found: Iterable[QualifiedName]) -> Self:
        """A query of any length, cut."""
        return cls(text=text[:_MAX_QUERY_CHARACTERS], found=tuple(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchDone:
    """A search was answered."""

    at: datetime
    principal: Principal
    run_id: RunId | None
    queries: int
    hits: int
    duration_ms: float
    # Each query with its answer; a ledger keeps them only where it is told to.
    asked: tuple[AskedQuery, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReplied:
    """A model was asked, and answered or failed."""

    at: datetime
    principal: Principal
    # Of the program that asked; None where the agent itself did.
    run_id: RunId | None
    role: ModelRole
    # Vendor and model as the user names them: "openai:gpt-5.6-mini".
    model: str
    # "ok", or the error's code.
    status: str
    duration_ms: float
    usage: TokenUsage
    # None where nobody said what its tokens cost.
    cost_usd: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentUsed:
    """A resource was read or a prompt used; two of these, when it was asked for and when it ended.

    Arguments are not kept: of an address what stands before `?` and `#` is.
    """

    call_id: CallId
    at: datetime
    principal: Principal
    # Source, method, and name or address.
    what: str
    # "started", then "ok", "cancelled" or the failure's code.
    status: str
    duration_ms: float = 0.0
    bytes_out: int = 0


Event: TypeAlias = (
    CallStarted | CallFinished | RunStarted | RunFinished | SearchDone | ModelReplied | ContentUsed
)
