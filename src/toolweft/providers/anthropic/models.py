"""What models behind the Messages API do, want to hear and cost, by platform and exact name.

A name that is not in the table gets what every model has and nothing more, and no price; nothing is
guessed from how a name begins. Rows say what the vendor documents, and nobody has yet seen the
vendor's own forms of search and programs work at the live API from here (`is_proven`).

Prices are those of the vendor's pages for its own platform in November 2026, with the cache kept
for five minutes. Where a price depends on the length of a request, and at other platforms, it is
left to the user.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from toolweft.core.models import TokenPrices
from toolweft.core.providers import ModelCapabilities
from toolweft.providers.anthropic.target import PLAIN_HEADERS, CodeTool, Headers, Platform

__all__ = ("HEADERS", "MODELS", "UNKNOWN", "ModelRow", "find_model")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One model at one platform."""

    capabilities: ModelCapabilities
    prices: TokenPrices | None = None
    code_tool: CodeTool = "code_execution_20260521"
    headers: Headers = PLAIN_HEADERS
    # Its native forms were seen to work at the live API.
    is_proven: bool = False


# The version of the API that requests name has no temperature at all.
_PLAIN: Final = ModelCapabilities(
    has_structured_output=False, has_forced_choice=False, takes_temperature=False
)
# A program gets a TimeoutError after 270 s; an answer that comes before it says what to do instead.
_PROGRAM_WAIT_S: Final = 240.0
# From the 4.5 models on. Tools are hidden and revealed, and programs run at the vendor.
_SEARCHING: Final = replace(
    _PLAIN,
    has_deferral=True,
    reveal="reference",
    programs="python",
    program_wait_s=_PROGRAM_WAIT_S,
    has_examples=True,
    has_structured_output=True,
    has_cache_marks=True,
    has_forced_choice=True,
    context_tokens=200_000,
)
# Keeps no state between programs with the versions of the code tool that run ours.
_HAIKU_4_5: Final = replace(_SEARCHING, programs="none", program_wait_s=None)
_LONG: Final = replace(_SEARCHING, context_tokens=1_000_000)
# From Opus 4.8 on, without Sonnet 5: tools may be added by a system message in the middle.
_ADDING: Final = replace(_LONG, addition="system_block")
# "any" and "tool" as choice are refused.
_UNFORCED: Final = replace(_ADDING, has_forced_choice=False)

_OPUS: Final = TokenPrices(input=5, output=25, cache_read=0.5, cache_write=6.25)
_OPUS_5_5: Final = TokenPrices(input=4, output=20, cache_read=0.2, cache_write=5)
_SONNET_5: Final = TokenPrices(input=2, output=10, cache_read=0.2, cache_write=2.5)
_FABLE: Final = TokenPrices(input=10, output=50, cache_read=1, cache_write=12.5)
_FABLE_5_1: Final = TokenPrices(input=10, output=50, cache_read=0.25, cache_write=12.5)

# Foundry is not known to have hidden tools and callers without their beta.
HEADERS: Final[Mapping[Platform, Headers]] = {
    "anthropic": PLAIN_HEADERS,
    "foundry": Headers(tool_use_beta="advanced-tool-use-2025-11-20"),
}

# What nobody described: tools and text, and no field that a server might not know.
UNKNOWN: Final = ModelRow(capabilities=_PLAIN)


def _list_models() -> Iterable[tuple[str, ModelCapabilities, TokenPrices | None]]:
    yield "claude-haiku-4-5", _HAIKU_4_5, None
    yield "claude-haiku-4-5-20251001", _HAIKU_4_5, None
    yield "claude-sonnet-4-5", _SEARCHING, None
    yield "claude-sonnet-4-5-20250929", _SEARCHING, None
    yield "claude-opus-4-5", _SEARCHING, _OPUS
    yield "claude-opus-4-5-20251101", _SEARCHING, _OPUS
    # Their context depends on the account.
    yield "claude-sonnet-4-6", _SEARCHING, None
    yield "claude-opus-4-6", _SEARCHING, _OPUS
    yield "claude-opus-4-7", _SEARCHING, _OPUS
    yield "claude-opus-4-8", _ADDING, _OPUS
    yield "claude-opus-5", _ADDING, _OPUS
    yield "claude-sonnet-5", _LONG, _SONNET_5
    yield "claude-fable-5", _ADDING, _FABLE
    yield "claude-mythos-5", _ADDING, _FABLE
    yield "claude-fable-5-1", _UNFORCED, _FABLE_5_1
    yield "claude-mythos-5-1", _UNFORCED, _FABLE_5_1
    # Too new for a price that was seen.
    yield "claude-fable-5-2", _UNFORCED, None
    yield "claude-mythos-5-2", _UNFORCED, None
    yield "claude-opus-5-5", _UNFORCED, _OPUS_5_5
    # The price of reading its cache was changed lately and not seen at the vendor's.
    yield "claude-sonnet-5-5", _UNFORCED, None
    # Five times the price above 100,000 tokens.
    yield "claude-haiku-5-5", _ADDING, None


def _build_table() -> dict[tuple[Platform, str], ModelRow]:
    table: dict[tuple[Platform, str], ModelRow] = {}
    for name, capabilities, prices in _list_models():
        table["anthropic", name] = ModelRow(capabilities=capabilities, prices=prices)
        table["foundry", name] = ModelRow(capabilities=capabilities, headers=HEADERS["foundry"])
    return table


MODELS: Final[Mapping[tuple[Platform, str], ModelRow]] = MappingProxyType(_build_table())


def find_model(platform: Platform, model: str) -> ModelRow:
    """The model's row, or `UNKNOWN` with the platform's headers."""
    found = MODELS.get((platform, model))
    return found or replace(UNKNOWN, headers=HEADERS[platform])
