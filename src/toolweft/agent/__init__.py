"""The loop of a conversation: a planner that writes programs, and workers that answer inside them.

It talks to models through `toolweft.core.providers` and to everything else through a toolbox. What
happens is told by the events of this package, and what came of it by an `AgentResult`.
Its names are looked up at their first use: a configuration names the agent's options, and a gateway
that reads one starts without the agent.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

_HOMES = {
    "AgentEvent": "events",
    "AgentResult": "results",
    "CallMade": "results",
    "Fallback": "workers",
    "ModelBill": "spending",
    "Notice": "events",
    "ProgramFinished": "events",
    "ProgramPrinted": "events",
    "ProgramStarted": "events",
    "Reservation": "spending",
    "SearchFinished": "events",
    "Spending": "spending",
    "TaskFinished": "events",
    "ToolFinished": "events",
    "ToolsRevealed": "events",
    "TurnFinished": "events",
    "TurnStarted": "events",
    "WorkerOptions": "workers",
    "WorkerPool": "workers",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
