"""What one conversation sees: four tools over catalog, search, calls and containers."""

from toolweft.toolbox.answers import DescribeAnswer, SearchAnswer, ToolboxReply
from toolweft.toolbox.options import ToolboxOptions
from toolweft.toolbox.render import render_outcome
from toolweft.toolbox.saved import SavedParts, ToolboxSaved
from toolweft.toolbox.surface import (
    INSTRUCTIONS,
    TOOL_NAMES,
    Surface,
    SurfaceTool,
    build_surface,
    is_listed,
)
from toolweft.toolbox.surfaces import Surfaces
from toolweft.toolbox.toolbox import Toolbox
from toolweft.toolbox.visible import VisibleTools

__all__ = (
    "INSTRUCTIONS",
    "TOOL_NAMES",
    "DescribeAnswer",
    "SavedParts",
    "SearchAnswer",
    "Surface",
    "SurfaceTool",
    "Surfaces",
    "Toolbox",
    "ToolboxOptions",
    "ToolboxReply",
    "ToolboxSaved",
    "VisibleTools",
    "build_surface",
    "is_listed",
    "render_outcome",
)
