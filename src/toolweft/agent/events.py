"""What happens while a task is worked on, as it happens; the last event is `TaskFinished`.

Text and calls that a model begins to write are told as `TextPrinted` and `CallProposed` of
`toolweft.core.messages`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from toolweft.agent.economics import PromptTokens
from toolweft.agent.results import AgentResult
from toolweft.core.messages import CallProposed, StopReason, TextPrinted
from toolweft.core.models import TokenUsage
from toolweft.core.programs import CallRecord

__all__ = (
    "AgentEvent",
    "Emit",
    "Notice",
    "NoticeKind",
    "ProgramFinished",
    "ProgramPrinted",
    "ProgramStarted",
    "SearchFinished",
    "TaskFinished",
    "ToolFinished",
    "ToolsRevealed",
    "TurnFinished",
    "TurnStarted",
)

NoticeKind = Literal["degraded", "retry", "repair", "container", "context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnStarted:
    """The planner is asked."""

    # From 1.
    turn: int
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchFinished:
    """A search of the model was answered."""

    call_id: str
    queries: tuple[str, ...]
    # Best first, under their full names.
    found: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramStarted:
    """A program of the model begins to run."""

    call_id: str
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramPrinted:
    """A program printed something."""

    call_id: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramFinished:
    """A program ended, or is waited for no longer (status "running")."""

    call_id: str
    run_id: str
    # As of `ProgramOutcome`.
    status: str
    # "" where there was none.
    error: str
    calls: tuple[CallRecord, ...]
    container_id: str | None
    wall_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolFinished:
    """A call that no program here made was answered."""

    # "" where no model made it: a saved program stood in.
    call_id: str
    tool: str
    # "ok", or the failure's code.
    status: str
    duration_ms: float
    # A program of the model that runs at its vendor made it.
    is_programmatic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolsRevealed:
    """The model can call these tools from here on, under these names."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnFinished:
    """The planner answered, and what it asked for was done."""

    turn: int
    model: str
    stop: StopReason
    # Of this reply, as the vendor counted it.
    usage: TokenUsage
    # What the request held, estimated.
    prompt: PromptTokens
    # None where the prices are not known.
    cost_usd: float | None
    # Of the whole task so far, workers included; of models whose prices are known.
    spent_usd: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Something went otherwise than it should, and how the task goes on."""

    kind: NoticeKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskFinished:
    """The last event."""

    result: AgentResult


AgentEvent: TypeAlias = (
    TurnStarted
    | TextPrinted
    | CallProposed
    | SearchFinished
    | ProgramStarted
    | ProgramPrinted
    | ProgramFinished
    | ToolFinished
    | ToolsRevealed
    | TurnFinished
    | Notice
    | TaskFinished
)

Emit: TypeAlias = Callable[[AgentEvent], None]
