"""What models of Google do natively, by API and exact name.

A name that is not in the table gets what every model has and nothing more; nothing is guessed from
how a name begins, and names that the vendor moves ("gemini-flash-latest") are not in it. The names
are those that the vendor's SDK 3.4 lists. Which of them take the preview of tool search was nowhere
read, and nobody has yet seen it work at the live API from here (`is_proven`): a row only says that
`native = "on"` may try it. Prices were seen at no source that we could name, so there are none: set
them in the options.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from toolweft.core.models import TokenPrices
from toolweft.core.providers import ModelCapabilities
from toolweft.providers.gemini.target import PLATFORM, Api

__all__ = ("MAX_TOOLS", "MODELS", "UNKNOWN", "ModelRow", "find_model")

# Functions of one request.
MAX_TOOLS: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model behind one API."""

    capabilities: ModelCapabilities
    prices: TokenPrices | None = None
    joins_schema_and_tools: bool = False
    takes_result_images: bool = False
    # Its native forms were seen to work at the live API.
    is_proven: bool = False


_PLAIN: Final = ModelCapabilities(has_structured_output=False, max_tools=MAX_TOOLS)
_STRUCTURED: Final = replace(_PLAIN, has_structured_output=True)
# Of functions; Interactions has none.
_GENERATING: Final = replace(_STRUCTURED, has_output_schema=True)
# The cap is documented for generateContent only. The temperature is deprecated there.
_INTERACTING: Final = replace(_STRUCTURED, max_tools=None, takes_temperature=False)
_SEARCHING: Final = replace(_INTERACTING, has_deferral=True, reveal="search_item")

# What nobody described: tools and text, and no field that a server might not know.
UNKNOWN: Final = ModelRow(capabilities=_PLAIN)

_GEMINI_2_5: Final = ("gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-2.5-pro")
_GEMINI_3: Final = (
    *("gemini-3-flash-preview", "gemini-3.1-pro-preview", "gemini-3.1-pro-preview-customtools"),
    *("gemini-3.1-flash-lite", "gemini-3.5-flash", "gemini-3.5-flash-lite"),
    *("gemini-3.6-flash", "gemini-3.7-flash", "gemini-3.8-flash"),
)


def _build_table() -> dict[tuple[Api, str, str], ModelRow]:
    table: dict[tuple[Api, str, str], ModelRow] = {}
    for name in _GEMINI_2_5:
        table["gemini", PLATFORM, name] = ModelRow(capabilities=_GENERATING)
        table["gemini_interactions", PLATFORM, name] = ModelRow(capabilities=_INTERACTING)
    for name in _GEMINI_3:
        row = ModelRow(
            capabilities=_GENERATING, joins_schema_and_tools=True, takes_result_images=True
        )
        table["gemini", PLATFORM, name] = row
        table["gemini_interactions", PLATFORM, name] = replace(row, capabilities=_SEARCHING)
    return table


MODELS: Final[Mapping[tuple[Api, str, str], ModelRow]] = MappingProxyType(_build_table())


def find_model(api: Api, model: str) -> ModelRow:
    """The model's row, or `UNKNOWN`."""
    return MODELS.get((api, PLATFORM, model), UNKNOWN)
