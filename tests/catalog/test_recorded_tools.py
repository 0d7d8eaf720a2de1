"""The recorded tools of 42 real servers all get through the catalog."""

import json
from collections import Counter
from pathlib import Path

import pytest
from tests.catalog.cases import DEFAULTS, status

from toolweft.catalog import Catalog
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.names import MAX_WIRE_NAME, python_name
from toolweft.core.tools import Hints, ToolDefinition


@pytest.mark.data
def test_every_recorded_tool_can_be_used_under_a_name_of_its_own(data: Path) -> None:
    catalog = Catalog(DEFAULTS)
    count = 0
    for path in sorted((data / "servers" / "tools").glob("*.json")):
        recorded = json.loads(path.read_text(encoding="utf-8"))
        tools = [
            ToolDefinition(
                name=ToolName(tool["name"]),
                namespace=SourceName(path.stem),
                description=tool.get("description", ""),
                input_schema=tool["inputSchema"],
                output_schema=tool.get("outputSchema"),
                hints=Hints(read_only=tool.get("annotations", {}).get("readOnlyHint")),
            )
            for tool in recorded["tools"]
        ]
        count += len(tools)
        catalog.source_changed(status(path.stem), tools)
    found = catalog.snapshot.tools.values()
    assert len(found) == count == 830
    assert Counter(tool.status for tool in found) == {"available": count}
    assert len({tool.wire_name for tool in found}) == count
    assert all(len(tool.wire_name) <= MAX_WIRE_NAME for tool in found)
    # No name had to be told apart by a hash.
    assert all(tool.python_name == python_name(tool.definition.name) for tool in found)
