"""Python sources of a few tools, and what they define."""

from typing import Any

from tests.sources.support import WaitingListener

from toolweft.core.ids import SourceName
from toolweft.core.tools import ToolDefinition
from toolweft.sources import PythonSource


def serve(*tools: Any) -> PythonSource:
    return PythonSource(SourceName("local"), tools, listener=WaitingListener())


def define_all(*tools: Any) -> list[ToolDefinition]:
    """The definitions that a source makes, in its order."""
    return [built.definition for built in serve(*tools)._tools.values()]


def define(candidate: Any) -> ToolDefinition:
    """The definition that a source makes of one tool."""
    (definition,) = define_all(candidate)
    return definition
