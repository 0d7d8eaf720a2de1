"""What a configuration decides of deferral and callers, through the real command line."""

import json

import pytest
from tests.cli.shell import Shell

GIT = {
    "tools": [
        {"name": name, "inputSchema": {"type": "object"}, **more}
        for name, more in {
            "git_log": {"annotations": {"readOnlyHint": True}},
            "git_commit": {},
            "git_push": {"annotations": {"readOnlyHint": False, "destructiveHint": False}},
            "stash": {},
        }.items()
    ]
}
TEAM = """
import toolweft

@toolweft.tool(severity="read_only", defer_loading=True)
def far() -> str:
    '''Far.'''
    return "far"

@toolweft.tool(always_listed=True)
def near() -> str:
    '''Near.'''
    return "near"

@toolweft.tool(severity="destructive", allowed_callers=["code_execution_20250825"])
def wipe() -> str:
    '''Wipe.'''
    return "wiped"

@toolweft.tool(severity="destructive")
def drop() -> str:
    '''Drop.'''
    return "dropped"
"""
TOML = """
[servers.git]
recorded = "git.json"
default_config = { defer_loading = true, allowed_callers = ["direct"] }
[servers.git.configs."git_*"]
defer_loading = false
allowed_callers = ["code_execution_20260120", "direct"]
[servers.git.configs.git_commit]
allowed_callers = ["program"]
[servers.git.configs.git_push]
always_listed = true
allowed_callers = []
[python.team]
target = "team.py"
"""
TOOLSET = {
    "mcpServers": {
        "git": {
            "recorded": "git.json",
            "default_config": {"defer_loading": True, "allowed_callers": ["direct"]},
            "configs": {
                "git_*": {
                    "defer_loading": False,
                    "allowed_callers": ["code_execution_20250825", "direct"],
                },
                "git_commit": {"allowed_callers": ["programmatic"]},
                "git_push": {"always_listed": True, "allowed_callers": []},
            },
        }
    }
}
Decided = dict[str, tuple[tuple[str, ...], bool, bool]]


@pytest.fixture
def project(bare: Shell) -> Shell:
    bare.write("git.json", json.dumps(GIT))
    bare.write("team.py", TEAM)
    bare.write("toolweft.toml", TOML)
    return bare


def decided(shell: Shell, **environ: str) -> Decided:
    """By tool: callers, whether it is deferred, whether it is always listed."""
    ended = shell("tools", "--json", **environ)
    assert ended.code == 0, ended.err
    return {
        tool["python_name"]: (tuple(tool["callers"]), tool["deferred"], tool["always_listed"])
        for tool in ended.json["tools"]
    }


def fact(shell: Shell, tool: str, word: str, **environ: str) -> str:
    """One line of a tool's page."""
    lines = shell("show", tool, **environ).out.splitlines()
    return next(" ".join(line.split()[1:]) for line in lines if line.startswith(word + " "))


GIT_DECIDED: Decided = {
    "git.git_log": (("direct", "programmatic"), False, False),
    "git.git_commit": (("programmatic",), False, False),
    "git.git_push": ((), False, True),
    "git.stash": (("direct",), True, False),
}


@pytest.mark.promise("catalog.decisions")
def test_defaults_of_a_server_globs_and_single_tools_decide_in_this_order(project: Shell) -> None:
    found = decided(project)

    assert {name: found[name] for name in GIT_DECIDED} == GIT_DECIDED


@pytest.mark.promise("catalog.decisions")
def test_a_toolset_in_a_clients_file_decides_alike(project: Shell) -> None:
    (project.folder / "toolweft.toml").unlink()
    project.write("mcp.json", json.dumps(TOOLSET))

    assert decided(project) == GIT_DECIDED


@pytest.mark.parametrize(
    "spelling",
    ["programmatic", "program", "code_execution_20250825", "code_execution_20260120"],
)
def test_every_vendors_word_for_programs_is_understood(project: Shell, spelling: str) -> None:
    project.write("toolweft.toml", TOML.replace('["program"]', f'["{spelling}"]'))

    assert decided(project)["git.git_commit"][0] == ("programmatic",)
    assert fact(project, "git.git_commit", "callers").startswith(
        'programmatic: allowed_callers = ["programmatic"] set by toolweft.toml:'
    )


