"""Tools that call other tools are available only while those are."""

from dataclasses import replace

import pytest

from toolweft.catalog import Catalog, CatalogOptions
from toolweft.core.ids import QualifiedName, SourceName, ToolName
from toolweft.core.snapshot import SourceStatus
from toolweft.core.tools import Severity, ToolDefinition

READY = SourceStatus(name=SourceName("desk"), python_name="", kind="python", state="ready")
SAVED = replace(READY, name=SourceName("saved"), kind="saved")


def define(source: str, name: str, severity: Severity = "read_only", *needs: str) -> ToolDefinition:
    return ToolDefinition(
        name=ToolName(name),
        namespace=SourceName(source),
        description=f"Does {name}.",
        severity=severity,
        needs=tuple(QualifiedName(needed) for needed in needs),
    )


@pytest.fixture
def catalog() -> Catalog:
    catalog = Catalog(CatalogOptions())
    catalog.source_changed(
        SAVED,
        [
            define("saved", "sum_up", "read_only", "desk.add"),
            define("saved", "report", "read_only", "saved.sum_up"),
            define("saved", "again", "read_only", "saved.again", "desk.add"),
        ],
    )
    return catalog


def reasons(catalog: Catalog) -> dict[str, str]:
    return {
        tool.definition.name: tool.status_reason
        for tool in catalog.snapshot.tools.values()
        if tool.status == "unavailable" and tool.definition.namespace == "saved"
    }


def test_what_is_missing_is_named_through_what_calls_it(catalog: Catalog) -> None:
    assert reasons(catalog) == {
        "sum_up": "it calls desk.add, which the catalog does not have",
        "report": "it calls saved.sum_up: it calls desk.add, which the catalog does not have",
        "again": "it calls desk.add, which the catalog does not have",
    }


def test_it_is_available_as_soon_as_everything_is_there_and_no_longer(catalog: Catalog) -> None:
    catalog.source_changed(READY, [define("desk", "add")])
    assert reasons(catalog) == {}

    catalog.source_changed(replace(READY, state="failed", reason="it died"), None)
    assert reasons(catalog)["sum_up"] == (
        "it calls desk.add, which is unavailable: source 'desk' is failed: it died"
    )

    catalog.source_changed(READY, None)
    assert reasons(catalog) == {}
    catalog.remove_source(SourceName("desk"))
    assert set(reasons(catalog)) == {"sum_up", "report", "again"}


@pytest.mark.parametrize(
    ("severity", "said"),
    [("write", "it is 'read_only' and calls desk.add"), ("destructive", "programs may not call")],
)
def test_a_tool_that_became_more_severe_makes_it_unavailable(
    catalog: Catalog, severity: Severity, said: str
) -> None:
    catalog.source_changed(READY, [define("desk", "add", severity)])

    assert said in reasons(catalog)["sum_up"]


def test_a_change_that_changes_nothing_makes_no_snapshot(catalog: Catalog) -> None:
    before = catalog.snapshot
    catalog.source_changed(
        SAVED, [replace(catalog.source_definition(name)) for name in before.tools]
    )

    assert catalog.snapshot is before
