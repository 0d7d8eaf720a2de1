"""Operations as tool definitions. Pure."""

from toolweft.core.ids import SourceName, ToolName
from toolweft.core.tools import Hints, Severity, ToolDefinition
from toolweft.sources.openapi.model import Operation

__all__ = ("build_definition",)

_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
# Source: RFC 9110, section 9.2.2.
_IDEMPOTENT = _SAFE | {"PUT", "DELETE"}


def build_definition(
    operation: Operation, *, namespace: SourceName, timeout_s: float | None
) -> ToolDefinition:
    """The tool that an operation is; its severity follows from its method."""
    method = operation.method
    severity: Severity = "write"
    if method in _SAFE:
        severity = "read_only"
    elif method == "DELETE":
        severity = "destructive"
    return ToolDefinition(
        name=ToolName(operation.name),
        namespace=namespace,
        description=operation.description or f"{method} {operation.path}",
        short_description=operation.summary,
        category=operation.category,
        input_schema=operation.input_schema,
        output_schema=operation.output_schema,
        hints=Hints(
            read_only=severity == "read_only",
            destructive=severity == "destructive",
            idempotent=method in _IDEMPOTENT,
            open_world=True,
        ),
        severity=severity,
        timeout_s=timeout_s,
        problem=operation.problem,
    )
