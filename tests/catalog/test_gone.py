"""A tool that its source takes away is told from one that never was."""

from datetime import UTC, datetime

import pytest
from tests.catalog.cases import DEFAULTS, catalog_of, status, tool

from toolweft.catalog import Catalog
from toolweft.core.errors import ToolGone, ToolNotFound
from toolweft.testing import FakeClock


def moving() -> Catalog:
    """A catalog whose source had "log" and "commit", and took "log" away."""
    clock = FakeClock(now=datetime(2026, 3, 1, 12, 30, tzinfo=UTC))
    catalog = Catalog(DEFAULTS, clock=clock)
    catalog.source_changed(status("git"), [tool("log"), tool("commit")])
    catalog.source_changed(status("git"), [tool("commit")])
    return catalog


@pytest.mark.promise("sources.list-changes")
@pytest.mark.parametrize("name", ["git.log", "log", "git-log"])
def test_every_spelling_of_a_tool_that_was_taken_away_is_gone(name: str) -> None:
    with pytest.raises(ToolGone) as raised:
        moving().snapshot.resolve(name)
    assert raised.value.code == "tool_gone"
    assert raised.value.message == (
        "git.log is gone: its source 'git' took it away (2026-03-01 12:30:00 UTC)"
    )
    assert raised.value.hint is not None
    assert "search the catalog" in raised.value.hint


def test_a_tool_that_never_was_is_not_gone() -> None:
    with pytest.raises(ToolNotFound) as raised:
        moving().snapshot.resolve("git.lag")
    assert raised.value.code == "tool_not_found"


def test_a_tool_that_comes_back_is_there() -> None:
    catalog = moving()
    catalog.source_changed(status("git"), [tool("log", description="new"), tool("commit")])
    assert catalog.snapshot.resolve("log").qualified == "git.log"
    assert not catalog.snapshot.gone


def test_a_tool_whose_definition_changes_is_not_gone() -> None:
    catalog = catalog_of(tool("log"))
    catalog.source_changed(status("git"), [tool("log", description="new")])
    assert not catalog.snapshot.gone


def test_a_tool_whose_source_is_spelled_otherwise_is_not_gone() -> None:
    catalog = catalog_of(tool("log", "a-b"))
    catalog.source_changed(status("a_b"), [tool("log", "a_b")])
    assert len(catalog.snapshot.tools) == 2
    assert not catalog.snapshot.gone


def test_a_bare_name_that_another_source_has_leads_there() -> None:
    catalog = moving()
    catalog.source_changed(status("other"), [tool("log", "other")])
    assert catalog.snapshot.resolve("log").qualified == "other.log"
    with pytest.raises(ToolGone):
        catalog.snapshot.resolve("git.log")


def test_the_tools_of_a_source_that_is_removed_are_gone() -> None:
    catalog = moving()
    catalog.remove_source(status("git").name)
    with pytest.raises(ToolGone, match=r"git\.commit is gone"):
        catalog.snapshot.resolve("git.commit")


def test_those_that_went_longest_ago_are_forgotten() -> None:
    catalog = catalog_of(tool("first"), *(tool(f"t{number}") for number in range(1_000)))
    catalog.source_changed(status("git"), [tool(f"t{number}") for number in range(1_000)])
    assert "git.first" in catalog.snapshot.gone
    catalog.source_changed(status("git"), [])
    assert "git.first" not in catalog.snapshot.gone
    assert "git.t999" in catalog.snapshot.gone
