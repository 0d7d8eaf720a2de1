"""What a user sets for a model behind the Messages API."""

from dataclasses import dataclass

from toolweft.core.models import Native, TokenPrices
from toolweft.core.providers import ModelCapabilities
from toolweft.core.secret import Secret
from toolweft.providers.anthropic.target import Platform

__all__ = ("AnthropicOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnthropicOptions:
    """One model of Anthropic, or one deployment on Microsoft Foundry."""

    # On Foundry the name of the deployment.
    model: str
    platform: Platform = "anthropic"
    # On Foundry "https://<resource>.services.ai.azure.com/anthropic", which has no default.
    base_url: str | None = None
    # None: from the environment, ANTHROPIC_API_KEY or ANTHROPIC_FOUNDRY_API_KEY.
    key: Secret | None = None
    # The name under which the table knows a deployment's model: "claude-opus-5-5".
    known_as: str | None = None
    # The vendor's own deferral, references and programs; "auto": where they were proven.
    native: Native = "off"
    # None: from the table. What is given here is taken as it is, whatever `native` says.
    capabilities: ModelCapabilities | None = None
    prices: TokenPrices | None = None
    # What the header anthropic-beta names; None: what the platform's table says a request needs.
    betas: tuple[str, ...] | None = None
    # "low" to "max"; None: the vendor's default.
    effort: str | None = None
    # From sending a request to its whole answer; between two pieces of a stream.
    timeout_s: float = 600.0
    connect_timeout_s: float = 10.0
