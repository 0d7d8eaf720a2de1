"""Decisions that are about no tool there is."""

import pytest
from tests.catalog.cases import catalog_of, status, tool

from toolweft.catalog import CatalogOptions, ToolRule, find_idle_rules

OTHER = (tool("git_log"), tool("send", source="mail"))


def idle(*rules: ToolRule) -> list[str]:
    options = CatalogOptions(rules=rules)
    found = find_idle_rules(rules, catalog_of(*OTHER, options=options).snapshot)
    return [str(rule) for rule in found]


@pytest.mark.promise("catalog.idle-decisions")
def test_a_glob_that_fits_no_tool_is_told_with_the_nearest_name() -> None:
    rule = ToolRule(server="git", tool="gti_log", severity="destructive", origin="toolweft.toml:4")

    assert idle(rule) == [
        "toolweft.toml:4 decides about no tool: none is named 'gti_log'; did you mean 'git_log'?"
    ]


@pytest.mark.parametrize(
    "rule",
    [
        ToolRule(server="git", tool="git_*"),
        ToolRule(server="git", tool="*"),
        ToolRule(tool="se?d"),
        # A tool that it takes out is one that it is about.
        ToolRule(server="mail", tool="send", enabled=False),
        # Nothing is known of the tools of a source that is not there.
        ToolRule(server="disabled", tool="x"),
    ],
)
def test_a_rule_that_fits_some_tool_or_may_fit_one_is_not_told(rule: ToolRule) -> None:
    assert idle(rule) == []


def test_a_source_that_failed_may_have_the_tool() -> None:
    catalog = catalog_of(*OTHER)
    catalog.source_changed(status("late", "failed", "it is away"), None)

    assert find_idle_rules([ToolRule(tool="nowhere")], catalog.snapshot) == ()
    assert find_idle_rules([ToolRule(server="git", tool="nowhere")], catalog.snapshot) != ()


def test_names_are_told_apart_by_case() -> None:
    assert len(idle(ToolRule(server="git", tool="GIT_*"))) == 1
