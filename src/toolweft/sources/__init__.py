"""Where tools come from: MCP servers, recorded tool lists, Python functions, saved programs.

Importing this package imports neither the protocol's SDK nor pydantic; the source that needs them
does, when it starts.
"""

from toolweft.sources.broken import BrokenSource
from toolweft.sources.group import ManagedSource, SourceGroup
from toolweft.sources.mcp.recorded import RecordedSource
from toolweft.sources.mcp.servers import HttpSource, Memory, StdioSource
from toolweft.sources.options import (
    HttpServerOptions,
    RecordedServerOptions,
    StdioServerOptions,
)
from toolweft.sources.patience import PatientRoad
from toolweft.sources.python.declare import BoundTool, tool
from toolweft.sources.python.load import load_python_tools
from toolweft.sources.python.source import PythonSource, PythonTool
from toolweft.sources.saved.source import SavedSource

__all__ = (
    "BoundTool",
    "BrokenSource",
    "HttpServerOptions",
    "HttpSource",
    "ManagedSource",
    "Memory",
    "PatientRoad",
    "PythonSource",
    "PythonTool",
    "RecordedServerOptions",
    "RecordedSource",
    "SavedSource",
    "SourceGroup",
    "StdioServerOptions",
    "StdioSource",
    "load_python_tools",
    "tool",
)
