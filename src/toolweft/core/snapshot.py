"""The catalog at one moment: immutable, versioned, safe to hold while the catalog moves on.

Built by `toolweft.catalog`, read by everyone. Lookup is here because it is pure; deciding what
a tool is called and who may call it is the catalog's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from typing import Literal

from toolweft.core.calls import CallerType
from toolweft.core.errors import AmbiguousTool, ToolGone, ToolNotFound
from toolweft.core.ids import QualifiedName, SourceName
from toolweft.core.names import names_source
from toolweft.core.pins import Flag
from toolweft.core.tools import ExampleFault, Severity, ToolDefinition

__all__ = ("CatalogTool", "GoneTool", "Snapshot", "SourceState", "SourceStatus", "ToolStatus")

# available: can be called. disabled: its own definition is unusable. unavailable: its source is
# down. suspended: its definition is not the accepted one.
ToolStatus = Literal["available", "disabled", "unavailable", "suspended"]
# idle: its tools are known and it does not run; the next call starts it.
SourceState = Literal["starting", "idle", "ready", "failed", "stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogTool:
    """A tool with everything the catalog decided about it, and why."""

    definition: ToolDefinition
    # Python spellings: `python_namespace.python_name` is the qualified name.
    python_namespace: str
    python_name: str
    # At most 48 characters of [A-Za-z0-9_-], unique: the name where a client lists the tool.
    wire_name: str
    # Python spelling of a parameter -> original name; only those that differ.
    parameters: Mapping[str, str]
    severity: Severity
    severity_reason: str
    callers: frozenset[CallerType]
    callers_reason: str
    deferred: bool
    deferred_reason: str
    status: ToolStatus = "available"
    # Why it is not available; empty where it is.
    status_reason: str = ""
    # Default where neither tool nor configuration says.
    timeout_s: float = 60.0
    timeout_reason: str = ""
    # Of the examples that are left out.
    example_faults: tuple[ExampleFault, ...] = ()
    # Of its definition as its source gives it; "" where that cannot be used.
    pin_hash: str = ""
    # What is suspicious in its name and texts.
    flags: tuple[Flag, ...] = ()

    @property
    def is_withheld(self) -> bool:
        """Whether it is named where it is asked for, but neither found nor offered."""
        return self.status in {"disabled", "suspended"}

    @property
    def qualified(self) -> QualifiedName:
        """`namespace.tool` as a program writes it."""
        return QualifiedName(f"{self.python_namespace}.{self.python_name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How one source stands."""

    name: SourceName
    python_name: str
    # "mcp stdio", "mcp http", "python", ...
    kind: str
    state: SourceState
    tool_count: int = 0
    # What went wrong, with the tail of the server's own stderr; empty when ready.
    reason: str = ""
    # Seconds from start to the listed tools; None before.
    start_s: float | None = None
    # What the server says of itself; shown, never obeyed.
    instructions: str = ""
    # What is suspicious in them.
    flags: tuple[Flag, ...] = ()
    protocol_version: str = ""
    # What was wrong with its list of tools, though it is usable.
    notes: tuple[str, ...] = ()

    @property
    def is_usable(self) -> bool:
        """Whether its tools can be called as they are known: it runs, or a call starts it."""
        return self.state in {"ready", "idle"}

    @property
    def told_reason(self) -> str:
        """The reason in a line, without the server's own words, which are for its machine alone."""
        line, is_longer, _ = self.reason.strip().partition("\n")
        if not is_longer:
            return line
        return f"{line.rpartition('; ')[0] or line}; `toolweft doctor` shows what it printed"


