"""What models behind the Responses API do natively, by platform and exact name.

A name that is not in the table gets what every model has and nothing more; nothing is guessed from
how a name begins. Rows say what the vendor documents; where that is silent they claim less.
Prices are left to the user: the vendor changes them, and a wrong price is worse than none.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from toolweft.core.models import TokenPrices
from toolweft.core.providers import ModelCapabilities
from toolweft.providers.openai.target import Platform

__all__ = ("MODELS", "UNKNOWN", "ModelRow", "find_model")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model at one platform."""

    capabilities: ModelCapabilities
    # Reasons before it answers, encrypted for whoever is not its vendor.
    is_reasoning: bool = False
    # Its native forms were seen to work at the live API.
    is_proven: bool = False
    prices: TokenPrices | None = None


# A temperature is refused by all that reason.
_PLAIN: Final = ModelCapabilities(takes_temperature=True)
_REASONING: Final = replace(_PLAIN, takes_temperature=False)
# From gpt-5.4 on, with exceptions: a search of ours answers the model's own search item.
_SEARCHING: Final = replace(_REASONING, has_deferral=True, reveal="search_item", addition="item")
# From gpt-5.6 on.
_PROGRAMMING: Final = replace(_SEARCHING, programs="javascript", has_output_schema=True)

_BY_CAPABILITIES: Final = (
    (_PLAIN, False, ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano")),
    (
        _REASONING,
        True,
        # The nano model of gpt-5.4 refuses tool search.
        ("o3", "o4-mini", "gpt-5", "gpt-5-mini", "gpt-5-nano", "gpt-5.2", "gpt-5.4-nano"),
    ),
    (_SEARCHING, True, ("gpt-5.4", "gpt-5.4-mini", "gpt-5.5", "gpt-5.5-2026-04-23")),
    (
        _PROGRAMMING,
        True,
        (
            "gpt-5.6-sol",
            "gpt-5.6-terra",
            "gpt-5.6-luna",
            "gpt-6-astra",
            "gpt-6-sol",
            "gpt-6-luna",
            "gpt-6.1-sol",
            "gpt-6.1-terra",
        ),
    ),
)

# A name that is not listed.
UNKNOWN: Final = ModelRow(capabilities=_REASONING)


def _build_table() -> Mapping[tuple[Platform, str], ModelRow]:
    table: dict[tuple[Platform, str], ModelRow] = {}
    for capabilities, is_reasoning, names in _BY_CAPABILITIES:
        for name in names:
            row = ModelRow(capabilities=capabilities, is_reasoning=is_reasoning)
            table["openai", name] = row
            # On Azure programs are a concept page; each deployment has to confirm them.
            azure = replace(capabilities, programs="none", has_output_schema=False)
            table["azure", name] = replace(row, capabilities=azure)
    return MappingProxyType(table)


MODELS: Final = _build_table()


def find_model(platform: Platform, model: str) -> ModelRow:
    """The row of a model, or what is true of every model."""
    return MODELS.get((platform, model), UNKNOWN)
