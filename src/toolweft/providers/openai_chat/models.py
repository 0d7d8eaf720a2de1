"""What a model behind a Chat Completions server does natively, by platform and exact name.

Anybody can serve any model under any name, so the table is short and what is not in it gets what
every such server does. Prices are the user's to set, as servers of the same model differ.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from toolweft.core.providers import ModelCapabilities

__all__ = ("MODELS", "UNKNOWN", "find_capabilities")

# Functions, their results and answers by schema; no images before somebody says so.
UNKNOWN: Final = ModelCapabilities(takes_images=False)

# OpenAI's own that take images; newer ones are better reached by the Responses API.
_WITH_IMAGES: Final = ModelCapabilities()

MODELS: Final[Mapping[tuple[str, str], ModelCapabilities]] = MappingProxyType(
    {
        ("openai", name): _WITH_IMAGES
        for name in ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano")
    }
)


def find_capabilities(platform: str, model: str) -> ModelCapabilities:
    """The row of a model, or what is true of every model."""
    return MODELS.get((platform, model), UNKNOWN)
