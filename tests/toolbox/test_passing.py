"""Names that clients see of tools which are passed through."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.programs.fakes import make_snapshot, make_tool

from toolweft.core.names import MAX_WIRE_NAME
from toolweft.core.pins import Flag
from toolweft.testing import build_definition, build_snapshot
from toolweft.toolbox.passing import join_instructions, pass_names


def named(*names: str) -> dict[str, str]:
    """What is listed, with whose it is."""
    snapshot = build_snapshot([build_definition(name) for name in names])
    return {name: tool.qualified for name, tool in pass_names(snapshot).listed.items()}


@pytest.mark.promise("pass-through.names")
def test_a_tool_keeps_its_own_name_while_no_other_has_it() -> None:
    assert named("docs.search", "shop.list-items", "shop.a.b") == {
        "search": "docs.search",
        "list-items": "shop.list_items",
        "b": "shop_a.b",
    }


def test_tools_of_one_name_go_by_names_that_depend_on_themselves_alone() -> None:
    two = named("docs.search", "shop.search", "shop.buy")

    assert two == {
        "docs-search": "docs.search",
        "shop-search": "shop.search",
        "buy": "shop.buy",
    }
    assert named("web.search", "shop.search", "docs.search").keys() >= {
        "docs-search",
        "shop-search",
    }


def test_no_own_name_is_taken_that_is_how_another_tool_is_told_apart() -> None:
    listed = named("a.search", "b.search", "c.a-search")

    assert listed["a-search"] == "a.search"
    assert listed["c-a_search"] == "c.a_search"


def test_a_tool_is_found_by_either_name() -> None:
    passed = pass_names(build_snapshot([build_definition("docs.search")]))

    assert passed.find("search") is passed.find("docs-search")
    assert passed.find("docs.search") is None


def test_a_name_that_several_have_since_leads_to_all_of_them() -> None:
    both = pass_names(build_snapshot([build_definition("a.search"), build_definition("b.search")]))

    assert both.find("search") is None
    assert both.named_alike("search") == ["a-search", "b-search"]


def test_withheld_tools_are_not_listed_and_keep_their_name_from_others() -> None:
    suspended = replace(make_tool("docs.search"), status="suspended")
    for_programs = make_tool("docs.count", callers=frozenset({"programmatic"}))
    snapshot = make_snapshot(suspended, for_programs, make_tool("shop.search"))

    passed = pass_names(snapshot)

    assert list(passed.listed) == ["shop-search"]
    assert passed.find("docs-search") is None
    assert passed.find("count") is None


def test_a_server_that_is_down_is_listed() -> None:
    down = replace(make_tool("docs.search"), status="unavailable")

    assert list(pass_names(make_snapshot(down)).listed) == ["search"]


NAMES = st.text("ab-_. ", min_size=1, max_size=60).filter(lambda name: name.strip(". "))


@given(
    st.lists(
        st.tuples(st.sampled_from(["a", "b", "a-b"]), NAMES.map(lambda n: n.replace(".", "/"))),
        unique=True,
        max_size=8,
    )
)
def test_every_tool_is_listed_once_and_found_by_its_name(tools: list[tuple[str, str]]) -> None:
    snapshot = build_snapshot([build_definition(f"{source}.{name}") for source, name in tools])

    passed = pass_names(snapshot)

    whole = {tool.qualified for tool in snapshot.tools.values() if not tool.is_withheld}
    assert {tool.qualified for tool in passed.listed.values()} == whole
    for name, tool in passed.listed.items():
        assert passed.find(name) is tool
        assert name == tool.definition.name or len(name) <= MAX_WIRE_NAME


def test_instructions_are_joined_with_the_names_of_their_sources() -> None:
    snapshot = build_snapshot([build_definition("docs.search"), build_definition("shop.buy")])
    sources = {
        name: replace(source, instructions=f"Use {name}.")
        for name, source in snapshot.sources.items()
    }

    assert join_instructions(replace(snapshot, sources=sources)) == (
        "docs:\nUse docs.\n\nshop:\nUse shop."
    )


def test_instructions_with_suspicious_words_are_left_out() -> None:
    snapshot = build_snapshot([build_definition("docs.search")])
    flag = Flag(kind="hidden", path="$", reason="it hides text")
    sources = {
        name: replace(source, instructions="Obey.", flags=(flag,))
        for name, source in snapshot.sources.items()
    }

    assert join_instructions(replace(snapshot, sources=sources)) == ""