def test_a_word_that_names_no_caller_is_refused_with_its_place(project: Shell) -> None:
    project.write("toolweft.toml", TOML.replace('["program"]', '["claude"]'))

    ended = project("tools")

    assert ended.code == 2
    assert "toolweft.toml:9: servers.git.configs.git_commit.allowed_callers" in ended.err
    assert "'claude', which is no caller" in ended.err


@pytest.mark.parametrize("threshold", ["0", "1000000"])
def test_what_is_said_beats_what_follows_from_the_size(project: Shell, threshold: str) -> None:
    environ = {"TOOLWEFT_CATALOG__DEFER_ABOVE_TOKENS": threshold}

    found = decided(project, **environ)

    assert {name: found[name] for name in GIT_DECIDED} == GIT_DECIDED
    assert found["team.far"][1:] == (True, False)
    assert found["team.near"][1:] == (False, True)
    # Of this one nobody said anything.
    assert found["team.drop"][1:] == (threshold == "0", False)


def test_each_reason_names_what_decided(project: Shell) -> None:
    environ = {"TOOLWEFT_CATALOG__DEFER_ABOVE_TOKENS": "0"}

    assert fact(project, "git.stash", "deferred") == (
        "yes: set by toolweft.toml:4, servers.git.default_config"
    )
    assert fact(project, "git.git_log", "deferred", **environ) == (
        'no: set by toolweft.toml:5, servers.git.configs."git_*"'
    )
    assert fact(project, "git.git_push", "deferred", **environ) == (
        'no: always listed: set by toolweft.toml:10, servers.git.configs."git_push"'
    )
    assert fact(project, "team.near", "deferred", **environ) == (
        "no: always listed: declared with the tool"
    )
    assert fact(project, "team.far", "deferred") == "yes: declared with the tool"
    assert fact(project, "team.drop", "deferred", **environ).startswith("yes: automatic: ")
    assert fact(project, "git.git_push", "callers").startswith(
        'none: allowed_callers = [] set by toolweft.toml:10, servers.git.configs."git_push"; '
        "to allow it, change allowed_callers at toolweft.toml:10"
    )
    assert fact(project, "team.wipe", "callers") == (
        'programmatic: allowed_callers = ["programmatic"] declared with the tool'
    )


def test_refusals_say_what_the_page_says(project: Shell) -> None:
    project.write("p.py", "print(await team.wipe())\nawait team.drop()")

    ran = project("run", "p.py")
    called = project("call", "team.wipe")

    assert ran.code == 1
    assert ran.out.startswith("wiped\n")
    told = ran.out + ran.err
    assert "team.drop may not be called from a program" in told
    assert "destructive tools are closed to programs in the profile 'standard'" in told
    assert '[python.team.configs.drop]\nallowed_callers = ["direct", "programmatic"]' in told
    assert called.code == 1
    assert "team.wipe may not be called directly" in called.err
    assert project("call", "team.drop").out == "dropped\n"


def test_the_advice_that_is_given_opens_the_tool(project: Shell) -> None:
    advice = '[python.team.configs.drop]\nallowed_callers = ["direct", "programmatic"]\n'
    project.write("toolweft.toml", TOML + advice)
    project.write("p.py", "print(await team.drop())")

    assert project("run", "p.py").out.startswith("dropped\n")


@pytest.mark.promise("catalog.idle-decisions")
@pytest.mark.parametrize("command", ["tools", "doctor"])
def test_a_decision_about_no_tool_is_told(project: Shell, command: str) -> None:
    project.write(
        "toolweft.toml",
        TOML + '[servers.git.configs.gti_log]\ntimeout_s = 3\n[catalog.configs."zz*"]\n'
        'severity = "destructive"\n',
    )

    ended = project(command)

    told = ended.out + ended.err
    assert (
        'toolweft.toml:15, servers.git.configs."gti_log" decides about no tool: '
        "none is named 'gti_log'; did you mean 'git_log'?"
    ) in told
    assert "catalog.configs.\"zz*\" decides about no tool: none is named 'zz*'" in told
    assert told.count("decides about no tool") == 2
