"""Which tools were in the catalog and are not any more, so that a call of one is told so.

Kept by the catalog, for as long as the process lives; nothing of it is on disk.
"""

from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType
from typing import Final

from toolweft.catalog.entries import SourceEntry, find_differences
from toolweft.core.clock import Clock
from toolweft.core.ids import QualifiedName, SourceName, ToolName
from toolweft.core.snapshot import GoneTool
from toolweft.core.tools import ToolDefinition

__all__ = ("GoneTools",)

# A server may list other tools each second; those that went longest ago are forgotten.
_MAX_TOOLS: Final = 1_000


class GoneTools:
    """The tools that were taken away lately.

    Args:
        clock: says when.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        # In the order in which they went, each with its other spellings.
        self._tools: dict[QualifiedName, tuple[GoneTool, tuple[str, ...]]] = {}
        self._spelled: Mapping[str, GoneTool] = MappingProxyType({})

    def update(
        self, before: Mapping[SourceName, SourceEntry], after: Mapping[SourceName, SourceEntry]
    ) -> Mapping[str, GoneTool]:
        """Every spelling of them, once the catalog holds `after` in place of `before`."""
        gone, come = find_differences(before, after)
        if not gone and not come:
            return self._spelled
        # One whose definition changed is another object; one whose source is spelled otherwise
        # now has another name. Neither is gone.
        stays = {_identity(item.source_definition) for item in come}
        for item in come:
            self._tools.pop(item.qualified, None)
        for item in gone:
            if _identity(item.source_definition) in stays:
                continue
            self._tools.pop(item.qualified, None)
            tool = GoneTool(
                qualified=item.qualified,
                source=item.source_definition.namespace,
                at=self._clock.now(),
            )
            self._tools[item.qualified] = (tool, item.aliases)
        for name in tuple(islice(self._tools, max(0, len(self._tools) - _MAX_TOOLS))):
            del self._tools[name]
        self._spelled = MappingProxyType(
            {
                spelling: tool
                for tool, aliases in self._tools.values()
                for spelling in (*aliases, tool.qualified)
            }
        )
        return self._spelled


def _identity(definition: ToolDefinition) -> tuple[SourceName, ToolName]:
    return definition.namespace, definition.name
