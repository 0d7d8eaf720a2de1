"""What one model of Google is, apart from what is asked of it."""

from dataclasses import dataclass, replace
from typing import Final, Literal

from toolweft.core.providers import ModelCapabilities, Native

__all__ = ("PLATFORM", "Api", "Target", "limit_to_native")

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


def limit_to_native(
    capabilities: ModelCapabilities, native: Native, *, is_proven: bool
) -> ModelCapabilities:
    """The capabilities without the vendor's own form of search, unless wanted.

    Args:
        capabilities: what the model could do.
        native: "off" takes that form away; "auto" does unless it was proven.
        is_proven: it was seen to work at the live API.
    """
    if native == "on" or (native == "auto" and is_proven):
        return capabilities
    return replace(capabilities, has_deferral=False, reveal="none")
