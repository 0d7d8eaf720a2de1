"""Where tools come from: MCP servers, recordings, OpenAPI services, Python functions, programs.

Importing this package imports neither the protocol's SDK nor pydantic; the source that needs them
does, when it starts.
"""

from toolweft.sources.broken import BrokenSource
from toolweft.sources.group import ManagedSource, SourceGroup
from toolweft.sources.mcp.recorded import RecordedSource
from toolweft.sources.mcp.servers import HttpSource, Memory, StdioSource
from toolweft.sources.openapi.source import OpenApiSource
from toolweft.sources.options import (
    ClientCredentials,
    HttpServerOptions,
    OAuthOptions,
    OpenApiOptions,
    RecordedServerOptions,
    StdioServerOptions,
)
from toolweft.sources.patience import PatientRoad
from toolweft.sources.python.declare import BoundTool, tool
from toolweft.sources.python.entry_points import find_entry_point
from toolweft.sources.python.load import load_python_tools
from toolweft.sources.python.members import PythonTool
from toolweft.sources.python.source import PythonSource
from toolweft.sources.saved.source import SavedSource

__all__ = (
    "BoundTool",
    "BrokenSource",
    "ClientCredentials",
    "HttpServerOptions",
    "HttpSource",
    "ManagedSource",
    "Memory",
    "OAuthOptions",
    "OpenApiOptions",
    "OpenApiSource",
    "PatientRoad",
    "PythonSource",
    "PythonTool",
    "RecordedServerOptions",
    "RecordedSource",
    "SavedSource",
    "SourceGroup",
    "StdioServerOptions",
    "StdioSource",
    "find_entry_point",
    "load_python_tools",
    "tool",
)
