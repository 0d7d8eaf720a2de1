"""What a client sees that is given every tool as it is, in the place of the four.

A tool keeps its own name while no other has it; else it goes by its wire name, which depends on
nothing but its source and itself. Both are found by either. Called by the gateway.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Final, Protocol

from toolweft.core.calls import Content, ToolResult, Verbatim
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.ids import SourceName
from toolweft.core.json import JsonObject
from toolweft.core.names import lasting_namespace, wire_name
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.programs.per_snapshot import PerSnapshot
from toolweft.toolbox.answers import ToolboxReply

__all__ = (
    "PassedTools",
    "PassingToolbox",
    "ToolPassing",
    "join_instructions",
    "name_for_clients",
    "pass_names",
)

# Named in a message; more would not help.
_MAX_ALIKE: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedTools:
    """The tools of one snapshot under the names that clients see."""

    listed: Mapping[str, CatalogTool]
    # Wire names of listed tools that keep their own.
    others: Mapping[str, CatalogTool]

    def find(self, name: str) -> CatalogTool | None:
        """The tool of a name; None where there is none."""
        return self.listed.get(name) or self.others.get(name)

    def named_alike(self, name: str) -> list[str]:
        """The names of some tools that all call themselves so."""
        alike = (shown for shown, tool in self.listed.items() if tool.definition.name == name)
        return list(islice(alike, _MAX_ALIKE))


def pass_names(snapshot: Snapshot) -> PassedTools:
    """Name every tool that a client may call directly and that is not withheld.

    A withheld tool keeps its name from others all the same: what a name means must not change
    when a tool is suspended.
    """
    counts = Counter(str(tool.definition.name) for tool in snapshot.tools.values())
    taken = {tool.wire_name for tool in snapshot.tools.values()}
    listed: dict[str, CatalogTool] = {}
    others: dict[str, CatalogTool] = {}
    for tool in snapshot.tools.values():
        if tool.is_withheld or "direct" not in tool.callers:
            continue
        own = str(tool.definition.name)
        is_unique = counts[own] == 1 and (own not in taken or own == tool.wire_name)
        listed[own if is_unique else tool.wire_name] = tool
        if is_unique:
            others[tool.wire_name] = tool
    return PassedTools(listed=listed, others=others)


def name_for_clients(source: SourceName, name: str) -> str:
    """The name of a prompt that is not the only one of its name: as tools are named."""
    return wire_name(lasting_namespace(source), lasting_namespace(name))


def join_instructions(snapshot: Snapshot) -> str:
    """What the sources say of themselves, each under its name; suspicious words are left out."""
    said = [
        f"{source.name}:\n{source.instructions}"
        for source in snapshot.sources.values()
        if source.instructions and not source.flags
    ]
    return "\n\n".join(said)


class PassingToolbox(Protocol):
    """What this needs of a toolbox."""

    @property
    def handles(self) -> "_Arranger":
        """Makes results presentable."""
        ...

    async def call(
        self,
        name: str,
        arguments: JsonObject | None = None,
        *,
        client: CallingClient = NOBODY,
        verbatim: Verbatim | None = None,
    ) -> ToolResult:
        """As of `Toolbox`."""
        ...


class _Arranger(Protocol):
    async def arrange(self, result: ToolResult) -> tuple[str, tuple[Content, ...]]: ...


class ToolPassing:
    """Lists and calls tools under the names that clients see; one for all toolboxes."""

    def __init__(self) -> None:
        self._names = PerSnapshot(pass_names)

    def tools(self, snapshot: Snapshot) -> PassedTools:
        """The tools of a snapshot; the same object as long as it is the newest."""
        return self._names.of(snapshot)

    async def call(
        self,
        toolbox: PassingToolbox,
        tool: CatalogTool,
        arguments: JsonObject,
        *,
        client: CallingClient,
        verbatim: Verbatim | None,
    ) -> ToolboxReply:
        """Use one tool; what the source sent is in the reply where it is an MCP source."""
        result = await toolbox.call(tool.qualified, arguments, client=client, verbatim=verbatim)
        failure = result.failure
        code = "" if failure is None else failure.code
        is_error = result.is_error or failure is not None
        if result.sent is not None:
            return ToolboxReply(text="", is_error=is_error, code=code, sent=result.sent)
        text, content = await toolbox.handles.arrange(result)
        # What was too large to pass is not what its definition promises.
        is_error = is_error or result.handle is not None
        return ToolboxReply(text=text, content=content, is_error=is_error, code=code)
