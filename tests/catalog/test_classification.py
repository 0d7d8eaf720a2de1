"""How dangerous a tool is and who may call it: each row of the table, with its reason."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.catalog.cases import catalog_of, tool

from toolweft.catalog.classification import classify, decide_callers
from toolweft.catalog.options import CatalogOptions, Profile, ToolRule
from toolweft.core.calls import CallerType
from toolweft.core.tools import SEVERITIES, Hints, Severity

OPTIONS = CatalogOptions()
BOTH: frozenset[CallerType] = frozenset({"direct", "programmatic"})
DIRECT: frozenset[CallerType] = frozenset({"direct"})
RULE = ToolRule(severity="write", origin="toolweft.toml, servers.git.configs.x")


@pytest.mark.parametrize(
    ("read_only", "destructive", "severity"),
    [
        (True, None, "read_only"),
        (True, False, "read_only"),
        (True, True, "read_only"),
        (False, False, "write"),
        (False, True, "destructive"),
        (False, None, "destructive"),
        (None, False, "destructive"),
        (None, True, "destructive"),
        (None, None, "destructive"),
    ],
)
def test_hints_decide_where_nobody_else_does(
    read_only: bool | None, destructive: bool | None, severity: Severity
) -> None:
    hints = Hints(read_only=read_only, destructive=destructive)
    found, reason = classify(tool("x", hints=hints), (), OPTIONS)
    assert found == severity
    assert reason


def test_hints_that_are_not_trusted_count_for_nothing() -> None:
    definition = tool("x", hints=Hints(read_only=True))
    found, reason = classify(definition, (), CatalogOptions(trust_hints=False))
    assert found == "destructive"
    assert "trust_hints = false" in reason


@pytest.mark.parametrize("trust", [True, False])
def test_a_declared_severity_beats_hints(trust: bool) -> None:
    definition = tool("x", severity="read_only", hints=Hints(destructive=True))
    found, reason = classify(definition, (), CatalogOptions(trust_hints=trust))
    assert (found, reason) == ("read_only", "declared with the tool")


def test_configuration_beats_the_declared_severity_and_is_named() -> None:
    definition = tool("x", severity="destructive", hints=Hints(destructive=True))
    found, reason = classify(definition, (ToolRule(), RULE), OPTIONS)
    assert (found, reason) == ("write", f"set by {RULE.origin}")


@pytest.mark.parametrize(
    ("profile", "severity", "callers"),
    [
        ("open", "read_only", BOTH),
        ("open", "write", BOTH),
        ("open", "destructive", BOTH),
        ("standard", "read_only", BOTH),
        ("standard", "write", BOTH),
        ("standard", "destructive", DIRECT),
        ("strict", "read_only", BOTH),
        ("strict", "write", DIRECT),
        ("strict", "destructive", DIRECT),
    ],
)
def test_the_profile_decides_what_programs_may_call(
    profile: Profile, severity: Severity, callers: frozenset[CallerType]
) -> None:
    options = CatalogOptions(profile=profile)
    found, reason = decide_callers(tool("x"), severity, (), options)
    assert found == callers
    assert profile in reason


@pytest.mark.parametrize("profile", ["open", "standard", "strict"])
@pytest.mark.parametrize("severity", SEVERITIES)
def test_explicit_callers_beat_every_profile(profile: Profile, severity: Severity) -> None:
    options = CatalogOptions(profile=profile)
    only_programs: frozenset[CallerType] = frozenset({"programmatic"})
    definition = tool("x", allowed_callers=only_programs)
    assert decide_callers(definition, severity, (), options)[0] == only_programs
    rule = ToolRule(allowed_callers=DIRECT, origin="here")
    found, reason = decide_callers(definition, severity, (rule,), options)
    assert found == DIRECT
    assert "set by here" in reason


@pytest.mark.promise("calls.destructive")
@given(source=st.text(min_size=1, max_size=12), name=st.text(min_size=1, max_size=12))
def test_a_refusal_quotes_lines_that_are_toml_and_allow_the_call(source: str, name: str) -> None:
    if not (source.isprintable() and name.isprintable()):
        return
    _, reason = decide_callers(tool(name, source), "destructive", (), OPTIONS)
    lines = reason.split("toolweft.toml:\n", 1)[1]
    servers = tomllib.loads(lines)["servers"]
    ((glob, rule),) = servers[source]["configs"].items()
    assert rule == {"allowed_callers": ["direct", "programmatic"]}
    assert glob == name or "[" in glob


def test_the_lines_that_allow_a_call_are_quoted_exactly() -> None:
    _, reason = decide_callers(tool("git_commit"), "destructive", (), OPTIONS)
    assert reason.endswith(
        '\n[servers.git.configs.git_commit]\nallowed_callers = ["direct", "programmatic"]'
    )


def test_callers_that_leave_out_programs_on_purpose_say_how_to_let_them_in() -> None:
    found, reason = decide_callers(tool("x", allowed_callers=DIRECT), "read_only", (), OPTIONS)
    assert found == DIRECT
    assert reason.startswith('allowed_callers = ["direct"] declared with the tool; ')
    assert "[servers.git.configs.x]" in reason


def test_functions_of_the_library_are_opened_where_they_are_declared_or_for_all_sources() -> None:
    definition = tool("wipe", "local")
    _, reason = decide_callers(definition, "destructive", (), OPTIONS, section="python")
    assert '@toolweft.tool(allowed_callers={"direct", "programmatic"})' in reason
    lines = tomllib.loads(reason.split("toolweft.toml:\n", 1)[1])
    ((name, written),) = lines["catalog"]["configs"].items()
    rule = ToolRule(tool=name, allowed_callers=frozenset(written["allowed_callers"]))
    found = catalog_of(definition, options=CatalogOptions(rules=(rule,))).snapshot.resolve("wipe")
    assert found.callers == BOTH


def test_advice_names_the_file_of_the_options() -> None:
    options = CatalogOptions(advised_file='toolweft.toml (with include = ["mcp.json"])')
    _, reason = decide_callers(tool("x"), "destructive", (), options)
    assert 'write in toolweft.toml (with include = ["mcp.json"]):\n[servers.git' in reason


EXACT = ToolRule(server="git", tool="x", severity="destructive", origin="exact")
GLOB = ToolRule(server="git", tool="*", allowed_callers=DIRECT, origin="glob")
CLOSED = ToolRule(tool="x", allowed_callers=DIRECT, origin="closed")


@pytest.mark.parametrize(
    ("rules", "origin"),
    [
        ((EXACT,), "exact"),
        ((CLOSED,), "closed"),
        ((EXACT, GLOB), "exact"),
        # Here the glob is the later, stronger one: to change the other would not help.
        ((GLOB, EXACT), "glob"),
    ],
)
def test_no_table_is_offered_that_the_user_already_has(
    rules: tuple[ToolRule, ...], origin: str
) -> None:
    _, reason = decide_callers(tool("x"), "destructive", rules, OPTIONS)
    advice = f'change allowed_callers at {origin} to ["direct", "programmatic"]'
    assert reason.endswith(advice)


def test_a_rule_for_several_tools_leaves_room_for_one_of_its_own() -> None:
    _, reason = decide_callers(tool("x"), "destructive", (GLOB,), OPTIONS)
    assert "\n[servers.git.configs.x]\n" in reason
