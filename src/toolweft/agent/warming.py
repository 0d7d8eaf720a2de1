"""Fills a vendor's cache with what every task begins with."""

from typing import Final

from toolweft.agent.asking import Planners
from toolweft.agent.decisions import user_message
from toolweft.agent.economics import measure_tools
from toolweft.agent.events import AgentEvent
from toolweft.agent.loop import Conversation
from toolweft.core.messages import ModelRequest
from toolweft.core.models import TokenUsage
from toolweft.core.providers import Provider

__all__ = ("warm_cache",)

# The least that every vendor takes.
_MAX_TOKENS: Final = 16
_WORD: Final = "Say ok."


async def warm_cache(conversation: Conversation) -> TokenUsage:
    """Ask the planner for a word, with the system's words and the tools of every task.

    Returns:
        What the vendor counted: written to its cache, or read from it.

    Raises:
        ProviderError: it did not answer, or may not be asked within the budget.
    """
    box = conversation.toolbox
    planners = Planners(
        conversation.planners[:1],
        spending=conversation.spending,
        ledger=box.ledger,
        clock=box.clock,
        principal=box.principal,
        emit=_ignore,
    )

    def build(provider: Provider) -> ModelRequest:
        return ModelRequest(
            system=conversation.words,
            tools=conversation.declarations.tools(provider.capabilities),
            messages=(user_message(_WORD),),
            max_tokens=_MAX_TOKENS,
        )

    tokens = measure_tools(conversation.declarations.surface)
    answered = await planners.ask(build, estimated_tokens=tokens, may_repeat=True)
    return answered.reply.usage


def _ignore(_event: AgentEvent) -> None:
    """Nobody waits for what it says."""
