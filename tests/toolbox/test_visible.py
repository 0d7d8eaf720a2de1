"""Which tools a search may find, and that the sets are shared."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.programs.fakes import make_snapshot, make_tool
from tests.toolbox.searching import open_searching

from toolweft.core.errors import InvalidArguments
from toolweft.core.ids import QualifiedName
from toolweft.core.snapshot import CatalogTool
from toolweft.toolbox.visible import VisibleTools, callable_tools, narrow_visible

Names: TypeAlias = frozenset[QualifiedName] | None
# Or message and hint of a refusal.
Answer: TypeAlias = Names | tuple[str, str]


def of_category(tool: CatalogTool, category: str) -> CatalogTool:
    return replace(tool, definition=replace(tool.definition, category=category))


ISSUES = of_category(make_tool("github.list_issues"), "Code")
PULLS = make_tool("github.list_pulls")
LINT = of_category(make_tool("shop.lint"), "code")
SECRET = of_category(make_tool("shop.secret", callers=frozenset()), "code")
SHOP = make_snapshot(ISSUES, PULLS, LINT, SECRET)


def test_the_same_tools_are_the_same_set_however_they_are_asked_for() -> None:
    visible = VisibleTools()
    of_github = visible.of(SHOP, namespace="github")
    of_code = visible.of(SHOP, category="Code")

    assert of_github == {"github.list_issues", "github.list_pulls"}
    assert of_code == {"github.list_issues", "shop.lint"}
    assert visible.of(SHOP, namespace="github") is of_github
    assert visible.of(SHOP, category=" CODE ") is of_code
    assert visible.of(SHOP) is visible.of(SHOP)


def test_a_filter_that_leaves_nothing_out_is_the_set_of_all() -> None:
    alone = make_snapshot(ISSUES, PULLS)

    assert VisibleTools().of(alone, namespace="github") is None


def test_a_newer_snapshot_has_sets_of_its_own() -> None:
    visible = VisibleTools()
    visible.of(SHOP, namespace="github")
    newer = replace(make_snapshot(PULLS, LINT), version=SHOP.version + 1)

    assert visible.of(newer, namespace="github") == {"github.list_pulls"}


@given(
    namespace=st.sampled_from([None, "github", "shop", "nobody"]),
    category=st.sampled_from([None, "code", "CODE", "none"]),
)
def test_a_shared_set_holds_what_narrowing_anew_gives(
    namespace: str | None, category: str | None
) -> None:
    visible = VisibleTools()
    every = callable_tools(SHOP)

    def narrow() -> Answer:
        return answer_of(
            lambda: narrow_visible(every, snapshot=SHOP, namespace=namespace, category=category)
        )

    def look_up() -> Answer:
        return answer_of(lambda: visible.of(SHOP, namespace=namespace, category=category))

    assert look_up() == narrow()
    assert look_up() == narrow()


def answer_of(ask: Callable[[], Names]) -> Answer:
    """What comes back, or what is said instead."""
    try:
        return ask()
    except InvalidArguments as exc:
        return exc.message, exc.hint


async def test_a_tool_is_explained_only_among_those_it_belongs_to() -> None:
    async with open_searching(ISSUES, PULLS, LINT, SECRET) as (box, _):
        placement = await box.explain_rank("list", "list_issues", namespace="github")
        hidden = await box.explain_rank("list", "secret", namespace="github")
        with pytest.raises(InvalidArguments, match="not of the source 'shop'"):
            await box.explain_rank("list", "list_issues", namespace="shop")
        with pytest.raises(InvalidArguments, match="not of the category 'Code'"):
            await box.explain_rank("list", "list_pulls", category="Code")
        with pytest.raises(InvalidArguments, match="no source named"):
            await box.explain_rank("list", "list_pulls", namespace="nobody")

    assert (placement.tool, placement.count) == ("github.list_issues", 2)
    assert hidden.reasons == ("not visible to you",)
