"""A name leads to one tool, or to an error that says what to write instead."""

from dataclasses import replace

import pytest

from toolweft.core.errors import AmbiguousTool, ToolNotFound
from toolweft.testing import build_definition, build_snapshot

SNAPSHOT = build_snapshot(
    [
        build_definition("github.list_issues"),
        build_definition("github.search"),
        build_definition("jira.search"),
        build_definition("jira.list_issue"),
    ]
)


def test_a_full_or_a_unique_bare_name_is_found() -> None:
    assert SNAPSHOT.resolve("github.search").qualified == "github.search"
    assert SNAPSHOT.resolve("list_issues").qualified == "github.list_issues"


def test_a_name_of_several_tools_is_not_found_but_ambiguous() -> None:
    assert SNAPSHOT.find("search") is None
    with pytest.raises(AmbiguousTool) as raised:
        SNAPSHOT.resolve("search")
    assert "github.search, jira.search" in raised.value.message
    assert raised.value.hint == "use the full name"


def test_an_unknown_name_is_answered_with_near_ones() -> None:
    with pytest.raises(ToolNotFound) as raised:
        SNAPSHOT.resolve("jira.list_isues")
    assert "'jira.list_isues'" in raised.value.message
    assert raised.value.hint is not None
    assert raised.value.hint.startswith("did you mean jira.list_issue, github.list_issues?")


def test_a_name_like_no_other_gets_no_offers() -> None:
    with pytest.raises(ToolNotFound) as raised:
        SNAPSHOT.resolve("zzzzzzzzzzzz")
    assert "did you mean" not in str(raised.value)


def test_a_tool_that_nobody_may_call_is_not_offered() -> None:
    shown = SNAPSHOT.tools["jira.list_issue"]
    tools = {**SNAPSHOT.tools, shown.qualified: replace(shown, callers=frozenset())}
    hiding = replace(SNAPSHOT, tools=tools)

    assert "jira.list_issue" in SNAPSHOT.near_names("jira.list_isue")
    assert "jira.list_issue" not in hiding.near_names("jira.list_isue")


def test_near_names_of_an_endless_name_are_found_without_delay() -> None:
    assert SNAPSHOT.near_names("x" * 1_000_000) == []
