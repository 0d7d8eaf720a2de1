"""The tools a conversation sees, and what they say of themselves.

Pure. The four come first; tools that are not deferred stand behind them under their wire names.
The text is paid for in every conversation, so each sentence earns its tokens, whatever the size
of the catalog.
"""

from collections import Counter
from dataclasses import dataclass

from toolweft.core.examples import render_examples
from toolweft.core.json import JsonSchema
from toolweft.core.ports import SandboxCapabilities
from toolweft.core.programs import ProgramLimits
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.core.tools import Hints
from toolweft.programs.clipping import clip_text
from toolweft.programs.stubs import DETAILS
from toolweft.toolbox.options import ToolboxOptions

__all__ = (
    "ACTS",
    "INSTRUCTIONS",
    "TOOL_NAMES",
    "WORKERS",
    "Surface",
    "SurfaceTool",
    "build_environments",
    "build_surface",
    "is_listed",
    "list_tool",
    "name_sources",
    "render_sandbox",
)

TOOL_NAMES = ("search_tools", "describe_tools", "call_tool", "run_code")

# What a client shows its model of the whole server: the same text for every catalog.
INSTRUCTIONS = (
    "Many tools stand behind these four. search_tools gives callable signatures; then one run_code"
    " program makes all the calls and prints only the answer. Use call_tool for one small call."
)

_READS = Hints(read_only=True, destructive=False, idempotent=True, open_world=False)
# What they reach may do anything, so clients go on asking their user.
ACTS = Hints(read_only=False, destructive=True, idempotent=False, open_world=True)

_MAX_SOURCE_CHARACTERS = 24
_MAX_SHOWN_PACKAGES = 12
_GIB = 1024**3
_MIB = 1024**2

_LOAD = (
    ' Large results are kept: await load("h_…") gives one,'
    ' async for rows in load("h_…").chunks(1000) its parts.'
)

WORKERS = (
    ' A cheap model answers await worker("…", schema={…}), and worker_map(items, "…", schema={…})'
    " asks it for each item or load(…).chunks(n)."
)

