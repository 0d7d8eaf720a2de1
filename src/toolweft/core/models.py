"""What is said of models without talking to one: their roles, their tokens, and what these cost."""

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ("DEFAULT_MAX_TOKENS", "ModelRole", "Native", "TokenPrices", "TokenUsage")

# Of one reply.
DEFAULT_MAX_TOKENS: Final = 4096

# A planner writes programs; workers answer inside them.
ModelRole = Literal["planner", "worker"]

# Whether a vendor's own form is used where it has one; "auto": where it was proven to work.
Native = Literal["auto", "on", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """Tokens of one reply, as the vendor counted them."""

    # Neither read from its cache nor written to it.
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    # Those of reasoning included.
    output_tokens: int = 0
    reasoning_tokens: int = 0

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        """The tokens of both."""
        return TokenUsage(
            input_tokens=self.input_tokens + other.input_tokens,
            cache_read_tokens=self.cache_read_tokens + other.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens + other.cache_write_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenPrices:
    """US dollars for a million tokens."""

    input: float
    output: float
    cache_read: float
    cache_write: float

    def cost_usd(self, usage: TokenUsage) -> float:
        """What one reply cost, in US dollars."""
        return (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_tokens * self.cache_write
        ) / 1_000_000
