"""Tools and sources as `--json` prints them."""

from toolweft.core.json import JsonObject
from toolweft.core.pins import Flag
from toolweft.core.snapshot import CatalogTool, SourceStatus

__all__ = ("flag_to_dict", "source_to_dict", "tool_to_dict")


def tool_to_dict(tool: CatalogTool) -> JsonObject:
    """One tool, with every decision of the catalog and its reason."""
    definition = tool.definition
    return {
        "name": definition.name,
        "namespace": definition.namespace,
        "python_name": tool.qualified,
        "wire_name": tool.wire_name,
        "short_description": definition.short_description,
        "category": definition.category,
        "severity": tool.severity,
        "severity_reason": tool.severity_reason,
        "callers": sorted(tool.callers),
        "callers_reason": tool.callers_reason,
        "deferred": tool.deferred,
        "deferred_reason": tool.deferred_reason,
        "always_listed": definition.always_listed,
        "status": tool.status,
        "reason": tool.status_reason,
        "timeout_s": tool.timeout_s,
        "timeout_reason": tool.timeout_reason,
        "version": definition.version,
        "definition_hash": definition.definition_hash,
        "pin_hash": tool.pin_hash,
        "flags": [flag_to_dict(flag) for flag in tool.flags],
        "examples": len(definition.input_examples),
        "example_faults": [
            {"path": fault.path, "reason": fault.reason, "origin": fault.origin}
            for fault in tool.example_faults
        ],
    }


def flag_to_dict(flag: Flag) -> JsonObject:
    """What is suspicious, where."""
    return {"kind": flag.kind, "path": flag.path, "reason": flag.reason}


def source_to_dict(status: SourceStatus) -> JsonObject:
    """How one source stands."""
    return {
        "name": status.name,
        "python_name": status.python_name,
        "kind": status.kind,
        "state": status.state,
        "tools": status.tool_count,
        "start_s": None if status.start_s is None else round(status.start_s, 3),
        "protocol_version": status.protocol_version,
        "reason": status.reason,
        "flags": [flag_to_dict(flag) for flag in status.flags],
        "notes": list(status.notes),
    }
