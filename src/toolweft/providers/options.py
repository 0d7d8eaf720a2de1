"""What a user sets for models by name, in words that no vendor owns.

Configuration fills it in, and what opens models makes the vendor's own options of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from toolweft.core.json import Json
from toolweft.core.models import Native, TokenPrices
from toolweft.core.secret import Secret

__all__ = ("ModelOptions", "ModelsOptions")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOptions:
    """One model; what is None is left to the vendor's defaults and tables."""

    base_url: str | None = None
    # None: from the vendor's variable of the environment.
    key: Secret | None = None
    # Sent beside what the SDK sends; only to servers that speak Chat Completions.
    headers: Mapping[str, Secret] = field(default_factory=dict)
    # The name under which the tables know a deployment's model.
    known_as: str | None = None
    # None: as for all models.
    native: Native | None = None
    effort: str | None = None
    api_version: str | None = None
    limit_name: str | None = None
    lists_deferred: bool | None = None
    prices: TokenPrices | None = None
    # Fields of `ModelCapabilities` that replace those of the table.
    capabilities: Mapping[str, Json] = field(default_factory=dict)
    timeout_s: float | None = None
    connect_timeout_s: float | None = None
    # Where it was written, for messages; "" where it was not.
    origin: str = ""
    # Why it cannot be used as written; "" where it can.
    problem: str = ""
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelsOptions:
    """All models that were configured."""

    # The vendors' own forms of search and programs.
    native: Native = "off"
    # By "vendor:model".
    by_name: Mapping[str, ModelOptions] = field(default_factory=dict)
