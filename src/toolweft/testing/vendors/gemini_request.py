"""A request to one of Google's APIs as rules look at it, and what the server remembers for them."""

import json
import re
from dataclasses import dataclass, field
from typing import Final

from toolweft.core.json import Json, JsonObject
from toolweft.testing.vendors.scripts import VendorRefusal

__all__ = (
    "FOREIGN_SIGNATURE",
    "FUNCTION_NAME",
    "Memory",
    "ParsedRequest",
    "Refusal",
    "render",
    "spell",
)

# A function's name, by the vendor's documentation.
FUNCTION_NAME: Final = r"[A-Za-z_][A-Za-z0-9_.:-]{0,127}"
# Takes the place of a signature where a call was made by somebody else.
FOREIGN_SIGNATURE: Final = "skip_thought_signature_validator"

# What stands below is the user's own, and keeps its names.
_FREE: Final = frozenset(
    {*("args", "response", "parameters"), *("parametersJsonSchema", "responseJsonSchema")}
)
_UNDERSCORE: Final = re.compile(r"(?<=[a-z])_([a-z])")


class Refusal(VendorRefusal):
    """A request that breaks a rule of the vendor's."""

    def __init__(self, message: str, *, status: int = 400, name: str = "INVALID_ARGUMENT") -> None:
        super().__init__(message, status=status)
        self.name = name


@dataclass(slots=True)
class Memory:
    """What a server knows of its own answers."""

    # A signature -> the part that it stands on, as it was told.
    signed: dict[str, JsonObject] = field(default_factory=dict)
    # The id of a call -> the steps of the answer that it stood in.
    answers: dict[str, list[JsonObject]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """One request."""

    body: JsonObject
    # In the address for generateContent, in the body for Interactions.
    model: str
    models: frozenset[str]
    # Those that do not take a schema for the answer together with functions.
    older_models: frozenset[str]
    memory: Memory


def render(value: Json) -> str:
    """A value as one short text, for comparing and counting."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def spell(value: Json) -> Json:
    """The value with the API's names in one of the two spellings that it takes: "inlineData"."""
    if isinstance(value, list):
        return [spell(item) for item in value]
    if not isinstance(value, dict):
        return value
    spelt = {}
    for key, inner in value.items():
        name = _UNDERSCORE.sub(lambda match: match[1].upper(), key)
        spelt[name] = inner if name in _FREE else spell(inner)
    return spelt
