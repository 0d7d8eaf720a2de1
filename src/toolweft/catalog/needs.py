"""Tools that call other tools: shown as unavailable, with the reason, while one of those cannot be.

Pure. Decided over all sources together, whenever one of them changes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from toolweft.core.ids import QualifiedName
from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import SEVERITIES

__all__ = ("unusable_for_needs",)


def unusable_for_needs(
    needing: Iterable[QualifiedName],
    tools: Mapping[QualifiedName, CatalogTool],
    *,
    before: Mapping[QualifiedName, CatalogTool],
) -> dict[QualifiedName, CatalogTool]:
    """The available tools that lack something, as they are to be shown.

    Args:
        needing: the tools that call others.
        tools: all of them.
        before: as they were shown last; what did not change is the same object again.
    """
    unusable: dict[QualifiedName, CatalogTool] = {}
    for name in needing:
        tool = tools[name]
        if not tool.definition.needs or tool.status != "available":
            continue
        reason = _missing(tool, tools, frozenset({name}))
        if reason:
            shown = replace(tool, status="unavailable", status_reason=reason)
            unusable[name] = before[name] if before.get(name) == shown else shown
    return unusable


def _missing(
    tool: CatalogTool,
    tools: Mapping[QualifiedName, CatalogTool],
    above: frozenset[QualifiedName],
) -> str:
    """What a tool lacks, itself or in what it calls; empty where it lacks nothing."""
    for name in tool.definition.needs:
        needed = tools.get(name)
        if needed is None:
            return f"it calls {name}, which the catalog does not have"
        if needed.status != "available":
            return f"it calls {name}, which is {needed.status}: {needed.status_reason}"
        if "programmatic" not in needed.callers:
            return f"it calls {name}, which programs may not call: {needed.callers_reason}"
        # As it was when it was saved, whatever a rule says of it since.
        severity = tool.definition.severity or tool.severity
        if SEVERITIES.index(needed.severity) > SEVERITIES.index(severity):
            return (
                f"it is {severity!r} and calls {name}, which is {needed.severity!r} now:"
                " save it again"
            )
        if name not in above and (lacks := _missing(needed, tools, above | {name})):
            return f"it calls {name}: {lacks}"
    return ""
