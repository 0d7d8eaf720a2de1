"""What one model behind a Chat Completions server is told apart from what is asked of it."""

from dataclasses import dataclass
from typing import Final, Literal

from toolweft.core.providers import ModelCapabilities

__all__ = ("API", "LimitName", "Target")

API: Final = "openai_chat"

# The first is understood by every server, the second wanted by OpenAI's newer models.
LimitName = Literal["max_tokens", "max_completion_tokens"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The model that a request goes to; the same for a whole conversation."""

    model: str
    # Whose items go back untouched: "ollama", "openrouter", or the server's host and port.
    platform: str
    capabilities: ModelCapabilities
    limit_name: LimitName = "max_tokens"
