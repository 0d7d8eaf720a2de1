"""What a user sets for a model behind the Responses API."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from toolweft.core.models import Native, TokenPrices
from toolweft.core.providers import ModelCapabilities
from toolweft.core.secret import Secret
from toolweft.providers.openai.target import Platform

__all__ = ("OpenAIOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIOptions:
    """One model of OpenAI, or one deployment on Azure."""

    # On Azure the name of the deployment.
    model: str
    platform: Platform = "openai"
    # On Azure "https://<resource>.openai.azure.com/openai/v1/", which has no default.
    base_url: str | None = None
    # None: from the environment, OPENAI_API_KEY or AZURE_OPENAI_API_KEY.
    key: Secret | None = None
    # In place of a key: a fresh token for each request, as Entra ID gives them.
    token_source: Callable[[], Awaitable[str]] | None = None
    # The name under which the tables know a deployment's model: "gpt-5.6-sol".
    known_as: str | None = None
    # The vendor's own search, added tools and programs; "auto": where they were proven.
    native: Native = "off"
    # None: from the table. What is given here is taken as it is, whatever `native` says.
    capabilities: ModelCapabilities | None = None
    prices: TokenPrices | None = None
    # None: the vendor's default.
    effort: str | None = None
    # None: made of the instructions and tools.
    cache_key: str | None = None
    # List deferred tools with their descriptions, so that the model knows of them before it
    # searches; their schemas stay out either way.
    lists_deferred: bool = False
    timeout_s: float = 600.0
    connect_timeout_s: float = 10.0
