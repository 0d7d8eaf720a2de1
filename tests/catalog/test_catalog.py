"""The catalog makes a new snapshot at each change and touches nothing that stayed."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.catalog.cases import catalog_of, status, tool

from toolweft.catalog import Catalog, CatalogOptions, ToolRule
from toolweft.core.errors import AmbiguousTool, ToolNotFound
from toolweft.core.ids import SourceName
from toolweft.core.names import lasting_namespace
from toolweft.core.ports import SnapshotHolder, SourceListener
from toolweft.core.snapshot import Snapshot

# Few letters, so that names clash.
names = st.text(st.sampled_from("ab_-."), min_size=1, max_size=3)
catalogs = st.dictionaries(names, st.sets(names, max_size=4), max_size=5)


def test_a_catalog_listens_to_sources_and_holds_snapshots() -> None:
    catalog = Catalog(CatalogOptions())
    listener: SourceListener = catalog
    holder: SnapshotHolder = catalog
    listener.source_changed(status("git"), [tool("log")])
    assert holder.snapshot.version == 1
    assert list(holder.snapshot.tools) == ["git.log"]


def test_tools_of_other_sources_are_the_same_objects_in_the_next_snapshot() -> None:
    catalog = catalog_of(tool("a", "one"), tool("b", "two"))
    before = catalog.snapshot
    catalog.source_changed(status("two"), [tool("c", "two")])
    after = catalog.snapshot
    assert after.version == before.version + 1
    assert after.tools["one.a"] is before.tools["one.a"]
    assert list(before.tools) == ["one.a", "two.b"]
    assert list(after.tools) == ["one.a", "two.c"]
    assert after.find("b") is None


def test_unchanged_tools_of_a_changed_source_are_the_same_objects_too() -> None:
    catalog = catalog_of(tool("a"), tool("b"))
    before = catalog.snapshot.tools["git.a"]
    catalog.source_changed(status("git"), [tool("a"), tool("b", description="new")])
    assert catalog.snapshot.tools["git.a"] is before
    assert catalog.snapshot.tools["git.b"].definition.description == "new"


async def test_many_tools_looked_through_before_are_as_if_they_had_not_been() -> None:
    listed = tuple(tool(f"t{number}", description=f"tool {number}") for number in range(150))
    ahead, at_once = Catalog(CatalogOptions()), Catalog(CatalogOptions())

    await ahead.prepare(status("git"), listed)
    assert ahead.snapshot.version == 0
    ahead.source_changed(status("git"), listed)
    at_once.source_changed(status("git"), listed)

    assert ahead.snapshot == at_once.snapshot
    assert len(ahead.snapshot.tools) == 150


async def test_what_was_looked_through_is_not_used_under_another_name_or_for_other_tools() -> None:
    listed = tuple(tool(f"t{number}", "a-b") for number in range(150))
    catalog, other = Catalog(CatalogOptions()), Catalog(CatalogOptions())

    await catalog.prepare(status("a-b"), listed)
    # Both would be `a_b` in Python, so they get other names.
    for each in (catalog, other):
        each.source_changed(status("a.b"), [tool("x", "a.b")])
        each.source_changed(status("a-b"), listed)
    assert list(catalog.snapshot.tools) == list(other.snapshot.tools)

    await catalog.prepare(status("a-b"), listed)
    catalog.source_changed(status("a-b"), listed[:1])
    assert len(catalog.snapshot.tools) == 2


def test_a_change_that_changes_nothing_makes_no_snapshot() -> None:
    catalog = catalog_of(tool("a"))
    before = catalog.snapshot
    catalog.source_changed(status("git"), [tool("a")])
    catalog.source_changed(status("git"), None)
    assert catalog.snapshot is before


def test_a_snapshot_cannot_be_changed() -> None:
    snapshot: Any = catalog_of(tool("a")).snapshot
    for mapping in (snapshot.tools, snapshot.sources, snapshot.aliases):
        with pytest.raises(TypeError):
            mapping["x"] = 1


def test_subscribers_hear_of_every_snapshot_until_they_leave() -> None:
    catalog = Catalog(CatalogOptions())
    heard: list[Snapshot] = []
    leave = catalog.subscribe(heard.append)
    catalog.source_changed(status("git"), [tool("a")])
    catalog.source_changed(status("git"), [tool("b")])
    leave()
    leave()
    catalog.source_changed(status("git"), [tool("c")])
    assert [snapshot.version for snapshot in heard] == [1, 2]


def test_tools_of_a_source_that_is_down_stay_visible_with_the_reason() -> None:
    catalog = catalog_of(tool("a"), tool("bad", input_schema={"type": "string"}))
    before = catalog.snapshot.tools["git.a"]
    catalog.source_changed(status("git", "failed", "exit code 1\nTraceback ..."), None)
    down = catalog.snapshot.tools["git.a"]
    assert down.status == "unavailable"
    shown = "exit code 1; `toolweft doctor` shows what it printed"
    assert down.status_reason == f"source 'git' is failed: {shown}"
    assert catalog.snapshot.tools["git.bad"].status == "disabled"
    assert catalog.snapshot.sources["git"].tool_count == 1
    catalog.source_changed(status("git"), None)
    assert catalog.snapshot.tools["git.a"] == before


@pytest.mark.parametrize("state", ["starting", "idle"])
def test_known_tools_of_a_source_that_a_call_waits_for_are_available(state: Any) -> None:
    catalog = catalog_of(tool("a"))
    catalog.source_changed(status("git", state), None)
    assert catalog.snapshot.tools["git.a"].status == "available"


@pytest.mark.parametrize("state", ["failed", "stopped"])
def test_a_source_that_is_down_has_unavailable_tools(state: Any) -> None:
    catalog = catalog_of(tool("a"))
    catalog.source_changed(status("git", state), None)
    assert catalog.snapshot.tools["git.a"].status_reason == f"source 'git' is {state}"


def test_a_source_can_be_forgotten() -> None:
    catalog = catalog_of(tool("a", "one"), tool("a", "two"))
    catalog.remove_source(SourceName("one"))
    catalog.remove_source(SourceName("never"))
    assert list(catalog.snapshot.sources) == ["two"]
    assert catalog.snapshot.resolve("a").qualified == "two.a"


def test_a_tool_is_found_under_every_spelling() -> None:
    snapshot = catalog_of(tool("get-page", "my-docs")).snapshot
    expected = snapshot.tools["my_docs.get_page"]
    spellings = [
        "my_docs.get_page",
        "get_page",
        "get-page",
        "my-docs.get-page",
        "my-docs.get_page",
        "my_docs.get-page",
        expected.wire_name,
    ]
    for spelling in spellings:
        assert snapshot.resolve(spelling) is expected


@pytest.mark.parametrize(
    "stolen",
    [
        "github.create_issue",
        "git-hub.create_issue",
        f"{lasting_namespace('git-hub')}.create_issue",
        "git_hub-create_issue",
    ],
)
@pytest.mark.parametrize("state", ["starting", "ready"])
def test_no_source_answers_a_call_that_names_another(stolen: str, state: Any) -> None:
    catalog = catalog_of(tool(stolen, "evil"))
    for name in ("github", "git-hub"):
        catalog.source_changed(status(name, state), [])
    assert catalog.snapshot.find(stolen) is None
    with pytest.raises(ToolNotFound):
        catalog.snapshot.resolve(stolen)
    assert catalog.snapshot.resolve(f"evil.{stolen}").definition.name == stolen


def test_no_source_answers_to_the_shortened_wire_name_of_another() -> None:
    victim = tool("create", "a" * 60)
    wire_name = next(iter(catalog_of(victim).snapshot.tools.values())).wire_name
    catalog = catalog_of(tool(wire_name, "evil"))
    catalog.source_changed(status(victim.namespace, "starting"), [])
    assert catalog.snapshot.find(wire_name) is None
    catalog.source_changed(status(victim.namespace), [victim])
    assert (
        catalog.snapshot.resolve(wire_name).definition
        == catalog.snapshot.resolve(f"{'a' * 60}.create").definition
    )


def test_a_dotted_name_without_its_source_means_nothing() -> None:
    assert (
        catalog_of(tool("github.create_issue", "evil")).snapshot.find("github.create_issue") is None
    )


def test_a_hyphen_that_names_no_source_is_part_of_a_bare_name() -> None:
    snapshot = catalog_of(tool("resolve-library-id", "docs")).snapshot
    assert snapshot.resolve("resolve-library-id").definition.namespace == "docs"


def test_a_bare_name_of_two_sources_is_ambiguous_and_lists_both() -> None:
    snapshot = catalog_of(tool("search", "b"), tool("search", "a")).snapshot
    with pytest.raises(AmbiguousTool, match=r"a\.search, b\.search"):
        snapshot.resolve("search")
    assert snapshot.resolve("a.search").definition.namespace == "a"


def test_two_sources_that_differ_in_punctuation_are_told_apart() -> None:
    catalog = catalog_of(tool("x", "aws-docs"))
    assert list(catalog.snapshot.tools) == ["aws_docs.x"]
    catalog.source_changed(status("aws_docs"), [tool("y", "aws_docs")])
    snapshot = catalog.snapshot
    assert snapshot.resolve("aws_docs.y").definition.namespace == "aws_docs"
    renamed = snapshot.resolve("aws-docs.x")
    assert renamed.python_namespace.startswith("aws_docs_")
    assert renamed.definition.namespace == "aws-docs"


def test_a_reserved_source_name_gets_a_suffix() -> None:
    assert list(catalog_of(tool("x", "tools")).snapshot.tools) == ["tools_.x"]


@pytest.mark.promise("catalog.stable-names")
@given(catalogs, st.randoms())
def test_the_order_in_which_sources_are_heard_of_changes_nothing(
    sources: dict[str, set[str]], random: Any
) -> None:
    definitions = [tool(name, source) for source in sources for name in sorted(sources[source])]
    first = catalog_of(*definitions, order=list(sources)).snapshot
    order = list(sources)
    random.shuffle(order)
    second = catalog_of(*definitions, order=order).snapshot
    assert list(second.tools.items()) == list(first.tools.items())
    assert second.aliases == first.aliases
    assert second.sources == first.sources


@given(catalogs, st.lists(st.tuples(names, st.sets(names, max_size=4)), max_size=6))
def test_a_catalog_that_changed_equals_one_made_anew(
    sources: dict[str, set[str]], changes: list[tuple[str, set[str]]]
) -> None:
    catalog = Catalog(CatalogOptions())
    for source, tools in [*sources.items(), *changes]:
        catalog.source_changed(status(source), [tool(name, source) for name in sorted(tools)])
        sources = {**sources, source: tools}
    for source in list(sources)[::2]:
        catalog.remove_source(SourceName(source))
        del sources[source]
    definitions = [tool(name, source) for source in sources for name in sorted(sources[source])]
    fresh = catalog_of(*definitions, order=list(sources)).snapshot
    assert catalog.snapshot.tools == fresh.tools
    assert catalog.snapshot.aliases == fresh.aliases


@given(catalogs)
def test_every_usable_tool_is_reachable_under_its_original_full_name(
    sources: dict[str, set[str]],
) -> None:
    definitions = [tool(name, source) for source in sources for name in sources[source]]
    snapshot = catalog_of(*definitions).snapshot
    assert len(snapshot.tools) == len(definitions)
    for qualified, found in snapshot.tools.items():
        assert qualified == found.qualified
        full = f"{found.definition.namespace}.{found.definition.name}"
        assert full in snapshot.tools or qualified in snapshot.aliases[full]


def long(name: str, source: str = "git", **fields: Any) -> Any:
    """A tool of about 100 estimated tokens."""
    return tool(name, source, description="word " * 72, **fields)


def test_definitions_above_the_threshold_are_deferred_together() -> None:
    catalog = catalog_of(long("a", "one"), options=CatalogOptions(defer_above_tokens=150))
    assert not catalog.snapshot.tools["one.a"].deferred
    assert "defer_above_tokens = 150" in catalog.snapshot.tools["one.a"].deferred_reason
    catalog.source_changed(status("two"), [long("b", "two")])
    assert all(found.deferred for found in catalog.snapshot.tools.values())
    catalog.remove_source(SourceName("two"))
    assert not catalog.snapshot.tools["one.a"].deferred


def test_deferred_tools_of_other_sources_stay_the_same_objects() -> None:
    catalog = catalog_of(long("a", "one"), options=CatalogOptions(defer_above_tokens=50))
    before = catalog.snapshot.tools["one.a"]
    catalog.source_changed(status("two"), [long("b", "two")])
    assert catalog.snapshot.tools["one.a"] is before


def test_an_explicit_choice_beats_the_automatic_one_and_does_not_count() -> None:
    rules = (ToolRule(tool="kept", defer_loading=False, origin="here"),)
    catalog = catalog_of(
        long("kept"),
        long("declared", defer_loading=True),
        long("listed", always_listed=True, defer_loading=True),
        long("left"),
        options=CatalogOptions(rules=rules, defer_above_tokens=150),
    )
    shown = {
        found.python_name: (found.deferred, found.deferred_reason)
        for found in catalog.snapshot.tools.values()
    }
    assert shown["kept"] == (False, "set by here")
    assert shown["declared"] == (True, "declared with the tool")
    assert shown["listed"] == (False, "always listed: declared with the tool")
    assert shown["left"][0] is False


@pytest.mark.parametrize("listed", [True, False])
def test_configuration_decides_what_is_always_listed(listed: bool) -> None:
    rules = (ToolRule(always_listed=listed),)
    options = CatalogOptions(rules=rules, defer_above_tokens=0)
    found = catalog_of(long("a", always_listed=not listed), options=options).snapshot.tools["git.a"]
    assert found.definition.always_listed is listed
    assert found.deferred is not listed


@given(st.lists(st.sampled_from(["one", "two", "three"]), unique=True), st.integers(0, 400))
def test_what_is_deferred_does_not_depend_on_the_order(order: list[str], threshold: int) -> None:
    options = CatalogOptions(defer_above_tokens=threshold)
    definitions = [long("a", source) for source in order]
    forward = catalog_of(*definitions, options=options, order=order).snapshot
    backward = catalog_of(*definitions, options=options, order=order[::-1]).snapshot
    assert forward.tools == backward.tools


def test_a_status_keeps_what_the_source_says_and_gets_the_catalogs_names() -> None:
    catalog = Catalog(CatalogOptions())
    said = replace(status("a-b"), instructions="be kind", protocol_version="2026-07-28")
    catalog.source_changed(said, [tool("x", "a-b")])
    found = catalog.snapshot.sources["a-b"]
    assert found == replace(said, python_name="a_b", tool_count=1)
