"""A request to the Responses API as the server's rules look at it."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from toolweft.core.json import Json, JsonObject

__all__ = ("FUNCTION_NAME", "MODELS", "ModelFacts", "ParsedRequest", "flatten_tools")


# Of a declared function, and of one that a model called, whatever it called it.
FUNCTION_NAME: Final = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What the server knows of a model it serves."""

    is_reasoning: bool = True
    has_search: bool = True
    has_programs: bool = True
    context_tokens: int = 400_000


# The models that a server has if it is told of no others; written down apart from the providers'
# table, so that a mistake there does not hide here.
MODELS: Final[Mapping[str, ModelFacts]] = {
    "gpt-5.6-sol": ModelFacts(),
    "gpt-5.4": ModelFacts(has_programs=False),
    "gpt-5.4-nano": ModelFacts(has_search=False, has_programs=False),
    "gpt-4.1": ModelFacts(is_reasoning=False, has_search=False, has_programs=False),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedRequest:
    """A body, and what the server remembers of its own answers."""

    body: JsonObject
    models: Mapping[str, ModelFacts] = field(default_factory=lambda: MODELS)
    # Items that the server gave, by id.
    issued: Mapping[str, JsonObject] = field(default_factory=dict)
    # Ids of the reasoning that an item came with, by the item's id.
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def facts(self) -> ModelFacts:
        """Of the model that was asked for."""
        return self.models.get(str(self.body.get("model")), ModelFacts())

    @property
    def items(self) -> list[JsonObject]:
        """The input, in which a bare text is a user's message."""
        given = self.body.get("input", [])
        if isinstance(given, str):
            return [{"type": "message", "role": "user", "content": given}]
        # A message needs no type.
        return [{"type": "message", **item} for item in given]

    @property
    def tools(self) -> list[JsonObject]:
        """The tools at the start, as given."""
        return list(self.body.get("tools") or ())

    @property
    def functions(self) -> list[JsonObject]:
        """Every function that the request tells of, at the start and in its items."""
        told = list(flatten_tools(self.tools))
        for item in self.items:
            if item["type"] in {"additional_tools", "tool_search_output"}:
                told += flatten_tools(item.get("tools") or ())
        return [tool for tool in told if tool.get("type") == "function"]

    def of_type(self, *types: str) -> list[JsonObject]:
        """The items of some types, in order."""
        return [item for item in self.items if item["type"] in types]


def flatten_tools(tools: Json) -> Iterator[JsonObject]:
    """Tools with the members of namespaces in place of the namespaces."""
    for tool in tools:
        if tool.get("type") == "namespace":
            yield from tool.get("tools") or ()
        else:
            yield tool
