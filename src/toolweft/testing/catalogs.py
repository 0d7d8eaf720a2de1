"""Snapshots in a line: definitions of a few tools, through the real catalog."""

from collections.abc import Iterable, Mapping

from toolweft.catalog import Catalog, CatalogOptions
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import JsonSchema
from toolweft.core.snapshot import Snapshot, SourceStatus
from toolweft.core.tools import Severity, ToolDefinition

__all__ = ("FixedHolder", "build_catalog", "build_definition", "build_snapshot")

_DEFAULTS = CatalogOptions()


def build_definition(
    name: str,
    *,
    description: str = "",
    parameters: Mapping[str, JsonSchema] | None = None,
    required: Iterable[str] | None = None,
    severity: Severity | None = "read_only",
) -> ToolDefinition:
    """A tool's definition; for anything not offered here use `dataclasses.replace`.

    Args:
        name: "source.tool", both in their original spelling; without a dot the source is "local".
        description: what the tool says of itself.
        parameters: name -> its JSON Schema, in order; nothing else is accepted.
        required: those that must be given; all of them where None.
        severity: None leaves it to the catalog, which assumes the worst.
    """
    source, _, tool = name.rpartition(".")
    properties = dict(parameters or {})
    return ToolDefinition(
        name=ToolName(tool),
        namespace=SourceName(source or "local"),
        description=description,
        input_schema={
            "type": "object",
            "properties": properties,
            "required": list(properties if required is None else required),
            "additionalProperties": False,
        },
        severity=severity,
    )


def build_catalog(
    definitions: Iterable[ToolDefinition], *, options: CatalogOptions = _DEFAULTS
) -> Catalog:
    """A catalog that heard of every source in `definitions`, each ready."""
    by_source: dict[SourceName, list[ToolDefinition]] = {}
    for definition in definitions:
        by_source.setdefault(definition.namespace, []).append(definition)
    catalog = Catalog(options)
    for name, tools in by_source.items():
        status = SourceStatus(name=name, python_name=name, kind="fake", state="ready", start_s=0.0)
        catalog.source_changed(status, tools)
    return catalog


def build_snapshot(
    definitions: Iterable[ToolDefinition], *, options: CatalogOptions = _DEFAULTS
) -> Snapshot:
    """What a catalog of these tools shows its readers."""
    return build_catalog(definitions, options=options).snapshot


class FixedHolder:
    """Holds the snapshot it was given; assign `snapshot` to let the catalog move on."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
