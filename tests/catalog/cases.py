"""Small definitions and sources for the tests of the catalog."""

from collections.abc import Sequence
from typing import Any

from toolweft.catalog import Catalog, CatalogOptions
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.snapshot import SourceState, SourceStatus
from toolweft.core.tools import ToolDefinition

DEFAULTS = CatalogOptions()


def status(name: str, state: SourceState = "ready", reason: str = "") -> SourceStatus:
    return SourceStatus(
        name=SourceName(name), python_name="", kind="fake", state=state, reason=reason
    )


def tool(name: str, source: str = "git", **fields: Any) -> ToolDefinition:
    return ToolDefinition(name=ToolName(name), namespace=SourceName(source), **fields)


def catalog_of(
    *definitions: ToolDefinition, options: CatalogOptions = DEFAULTS, order: Sequence[str] = ()
) -> Catalog:
    """A catalog that heard of each source once, in the given order, else as they come."""
    catalog = Catalog(options)
    sources = order or dict.fromkeys(definition.namespace for definition in definitions)
    for source in sources:
        catalog.source_changed(
            status(source), [item for item in definitions if item.namespace == source]
        )
    return catalog
