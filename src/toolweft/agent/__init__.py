"""The loop of a conversation: a planner that writes programs, and workers that answer inside them.

It talks to models through `toolweft.core.providers` and to everything else through a toolbox. What
happens is told by the events of this package, and what came of it by an `AgentResult`.
"""

from toolweft.agent.events import (
    AgentEvent,
    Notice,
    ProgramFinished,
    ProgramPrinted,
    ProgramStarted,
    SearchFinished,
    TaskFinished,
    ToolFinished,
    ToolsRevealed,
    TurnFinished,
    TurnStarted,
)
from toolweft.agent.results import AgentResult, CallMade
from toolweft.agent.spending import ModelBill, Reservation, Spending
from toolweft.agent.workers import Fallback, WorkerOptions, WorkerPool

__all__ = (
    "AgentEvent",
    "AgentResult",
    "CallMade",
    "Fallback",
    "ModelBill",
    "Notice",
    "ProgramFinished",
    "ProgramPrinted",
    "ProgramStarted",
    "Reservation",
    "SearchFinished",
    "Spending",
    "TaskFinished",
    "ToolFinished",
    "ToolsRevealed",
    "TurnFinished",
    "TurnStarted",
    "WorkerOptions",
    "WorkerPool",
)
