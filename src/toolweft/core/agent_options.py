"""What a user sets for the agent."""

from dataclasses import dataclass

from toolweft.core.models import DEFAULT_MAX_TOKENS

__all__ = ("AgentOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOptions:
    """Which models play which role, and the bounds of one task."""

    # "vendor:model"; the first that answers plans, the others stand in for it.
    planners: tuple[str, ...] = ()
    # "vendor:model"; asked in order by programs.
    workers: tuple[str, ...] = ()
    # Of one reply.
    max_tokens: int = DEFAULT_MAX_TOKENS
    # Replies of the planner for one task.
    max_turns: int = 30
    # Of one task, workers included; None for no cap.
    max_cost_usd: float | None = None
    # A request that nothing can answer now may be asked again after this long, where the vendor
    # does not say.
    retry_after_s: float = 60.0
    # Estimated tokens of tools that are listed where they cannot be searched.
    listed_tokens: int = 2_000
