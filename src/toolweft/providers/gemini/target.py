"""What one model of Google is, apart from what is asked of it."""

from dataclasses import dataclass
from typing import Final, Literal

from toolweft.core.providers import ModelCapabilities

__all__ = ("PLATFORM", "Api", "Target")

# Signatures hold here only: the vendor's cloud, which signs differently, is not reached.
PLATFORM: Final = "gemini"

# generateContent and Interactions; the items of one mean nothing to the other.
Api = Literal["gemini", "gemini_interactions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The model that a request goes to, and how it is set; the same for a whole conversation."""

    model: str
    api: Api
    capabilities: ModelCapabilities
    # Answers may have to fit a schema although there are tools; else the system's words ask for it.
    joins_schema_and_tools: bool = False
    # Results of tools may hold images.
    takes_result_images: bool = False
    # Deferred tools are in the prompt by name and description, not only once a search finds them.
    lists_deferred: bool = False

    @property
    def platform(self) -> str:
        """Who runs it, and whose signatures hold."""
        return PLATFORM
