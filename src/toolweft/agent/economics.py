"""What requests hold, by part, and what direct calling would have held. Pure.

Everything is estimated as UTF-8 bytes / 4, so that parts can be compared with one another; what a
vendor counted stands in the usage.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, assert_never

from toolweft.core.budgets import estimate_tokens
from toolweft.core.calls import Blob, TextContent
from toolweft.core.messages import (
    AssistantMessage,
    Message,
    ModelTool,
    ResultsMessage,
    ToolsMessage,
    UserMessage,
)
from toolweft.core.snapshot import Snapshot

__all__ = ("PromptMeter", "PromptTokens", "measure_definitions", "measure_tools")

# About what vendors count for one image.
_IMAGE_TOKENS: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptTokens:
    """Estimated tokens of one request, or of several together."""

    system: int = 0
    # The tools that stand in the prompt from the start.
    surface: int = 0
    # Definitions of tools that searches brought into the prompt natively; what a search answers as
    # text is a result.
    revealed: int = 0
    # Arguments of calls, programs above all.
    programs: int = 0
    results: int = 0
    # What the user and the model said.
    other: int = 0

    @property
    def total(self) -> int:
        """All parts."""
        listed = self.system + self.surface + self.revealed
        return listed + self.programs + self.results + self.other

    def __add__(self, more: "PromptTokens") -> "PromptTokens":
        """The tokens of both."""
        return PromptTokens(
            system=self.system + more.system,
            surface=self.surface + more.surface,
            revealed=self.revealed + more.revealed,
            programs=self.programs + more.programs,
            results=self.results + more.results,
            other=self.other + more.other,
        )


class PromptMeter:
    """Adds up what the next request holds, message by message.

    Args:
        system: the system's words.
        tools: those of the request that stand in the prompt.
        definitions: tokens of every tool of the catalog, as direct calling would list them.
    """

    def __init__(self, *, system: str, tools: Iterable[ModelTool], definitions: int) -> None:
        self._start = PromptTokens(system=_measure(system), surface=measure_tools(tools))
        self._parts = self._start
        self._definitions = definitions
        # Of results that programs kept to themselves.
        self._withheld = 0

    @property
    def parts(self) -> PromptTokens:
        """What the next request holds."""
        return self._parts

    @property
    def direct(self) -> int:
        """What the next request would hold if every tool were listed and every result shown.

        Programs and searches are left out; as many turns are assumed as there were, though each
        round of calls that a program makes would take one more.
        """
        parts = self._parts
        return parts.system + self._definitions + parts.results + self._withheld + parts.other

    def restart(self) -> None:
        """Forget all messages: a new segment of the conversation begins."""
        self._parts = self._start

    def withhold(self, tokens: int) -> None:
        """Count results that stayed in a program."""
        self._withheld += tokens

    def add(self, message: Message) -> None:
        """Count one message more."""
        parts = self._parts
        match message:
            case UserMessage():
                self._parts = replace(parts, other=parts.other + _measure_content(message.content))
            case AssistantMessage():
                written = sum(_measure_json(call.arguments) for call in message.calls)
                self._parts = replace(
                    parts,
                    other=parts.other + _measure(message.text),
                    programs=parts.programs + written,
                )
            case ResultsMessage():
                shown = sum(_measure_content(result.content) for result in message.results)
                self._parts = replace(parts, results=parts.results + shown)
            case ToolsMessage():
                self.reveal(message.tools)
            case _:
                assert_never(message)

    def reveal(self, tools: Iterable[ModelTool]) -> None:
        """Count definitions that came into the prompt."""
        revealed = self._parts.revealed + measure_tools(tools)
        self._parts = replace(self._parts, revealed=revealed)


def measure_tools(tools: Iterable[ModelTool]) -> int:
    """Tokens of definitions, as a request lists them."""
    return sum(
        _measure(tool.name) + _measure(tool.description) + _measure_json(tool.input_schema)
        for tool in tools
    )


def measure_definitions(snapshot: Snapshot) -> int:
    """Tokens of every tool that can be called, listed in full."""
    return sum(
        _measure(tool.wire_name)
        + _measure(tool.definition.description)
        + _measure_json(tool.definition.input_schema)
        for tool in snapshot.tools.values()
        if tool.callers and not tool.is_withheld
    )


def _measure_content(content: Iterable[TextContent | Blob]) -> int:
    return sum(
        _measure(piece.text) if isinstance(piece, TextContent) else _IMAGE_TOKENS
        for piece in content
    )


def _measure_json(value: object) -> int:
    return _measure(json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str))


def _measure(text: str) -> int:
    return estimate_tokens(len(text.encode("utf-8", "replace")))
