"""Identifiers that look alike get a type each."""

from typing import NewType

__all__ = (
    "CallId",
    "ContainerId",
    "HandleId",
    "QualifiedName",
    "RunId",
    "SourceName",
    "ToolName",
)

# The name a source was configured under, e.g. "github"; the namespace of its tools.
SourceName = NewType("SourceName", str)
# The original name the source gave a tool; this goes on the wire.
ToolName = NewType("ToolName", str)
# "namespace.tool" in Python spelling; unique in a snapshot and stable when sources come and go.
QualifiedName = NewType("QualifiedName", str)
CallId = NewType("CallId", str)
# One execution of a program; printed as `execution_id` and `program_id` too.
RunId = NewType("RunId", str)
ContainerId = NewType("ContainerId", str)
# A stored result: "h_" and hex digits, never part of a path before it was checked.
HandleId = NewType("HandleId", str)
