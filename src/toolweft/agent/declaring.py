"""The tools of one conversation, as requests declare them.

The surface is told at the start and never changes. Where a model can hold tools back natively, the
rest of the catalog is declared too, hidden until a search reveals it; where it can be told of tools
later, those that the catalog got meanwhile are added when they are found. Elsewhere every tool of
the catalog is reached through the four.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from toolweft.agent.economics import measure_definitions
from toolweft.core.ids import QualifiedName
from toolweft.core.messages import Message, ModelTool, ToolsMessage
from toolweft.core.providers import ModelCapabilities
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.toolbox import TOOL_NAMES, Surface, is_listed

__all__ = ("Declarations", "Found")

_SEARCH: Final = "search_tools"


@dataclass(frozen=True, slots=True)
class Found:
    """What a search means for the prompt."""

    # Names of declared tools that its result reveals, best first.
    revealed: tuple[str, ...] = ()
    # Tools that were not declared, to be added behind its result.
    added: tuple[ModelTool, ...] = ()


class Declarations:
    """What models are told of tools, for one conversation.

    Args:
        surface: what every model sees.
        snapshot: the catalog at the start.
    """

    def __init__(self, surface: Surface, snapshot: Snapshot) -> None:
        self.instructions = surface.instructions
        self._snapshot = snapshot
        listed = {tool.wire_name: tool for tool in snapshot.tools.values() if is_listed(tool)}
        self._surface = tuple(
            ModelTool(
                name=tool.name,
                description=tool.description,
                input_schema=tool.input_schema,
                is_search=tool.name == _SEARCH,
            )
            if tool.name in TOOL_NAMES
            else _declare(listed[tool.name], is_deferred=False)
            for tool in surface.tools
        )
        self._by_capabilities: dict[ModelCapabilities, _Told] = {}

    @property
    def surface(self) -> tuple[ModelTool, ...]:
        """What stands in the prompt of every model."""
        return self._surface

    def tools(self, capabilities: ModelCapabilities) -> tuple[ModelTool, ...]:
        """The tools of every request to a model of these capabilities, always the same."""
        return self._told(capabilities).tools

    @cached_property
    def definition_tokens(self) -> int:
        """Estimated tokens of every tool of the catalog, as direct calling would list them."""
        return measure_definitions(self._snapshot)

    def reveal(
        self,
        names: Iterable[QualifiedName],
        *,
        capabilities: ModelCapabilities,
        snapshot: Snapshot,
        history: Iterable[Message],
    ) -> Found:
        """What follows from tools that a search found.

        Args:
            names: of what was found, best first.
            capabilities: of the model that searched.
            snapshot: the catalog as it is now.
            history: what the model was told of before.
        """
        told_at_start = self._told(capabilities)
        found = [
            tool for name in names if (tool := snapshot.tools.get(name)) and _is_callable(tool)
        ]
        hidden = tuple(tool.wire_name for tool in found if tool.wire_name in told_at_start.hidden)
        if capabilities.addition == "none":
            return Found(revealed=hidden if capabilities.reveal != "none" else ())
        told = _told_later(history)
        # Where a result cannot reveal, what is hidden is added by name just the same.
        added = [
            tool
            for tool in found
            if tool.wire_name not in told
            and not is_listed(tool)
            and (capabilities.reveal == "none" or tool.wire_name not in told_at_start.hidden)
        ]
        return Found(
            revealed=hidden if capabilities.reveal != "none" else (),
            added=tuple(_declare(tool, is_deferred=False) for tool in added),
        )

    def resolve(
        self,
        name: str,
        *,
        capabilities: ModelCapabilities,
        snapshot: Snapshot,
        history: Iterable[Message],
    ) -> QualifiedName | None:
        """The tool of the catalog that was declared under a name beside the surface; else None."""
        if name not in self._told(capabilities).hidden and name not in _told_later(history):
            return None
        tool = snapshot.find(name)
        return tool.qualified if tool is not None and tool.wire_name == name else None

    def _told(self, capabilities: ModelCapabilities) -> "_Told":
        told = self._by_capabilities.get(capabilities)
        if told is None:
            hidden = tuple(self._hidden(capabilities))
            told = _Told(
                tools=(*self._surface, *hidden), hidden=frozenset(tool.name for tool in hidden)
            )
            self._by_capabilities[capabilities] = told
        return told

    def _hidden(self, capabilities: ModelCapabilities) -> Iterable[ModelTool]:
        if not capabilities.has_deferral:
            return ()
        rest = [
            _declare(tool, is_deferred=True)
            for tool in self._snapshot.tools.values()
            if _is_callable(tool) and not is_listed(tool)
        ]
        most = capabilities.max_tools
        # A model that takes only some of them would never hear of the others.
        return rest if most is None or len(self._surface) + len(rest) <= most else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What models of some capabilities are told at the start."""

    tools: tuple[ModelTool, ...]
    # Names of those that are kept out of the prompt.
    hidden: frozenset[str]


def _told_later(history: Iterable[Message]) -> set[str]:
    """Names of the tools that messages added."""
    return {
        tool.name
        for message in history
        if isinstance(message, ToolsMessage)
        for tool in message.tools
    }


def _declare(tool: CatalogTool, *, is_deferred: bool) -> ModelTool:
    definition = tool.definition
    return ModelTool(
        name=tool.wire_name,
        description=definition.description,
        input_schema=definition.input_schema,
        output_schema=definition.output_schema,
        examples=definition.input_examples,
        is_deferred=is_deferred,
        callers=tool.callers,
    )


def _is_callable(tool: CatalogTool) -> bool:
    return bool(tool.callers) and not tool.is_withheld and tool.wire_name not in TOOL_NAMES
