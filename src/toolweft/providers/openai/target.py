"""What one model behind the Responses API is told apart from what is asked of it."""

from dataclasses import dataclass
from typing import Final, Literal

from toolweft.core.providers import ModelCapabilities

__all__ = ("API", "Platform", "Target")

API: Final = "openai"

Platform = Literal["openai", "azure"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The model that a request goes to, and how it is set; the same for a whole conversation."""

    # On Azure the name of the deployment.
    model: str
    platform: Platform
    capabilities: ModelCapabilities
    # Its reasoning comes encrypted, to be echoed.
    is_reasoning: bool = False
    # None: the vendor's default.
    effort: str | None = None
    # Requests with the same prefix and the same key find each other's cache; None: made of the
    # prefix.
    cache_key: str | None = None
    # Deferred tools are in the prompt by name and description, not only once a search finds them.
    lists_deferred: bool = False
