"""Which tools probably only read, by their names."""

import pytest

from toolweft.catalog.suggestion import sounds_read_only


@pytest.mark.parametrize(
    "name", ["list_issues", "getUser", "kubectl-get", "slack_list_channels", "search", "readFile"]
)
def test_verbs_that_read_are_suggested(name: str) -> None:
    assert sounds_read_only(name)


@pytest.mark.parametrize(
    "name",
    [
        "delete_issue",
        "get_and_delete",
        "execute_query",
        "issues",
        "listen",
        "forget",
        "setView",
        "",
    ],
)
def test_verbs_that_change_and_unknown_ones_are_not(name: str) -> None:
    assert not sounds_read_only(name)
