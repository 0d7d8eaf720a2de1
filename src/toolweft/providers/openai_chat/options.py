"""What a user sets for a model behind a Chat Completions server."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from toolweft.core.models import TokenPrices
from toolweft.core.providers import ModelCapabilities
from toolweft.core.secret import Secret
from toolweft.providers.openai_chat.target import LimitName

__all__ = ("OpenAIChatOptions",)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIChatOptions:
    """One model of one server: Ollama, vLLM, llama.cpp, OpenRouter, ..."""

    model: str
    # With the version: "http://127.0.0.1:11434/v1".
    base_url: str
    # What the model's name starts with and whose messages go back untouched: "ollama". None: the
    # address's host and port.
    platform: str | None = None
    # None: from `key_variable`; if that is None too, none is sent.
    key: Secret | None = None
    key_variable: str | None = None
    # Beside what the SDK sends.
    headers: Mapping[str, str] = field(default_factory=dict)
    # None: what every such server does.
    capabilities: ModelCapabilities | None = None
    prices: TokenPrices | None = None
    limit_name: LimitName = "max_tokens"
    timeout_s: float = 600.0
    connect_timeout_s: float = 10.0
