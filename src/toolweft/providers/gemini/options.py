"""What a user sets for a model of Google."""

from dataclasses import dataclass

from toolweft.core.models import Native, TokenPrices
from toolweft.core.providers import ModelCapabilities
from toolweft.core.secret import Secret
from toolweft.providers.gemini.target import Api

__all__ = ("GeminiOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class GeminiOptions:
    """One model behind one of the two APIs."""

    model: str
    # "gemini": generateContent; "gemini_interactions": Interactions.
    api: Api = "gemini"
    # Without the version of the API; None: the vendor's own.
    base_url: str | None = None
    # What the SDK 3.4 asks for by itself, given here since its default moves with the SDK; previews
    # may need "v1beta".
    api_version: str = "v1"
    # None: from the environment, GEMINI_API_KEY or else GOOGLE_API_KEY.
    key: Secret | None = None
    # The vendor's own deferral and search items, at Interactions alone; "auto": where they were
    # proven.
    native: Native = "off"
    # None: from the table. What is given here is taken as it is, whatever `native` says.
    capabilities: ModelCapabilities | None = None
    prices: TokenPrices | None = None
    # Declare deferred tools, so that the model knows their names and descriptions before it
    # searches; their schemas stay out either way. At Interactions with `native` alone.
    lists_deferred: bool = False
    # From sending a request to its whole answer; between two pieces of a stream.
    timeout_s: float = 600.0
    connect_timeout_s: float = 10.0
