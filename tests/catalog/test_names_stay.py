"""What a tool is called depends on its own source: others come, go and move without a trace."""

import random
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.catalog.cases import DEFAULTS, status, tool

from toolweft.catalog import Catalog
from toolweft.core.names import lasting_namespace, python_namespace

# Names as people and servers write them, and pairs that are one spelling apart.
SERVERS = st.sampled_from(
    [
        "git",
        "docs",
        "my-docs",
        "my_docs",
        "my.docs",
        "list",
        "3d",
        "from",
        "ünï",
        "aws docs",
        "日本",
    ]
)
TOOLS = st.sampled_from(
    ["list", "get-item", "get_item", "get.item", "from", "3d", "__call__", "search", "x" * 60, "é"]
)
DESKS = st.dictionaries(
    SERVERS, st.lists(TOOLS, min_size=1, max_size=6, unique=True), min_size=2, max_size=7
)


def spell(desk: Mapping[str, list[str]]) -> dict[tuple[str, str], tuple[str, str, str]]:
    """Original source and name -> full name, wire name, Python name."""
    catalog = Catalog(DEFAULTS)
    for source, names in desk.items():
        catalog.source_changed(status(source), [tool(name, source) for name in names])
    return {
        (found.definition.namespace, found.definition.name): (
            found.qualified,
            found.wire_name,
            found.python_name,
        )
        for found in catalog.snapshot.tools.values()
    }


@pytest.mark.promise("catalog.names-stay")
@settings(max_examples=60, deadline=None)
@given(DESKS, st.data())
def test_no_other_name_changes_when_a_server_comes_goes_or_moves(
    desk: dict[str, list[str]], data: st.DataObject
) -> None:
    whole = spell(desk)
    assert len(whole) == sum(map(len, desk.values()))
    assert len({full for full, _, _ in whole.values()}) == len(whole)
    assert len({wire for _, wire, _ in whole.values()}) == len(whole)

    moved = data.draw(st.permutations(list(desk)))
    assert spell({name: desk[name] for name in moved}) == whole

    gone = data.draw(st.sampled_from(sorted(desk)))
    fewer = spell({name: names for name, names in desk.items() if name != gone})
    # Sources that differ in punctuation only are the one exception there can be; the next test.
    alike = {name for name in desk if python_namespace(name) == python_namespace(gone)}
    kept = {key: names for key, names in whole.items() if key[0] not in alike}
    assert {key: names for key, names in fewer.items() if key[0] not in alike} == kept


@settings(max_examples=40, deadline=None)
@given(DESKS)
def test_every_tool_is_always_reached_by_the_spelling_of_its_own_name_alone(
    desk: dict[str, list[str]],
) -> None:
    catalog = Catalog(DEFAULTS)
    for source, names in desk.items():
        catalog.source_changed(status(source), [tool(name, source) for name in names])
        for known in catalog.snapshot.tools.values():
            owner = known.definition.namespace
            found = catalog.snapshot.resolve(f"{lasting_namespace(owner)}.{known.python_name}")
            assert found.definition.name == known.definition.name
            assert found.definition.namespace == owner


@settings(max_examples=30, deadline=None)
@given(st.lists(TOOLS, min_size=2, max_size=10, unique=True), st.integers())
def test_a_server_that_lists_its_tools_in_another_order_renames_none(
    names: list[str], seed: int
) -> None:
    shuffled = random.Random(seed).sample(names, len(names))
    assert spell({"git": names}) == spell({"git": shuffled})
