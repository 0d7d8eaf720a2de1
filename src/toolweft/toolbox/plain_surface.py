"""What an agent tells its models where every tool is listed anyway.

Pure. There is nothing to find then, and listed tools are called by their names: of the four only
run_code is left, in as few words as it takes. In a small task every sentence here would cost more
than all that it saves; what a program does wrong is told when it does it.
"""

from toolweft.core.ports import SandboxCapabilities
from toolweft.core.programs import ProgramLimits
from toolweft.core.snapshot import Snapshot
from toolweft.toolbox.options import ToolboxOptions
from toolweft.toolbox.surface import (
    ACTS,
    WORKERS,
    Surface,
    SurfaceTool,
    build_environments,
    build_surface,
    is_listed,
    list_tool,
    render_sandbox,
)

__all__ = ("build_agent_surface", "build_plain_surface", "is_plain")


def build_agent_surface(
    snapshot: Snapshot,
    *,
    capabilities: SandboxCapabilities,
    limits: ProgramLimits,
    idle_s: float,
    options: ToolboxOptions,
    has_workers: bool = False,
) -> Surface:
    """The plain surface where it is enough, else the one with the four; arguments are its own."""
    if is_plain(snapshot):
        return build_plain_surface(
            snapshot, capabilities=capabilities, limits=limits, has_workers=has_workers
        )
    return build_surface(
        snapshot,
        capabilities=capabilities,
        limits=limits,
        idle_s=idle_s,
        options=options,
        has_workers=has_workers,
    )


def is_plain(snapshot: Snapshot) -> bool:
    """Whether all that can be called is listed, and no source may bring more in a moment."""
    return all(source.is_usable for source in snapshot.sources.values()) and all(
        is_listed(tool) for tool in snapshot.tools.values() if tool.callers and not tool.is_withheld
    )


def build_plain_surface(
    snapshot: Snapshot,
    *,
    capabilities: SandboxCapabilities,
    limits: ProgramLimits,
    has_workers: bool = False,
) -> Surface:
    """The tools of the catalog, and run_code; arguments as of `build_surface`."""
    listed = [list_tool(tool) for tool in snapshot.tools.values() if is_listed(tool)]
    return Surface(
        tools=(_run_code(snapshot, capabilities, limits, has_workers=has_workers), *listed),
        instructions="",
    )


def _run_code(
    snapshot: Snapshot,
    capabilities: SandboxCapabilities,
    limits: ProgramLimits,
    *,
    has_workers: bool,
) -> SurfaceTool:
    """Other parameters are taken as ever; what a run answers names them where they are needed."""
    called = (tool for tool in snapshot.tools.values() if "programmatic" in tool.callers)
    example = next((f": await {tool.qualified}(a=1)" for tool in called), "")
    description = f"Python{example}; prints come back."
    is_usual = capabilities.full_language and capabilities.standard_library
    if not (is_usual and capabilities.is_isolated) or capabilities.lacks:
        # What nobody would guess.
        description += f" {render_sandbox(capabilities, limits)}"
    return SurfaceTool(
        name="run_code",
        title="Run a program",
        description=description + (WORKERS if has_workers else ""),
        input_schema={
            "type": "object",
            "properties": {"code": {"type": "string"}, **build_environments(capabilities)},
        },
        annotations=ACTS,
    )