@dataclass(frozen=True, slots=True, kw_only=True)
class GoneTool:
    """A tool that was in the catalog and that its source does not offer any more."""

    qualified: QualifiedName
    source: SourceName
    # When that was seen, in UTC.
    at: datetime

    def __str__(self) -> str:
        """All of it in one sentence."""
        since = f"{self.at:%Y-%m-%d %H:%M:%S} UTC"
        return f"{self.qualified} is gone: its source {self.source!r} took it away ({since})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All tools of all sources at one version."""

    version: int
    tools: Mapping[QualifiedName, CatalogTool]
    sources: Mapping[SourceName, SourceStatus]
    # Every other spelling a caller may use -> the tools it can mean: bare Python names, original
    # names, "namespace.original", wire names.
    aliases: Mapping[str, tuple[QualifiedName, ...]] = field(default_factory=dict)
    # Every spelling of the tools that were taken away lately; what stands above comes first.
    gone: Mapping[str, GoneTool] = field(default_factory=dict)

    def find(self, name: str) -> CatalogTool | None:
        """The tool `name` means, or None where there is none or more than one."""
        tool = self.tools.get(QualifiedName(name))
        if tool is not None:
            return tool
        meant = self._meant(name)
        return self.tools[meant[0]] if len(meant) == 1 else None

    def resolve(self, name: str) -> CatalogTool:
        """The one tool that `name` means.

        Args:
            name: qualified, bare, original or wire name.

        Raises:
            ToolGone: there was one, and its source took it away.
            ToolNotFound: nothing of that name; the hint offers near names.
            AmbiguousTool: several sources have it; the message lists the full names.
        """
        tool = self.find(name)
        if tool is not None:
            return tool
        meant = self._meant(name)
        if meant:
            listed = ", ".join(sorted(meant))
            raise AmbiguousTool(
                f"{name!r} is a tool of {len(meant)} sources: {listed}",
                hint="use the full name",
            )
        near = self.near_names(name)
        hint = f"did you mean {', '.join(near)}? " if near else ""
        hint += "search the catalog for what is available"
        if name in self.gone:
            raise ToolGone(str(self.gone[name]), hint=hint)
        self._check_source(name)
        raise ToolNotFound(f"the catalog has no tool named {name!r}", hint=hint)

    def _meant(self, name: str) -> tuple[QualifiedName, ...]:
        """The tools an alias stands for; where it names a source, only those of that source.

        Servers choose the names of their tools: without this, one could take the calls meant for
        another's tool while that other is starting or lacks it.
        """
        meant = self.aliases.get(name, ())
        if not meant or not ("." in name or "-" in name):
            return meant
        named = {
            source.name
            for source in self.sources.values()
            if names_source(name, source=source.name, namespace=source.python_name)
        }
        if not named:
            return meant
        return tuple(q for q in meant if self.tools[q].definition.namespace in named)

    def _check_source(self, name: str) -> None:
        """Say so where the tool may be missing because its source is not there."""
        namespace = name.partition(".")[0]
        for source in self.sources.values():
            if namespace in {source.python_name, source.name} and not source.is_usable:
                raise ToolNotFound(
                    f"{name!r} is not known: its source {source.name!r} is {source.state}",
                    hint=source.told_reason or "try again once it is ready",
                )

    def near_names(self, name: str, *, limit: int = 3) -> list[QualifiedName]:
        """Up to `limit` qualified names that look like `name`, those of its namespace first.

        Only names that begin with the same letter, or hold `name` whole, are compared: a model's
        slips are rarely in the first letter, and a program may ask for a thousand wrong names.
        """
        namespace, _, asked = name[:200].lower().rpartition(".")
        by_tail: dict[str, list[QualifiedName]] = {}
        for qualified, tool in self.tools.items():
            if not tool.callers or tool.is_withheld:
                # What nobody may call is offered to nobody.
                continue
            tail = qualified.rpartition(".")[2].lower()
            if tail[:1] == asked[:1] or asked in tail:
                by_tail.setdefault(tail, []).append(qualified)
        near = [q for tail in get_close_matches(asked, by_tail, limit) for q in by_tail[tail]]
        near.sort(key=lambda q: q.rpartition(".")[0].lower() != namespace)
        return near[:limit]
