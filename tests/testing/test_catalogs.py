from toolweft.catalog import CatalogOptions
from toolweft.core.ports import SnapshotHolder
from toolweft.testing import FixedHolder, build_catalog, build_definition, build_snapshot

TOOLS = [
    build_definition("git.log", description="Show commits.", parameters={"n": {"type": "integer"}}),
    build_definition("git.push", severity=None),
    build_definition("greet"),
]


def test_every_tool_is_in_the_snapshot_under_its_source() -> None:
    snapshot = build_snapshot(TOOLS)

    assert set(snapshot.tools) == {"git.log", "git.push", "local.greet"}
    assert {name: status.state for name, status in snapshot.sources.items()} == {
        "git": "ready",
        "local": "ready",
    }


def test_all_parameters_are_required_unless_said_otherwise() -> None:
    one = {"n": {"type": "integer"}}
    assert build_definition("log", parameters=one).input_schema["required"] == ["n"]
    assert build_definition("log", parameters=one, required=[]).input_schema["required"] == []


def test_the_catalog_decides_as_it_does_in_earnest() -> None:
    snapshot = build_snapshot(TOOLS)
    assert snapshot.resolve("push").severity == "destructive"
    assert "programmatic" not in snapshot.resolve("push").callers

    everything = build_snapshot(TOOLS, options=CatalogOptions(profile="open"))
    assert "programmatic" in everything.resolve("push").callers


def test_a_holder_shows_what_it_is_given() -> None:
    first, second = build_snapshot(TOOLS[:1]), build_snapshot(TOOLS)
    holder = FixedHolder(first)
    as_port: SnapshotHolder = holder
    assert as_port.snapshot is first

    holder.snapshot = second
    assert as_port.snapshot is second


def test_a_built_catalog_still_listens() -> None:
    catalog = build_catalog(TOOLS)
    catalog.remove_source(TOOLS[0].namespace)
    assert set(catalog.snapshot.tools) == {"local.greet"}
