"""Reads tool lists beside the event loop, where one of thousands would hold up every call."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from anyio import to_thread

from toolweft.core.ids import SourceName
from toolweft.core.json import Json
from toolweft.core.tools import ToolDefinition
from toolweft.sources.mcp.definitions import build_definitions
from toolweft.sources.mcp.kept_tools import keep_tools

__all__ = ("ReadTools", "read_tools")

# Fewer take a few milliseconds at most.
_MAX_TOOLS_INLINE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTools:
    """What was read of a tool list."""

    definitions: tuple[ToolDefinition, ...]
    # One sentence for each entry that is left out.
    faults: tuple[str, ...]
    # The list itself, to be held on to in place of the one that was read; empty where none is.
    kept: Sequence[Json]


async def read_tools(
    tools: Sequence[Json], *, namespace: SourceName, is_kept: bool = True
) -> ReadTools:
    """The definitions of a tool list; see `build_definitions`.

    Args:
        tools: the list as it came.
        namespace: the source.
        is_kept: whether the list itself is held on to.
    """
    work = partial(_read, tools, namespace, is_kept=is_kept)
    if len(tools) <= _MAX_TOOLS_INLINE:
        return work()
    return await to_thread.run_sync(work, abandon_on_cancel=True)


def _read(tools: Sequence[Json], namespace: SourceName, *, is_kept: bool) -> ReadTools:
    definitions, faults = build_definitions(tools, namespace=namespace)
    kept = keep_tools(tools) if is_kept else ()
    return ReadTools(definitions=definitions, faults=faults, kept=kept)
