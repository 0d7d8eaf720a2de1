"""What comes of a task: the answer, how it ended, what was done and what it cost."""

from dataclasses import asdict, dataclass, field
from typing import Literal

from toolweft.agent.economics import PromptTokens
from toolweft.agent.spending import ModelBill
from toolweft.core.calls import CallerType, Failure
from toolweft.core.json import Json
from toolweft.core.messages import Message
from toolweft.core.models import TokenUsage
from toolweft.core.programs import Container

__all__ = ("AgentResult", "AgentStatus", "CallMade")

AgentStatus = Literal[
    "done",
    # No model answered; a saved program did.
    "saved_program",
    "max_turns",
    "max_tokens",
    "budget",
    "repeated_error",
    "refused",
    "context_full",
    # No model answered, and nothing else could.
    "unavailable",
    "failed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMade:
    """One use of a tool for this task, of the four or of the catalog, by whomever."""

    tool: str
    caller: CallerType
    # "ok", or the failure's code.
    status: str
    duration_ms: float
    # Of the program that made it; None where a model did.
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentResult:
    """How a task ended."""

    status: AgentStatus
    # The answer; where there is none, what was said last.
    text: str
    # Why it ended otherwise than well.
    error: Failure | None = None
    # Replies of the planner.
    turns: int = 0
    # In the order in which they ended.
    calls: tuple[CallMade, ...] = ()
    # One for each role and model.
    bills: tuple[ModelBill, ...] = ()
    # None where the price of one of the models is not known.
    cost_usd: float | None = None
    # Of all models.
    usage: TokenUsage = field(default_factory=TokenUsage)
    # What each request of the planner held, estimated as UTF-8 bytes / 4.
    prompts: tuple[PromptTokens, ...] = ()
    # What the requests would have held with every tool listed and every result shown, estimated
    # likewise; see docs/agent.md.
    direct_tokens: int = 0
    # To go on from: `agent.stream(task, history=result)`.
    history: tuple[Message, ...] = ()
    # The vendor's, where programs ran there.
    container: Container | None = None

    @property
    def is_ok(self) -> bool:
        """Whether there is an answer."""
        return self.status in {"done", "saved_program"}

    @property
    def prompt_tokens(self) -> PromptTokens:
        """What all requests of the planner held together."""
        total = PromptTokens()
        for prompt in self.prompts:
            total += prompt
        return total

    def to_dict(self) -> dict[str, Json]:
        """The result as plain JSON, without the history."""
        return {
            "status": self.status,
            "text": self.text,
            "error": None if self.error is None else asdict(self.error),
            "turns": self.turns,
            "calls": [asdict(call) for call in self.calls],
            "bills": [asdict(bill) for bill in self.bills],
            "cost_usd": self.cost_usd,
            "usage": asdict(self.usage),
            "prompt_tokens": {**asdict(self.prompt_tokens), "total": self.prompt_tokens.total},
            "prompts": [asdict(prompt) for prompt in self.prompts],
            "direct_tokens": self.direct_tokens,
        }
