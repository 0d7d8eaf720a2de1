"""`toolweft show` says which rule decided each thing, and where it stands."""

from collections.abc import Callable

import pytest
from tests.cli.shell import Shell

RULES = """
[catalog]
default_timeout_s = 9
[catalog.default_config]
defer_loading = true
[python.desk.configs.add]
always_listed = true
timeout_s = "3 s"
severity = "read_only"
allowed_callers = ["direct"]
[python.desk.configs."a*"]
timeout_s = "4 s"
allowed_callers = ["code_execution_20260120"]
"""


def facts(shell: Shell, tool: str) -> dict[str, str]:
    """The lines of a tool's page, by their first word."""
    lines = shell("show", tool).out.splitlines()
    return {line.split(" ", 1)[0]: " ".join(line.split()[1:]) for line in lines if line[:1] != " "}


@pytest.mark.promise("catalog.reasons")
def test_each_decision_names_its_line(with_config: Callable[[str], Shell]) -> None:
    shown = facts(with_config(RULES), "desk.add")

    assert shown["severity"] == 'read_only: set by toolweft.toml:8, python.desk.configs."add"'
    assert shown["deferred"] == (
        'no: always listed: set by toolweft.toml:8, python.desk.configs."add"'
    )
    assert shown["time-out"] == '3 s: set by toolweft.toml:8, python.desk.configs."add"'
    assert shown["callers"].startswith(
        'direct: allowed_callers = ["direct"] set by toolweft.toml:8, python.desk.configs."add"; '
        "to allow it, change allowed_callers at toolweft.toml:8"
    )


def test_what_the_configuration_leaves_open_says_so_too(
    with_config: Callable[[str], Shell],
) -> None:
    shown = facts(with_config(RULES), "desk.erase_everything")

    assert shown["severity"].startswith("destructive: declared with the tool")
    assert shown["deferred"] == "yes: set by toolweft.toml:6, catalog.default_config"
    assert shown["time-out"] == "9 s: catalog.default_timeout_s"
    assert shown["callers"].startswith(
        "direct: destructive tools are closed to programs in the profile 'standard'; to allow it,"
    )


@pytest.mark.parametrize(("tokens", "deferred"), [(0, "yes"), (10_000, "no")])
def test_an_automatic_choice_says_what_it_was_made_by(
    with_config: Callable[[str], Shell], tokens: int, deferred: str
) -> None:
    shown = facts(with_config(f"[catalog]\ndefer_above_tokens = {tokens}\n"), "desk.add")

    assert shown["deferred"].startswith(f"{deferred}: automatic: all definitions ")
    assert shown["deferred"].endswith(f"defer_above_tokens = {tokens}")


def test_a_package_that_is_not_installed_fails_its_source_alone(
    with_config: Callable[[str], Shell],
) -> None:
    shell = with_config('[python.sea]\nentry_point = "sea"\n')

    ended = shell("tools")

    assert ended.code == 0
    assert "desk.add" in ended.out
    assert "python.sea: no installed package offers the tools 'sea'" in ended.err + ended.out