_EXAMPLE = """\
import asyncio
team = await hr.list_team(team="ops")
bills = await asyncio.gather(*(hr.list_bills(person=p["id"]) for p in team))
over = {p["name"]: t for p, b in zip(team, bills) if (t := sum(x["cents"] for x in b)) > 9000}
print(over or "nobody")"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceTool:
    """One tool as a client lists it."""

    name: str
    description: str
    input_schema: JsonSchema
    annotations: Hints
    title: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """Everything a model gets to see before its first word."""

    tools: tuple[SurfaceTool, ...]
    instructions: str


def is_listed(tool: CatalogTool) -> bool:
    """Whether a tool stands beside the four."""
    return (
        (not tool.deferred or tool.definition.always_listed)
        and not tool.is_withheld
        and "direct" in tool.callers
        and tool.wire_name not in TOOL_NAMES
    )


def build_surface(
    snapshot: Snapshot,
    *,
    capabilities: SandboxCapabilities,
    limits: ProgramLimits,
    idle_s: float,
    options: ToolboxOptions,
    has_workers: bool = False,
) -> Surface:
    """The surface over one snapshot; it stays the same for a whole conversation.

    Args:
        snapshot: the catalog at the start of the conversation.
        capabilities: of the backend that runs programs.
        limits: that hold for programs.
        idle_s: how long an idle container lives.
        options: how many sources are named, and default values.
        has_workers: whether programs may ask a cheap model.
    """
    listed = [tool for tool in snapshot.tools.values() if is_listed(tool)]
    return Surface(
        tools=(
            _search_tools(snapshot, options),
            _describe_tools(),
            _call_tool(),
            _run_code(capabilities, limits, idle_s, options, has_workers=has_workers),
            *(list_tool(tool) for tool in listed),
        ),
        instructions=INSTRUCTIONS,
    )


def _search_tools(snapshot: Snapshot, options: ToolboxOptions) -> SurfaceTool:
    sources = name_sources(snapshot, options.max_named_sources)
    return SurfaceTool(
        name="search_tools",
        title="Search tools",
        description=(
            "Find tools by what they do; the answer has typed Python signatures, ready for"
            f" run_code and call_tool. One query per need, all at once. Sources: {sources}."
        ),
        input_schema=_schema(
            {
                "queries": {"type": "array", "items": {"type": "string"}},
                "limit": {
                    "type": "integer",
                    "default": options.search_limit,
                    "maximum": options.max_search_limit,
                },
                "detail": {"enum": list(DETAILS), "default": "typed"},
                "namespace": {"type": "string", "description": "only this source"},
                "category": {"type": "string"},
            },
            "queries",
        ),
        annotations=_READS,
    )


def _describe_tools() -> SurfaceTool:
    return SurfaceTool(
        name="describe_tools",
        title="Describe tools",
        description="Everything known of tools, signatures and examples; or of a source.",
        input_schema=_schema({"names": {"type": "array", "items": {"type": "string"}}}, "names"),
        annotations=_READS,
    )


def _call_tool() -> SurfaceTool:
    return SurfaceTool(
        name="call_tool",
        title="Call a tool",
        description="Call one tool, as source.tool, and read its result.",
        input_schema=_schema({"name": {"type": "string"}, "arguments": {"type": "object"}}, "name"),
        annotations=ACTS,
    )


def _run_code(
    capabilities: SandboxCapabilities,
    limits: ProgramLimits,
    idle_s: float,
    options: ToolboxOptions,
    *,
    has_workers: bool,
) -> SurfaceTool:
    return SurfaceTool(
        name="run_code",
        title="Run a program",
        description=(
            "Run a Python program that calls tools; only what it prints comes back."
            f" {render_sandbox(capabilities, limits)}"
            " Tools are async functions: await source.tool(key=value). They take keywords only,"
            " return plain JSON values (result type Any: look at one first) and raise ToolError;"
            ' await tools.search(query="…") finds more.'
            f"{_LOAD if capabilities.handles else ''}{WORKERS if has_workers else ''}"
            f" Variables stay in the container: pass container_id to go on, within {idle_s:g} s."
            " After wait_s a longer run returns its run_id; pass only that to wait on."
            f" Example:\n{_EXAMPLE}"
        ),
        input_schema=_schema(
            {
                "code": {"type": "string"},
                "container_id": {"type": "string"},
                "run_id": {"type": "string"},
                "wait_s": {"type": "number", "default": options.wait_s},
                **build_environments(capabilities),
            }
        ),
        annotations=ACTS,
    )


def build_environments(capabilities: SandboxCapabilities) -> JsonSchema:
    """The parameter that chooses packages; none where there are none to choose."""
    if not capabilities.environments:
        return {}
    listed = [
        f"{name} has {', '.join(packages[:_MAX_SHOWN_PACKAGES])}"
        for name, packages in capabilities.environments.items()
    ]
    described = f"packages to import: {'; '.join(listed)}"
    return {"environment": {"enum": list(capabilities.environments), "description": described}}


def render_sandbox(capabilities: SandboxCapabilities, limits: ProgramLimits) -> str:
    """What the live backend offers, and what it lacks."""
    has = [capabilities.language]
    if capabilities.standard_library:
        has.append("standard library")
    has.append("asyncio and top-level await" if capabilities.full_asyncio else "top-level await")
    has += [
        f"{_render_bytes(limits.memory_bytes)} memory",
        f"{limits.active_s:g} s CPU",
        f"{limits.wall_s:g} s in all",
        f"{limits.max_calls:,} calls",
    ]
    # Never told to be missing where it is not.
    lacks = "no network" if capabilities.is_isolated else "NOT ISOLATED, so reach out by tools only"
    if not capabilities.files:
        lacks += ", no files"
    if not capabilities.state:
        lacks += ", no state between runs"
    if capabilities.lacks:
        lacks += f", {capabilities.lacks}"
    return f"{', '.join(has)}; {lacks}."


def _render_bytes(size_bytes: int) -> str:
    if size_bytes >= _GIB:
        return f"{size_bytes / _GIB:g} GiB"
    return f"{size_bytes / _MIB:.0f} MiB"


def name_sources(snapshot: Snapshot, max_named: int) -> str:
    """Names with their numbers of callable tools, the largest first; the rest as a number."""
    tools = snapshot.tools.values()
    has_tools = {tool.definition.namespace for tool in tools}
    reachable = Counter(
        tool.definition.namespace for tool in tools if tool.callers and not tool.is_withheld
    )
    counts = {
        source.python_name: reachable[source.name]
        for source in snapshot.sources.values()
        # One whose tools are all out of reach is as good as none; one without may yet start.
        if source.name in reachable or source.name not in has_tools
    }
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    named = [
        clip_text(name, _MAX_SOURCE_CHARACTERS) + (f" {counts[name]}" if counts[name] else "")
        for name in ordered[:max_named]
    ]
    if len(ordered) > max_named:
        rest = ordered[max_named:]
        named.append(f"{len(rest)} more with {sum(counts[name] for name in rest):,} tools")
    return ", ".join(named) or "none yet"


def list_tool(tool: CatalogTool) -> SurfaceTool:
    """A tool of the catalog as it stands beside the four."""
    hints = tool.definition.hints
    description = tool.definition.description
    if tool.definition.input_examples:
        # The protocol has no field for them.
        examples = render_examples(tool.definition.input_examples)
        description = f"{description}\n\n{examples}".lstrip()
    return SurfaceTool(
        name=tool.wire_name,
        description=description,
        input_schema=tool.definition.input_schema,
        # What the catalog decided, not what the source claims.
        annotations=Hints(
            read_only=tool.severity == "read_only",
            destructive=tool.severity == "destructive",
            idempotent=hints.idempotent,
            open_world=hints.open_world,
        ),
    )


def _schema(properties: JsonSchema, *required: str) -> JsonSchema:
    schema: JsonSchema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = list(required)
    return schema
