"""Servers and Python sources from files."""

from pathlib import Path

import pytest
from tests.config.desk import Desk

from toolweft.config import BrokenServer
from toolweft.core.errors import ConfigError
from toolweft.core.secret import Secret
from toolweft.sources.options import (
    HttpServerOptions,
    RecordedServerOptions,
    StdioServerOptions,
)


def test_a_file_of_any_client_is_taken_as_it_is(desk: Desk) -> None:
    desk.write(
        "mcp.json",
        {
            "mcpServers": {
                "git": {
                    "command": "mcp-server-git",
                    "args": ["--repository", "${DESK}/repo"],
                    "env": {"TOKEN": "${TOKEN}", "MODE": "fast"},
                    "cwd": "work",
                    "autoApprove": ["git_log"],
                },
                "docs": {
                    "type": "http",
                    "url": "https://${HOST:-docs.example}/mcp",
                    "headers": {"Authorization": "Bearer ${env:TOKEN}", "X-Mode": "fast"},
                },
            }
        },
    )

    settings = desk.load(environ={"DESK": "/desk", "TOKEN": "hunter2"})

    git, docs = settings.servers
    token = Secret("hunter2", reference="env:TOKEN")
    assert git == StdioServerOptions(
        name="git",
        command="mcp-server-git",
        args=("--repository", "/desk/repo"),
        env={"TOKEN": token, "MODE": "fast"},
        cwd=desk.cwd / "work",
    )
    assert docs == HttpServerOptions(
        name="docs",
        url="https://docs.example/mcp",
        headers={"Authorization": Secret("Bearer hunter2", reference=""), "X-Mode": "fast"},
    )
    assert settings.problems == ("mcp.json:14: 'autoApprove' is not used",)


def test_the_form_of_vs_code_is_taken_too(desk: Desk) -> None:
    desk.write(
        ".vscode/mcp.json",
        {
            "inputs": [],
            "servers": {
                "a": {"type": "stdio", "command": "~/bin/a", "args": ["${workspaceFolder}/x"]},
                "b": {"serverUrl": "http://127.0.0.1:9/mcp", "transport": "streamable-http"},
            },
        },
    )

    settings = desk.load(".vscode/mcp.json")

    a, b = settings.servers
    assert a.command == f"{desk.home}/bin/a"
    assert a.args == (f"{desk.cwd}/x",)
    assert b.url == "http://127.0.0.1:9/mcp"
    assert settings.problems == (".vscode/mcp.json:2: 'inputs' is not used",)


def test_decisions_about_tools_stand_in_either_kind_of_file(desk: Desk) -> None:
    desk.write(
        "mcp.json",
        {
            "mcpServers": {
                "git": {
                    "command": "git",
                    "default_config": {"defer_loading": True},
                    "toolweft": {"configs": {"git_*": {"timeout_s": "5 s"}}},
                }
            }
        },
    )
    desk.write(
        "toolweft.toml",
        """
include = ["mcp.json"]
[catalog.configs."*"]
always_listed = true
[servers.git.configs.git_push]
severity = "destructive"
allowed_callers = ["direct"]
enabled = true
[python."team[1]"]
target = "tools.team"
default_config = { defer_loading = false }
""",
    )

    rules = desk.load().catalog.rules

    assert [(rule.server, rule.tool) for rule in rules] == [
        ("*", "*"),
        ("git", "*"),
        ("git", "git_*"),
        ("git", "git_push"),
        # The name of a source is no glob.
        ("team[[]1]", "*"),
    ]
    everything, default, by_glob, push, team = rules
    assert everything.always_listed is True
    assert default.defer_loading is True
    assert by_glob.timeout_s == pytest.approx(5.0)
    assert push.severity == "destructive"
    assert push.allowed_callers == frozenset({"direct"})
    assert push.enabled is True
    assert push.defer_loading is None
    assert team.defer_loading is False
    assert push.origin == 'toolweft.toml:5, servers.git.configs."git_push"'
    assert default.origin == "mcp.json:5, servers.git.default_config"


def test_a_later_file_adds_to_a_server_of_an_included_one(desk: Desk) -> None:
    desk.write("mcp.json", {"mcpServers": {"git": {"command": "git", "args": ["a"]}}})
    desk.write(
        "toolweft.toml",
        'include = ["mcp.json"]\n[servers.git]\nargs = ["b"]\nstart_timeout = "5 s"\n'
        'max_message = "1 MiB"\n',
    )

    (git,) = desk.load().servers

    assert git.command == "git"
    assert git.args == ("b",)
    assert git.start_timeout_s == pytest.approx(5.0)
    assert git.max_message_bytes == 1024**2


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        ({"command": "a", "args": ["x", "${NOPE}"]}, "servers.bad.args[1] needs the variable"),
        ({"command": "${NOPE}"}, "servers.bad.command needs the variable 'NOPE'"),
        ({"command": "a", "cwd": "${NOPE}"}, "servers.bad.cwd needs the variable 'NOPE'"),
        ({"command": "a", "env": {"T": "env:NOPE"}}, "servers.bad.env.T needs the variable 'NOPE'"),
        ({"url": "${NOPE}"}, "servers.bad.url needs the variable 'NOPE'"),
        (
            {"url": "http://a/", "headers": {"H": "x ${NOPE}"}},
            "servers.bad.headers.H needs the variable 'NOPE'",
        ),
        ({"command": "a", "env": {"T": "${input:key}"}}, "servers.bad.env.T needs"),
        ({"url": "ftp://a/"}, "servers.bad.url is not an http or https address"),
        ({"url": "https://"}, "servers.bad.url is not an http or https address"),
        ({"url": "https://a:x/"}, "servers.bad.url is not an http or https address"),
        ({"url": "http://a/sse", "type": "sse"}, "servers.bad.type is 'sse'"),
    ],
)
def test_a_server_that_cannot_be_used_is_told_and_the_rest_go_on(
    desk: Desk, server: dict, reason: str
) -> None:
    desk.write("mcp.json", {"mcpServers": {"bad": server, "good": {"command": "good"}}})

    settings = desk.load()

    assert [s.name for s in settings.servers] == ["good"]
    (broken,) = settings.broken_servers
    assert isinstance(broken, BrokenServer)
    assert broken.name == "bad"
    assert reason in broken.reason
    assert broken.hint


@pytest.mark.parametrize(
    ("server", "message"),
    [
        ({"command": "a", "url": "http://a/"}, r"mcp\.json:3: .* both 'command' and 'url'"),
        ({"args": []}, r"mcp\.json:3: server 'bad' has neither 'command' nor 'url'"),
        ({}, r"mcp\.json:3: server 'bad' has neither"),
        ({"command": "a", "type": "http"}, "has the type 'http', but a 'command'"),
        ({"url": "http://a/", "type": "stdio"}, "has the type 'stdio', but a 'url'"),
        ({"command": "a", "argz": []}, r"mcp\.json:5: unknown key 'argz' .*mean 'args'"),
        ({"command": "a", "args": "x"}, r"mcp\.json:5: servers\.bad\.args is 'x'"),
        ({"command": 3}, r"mcp\.json:4: servers\.bad\.command is 3: it should be a valid string"),
        ({"command": "a", "env": {"TOKEN": 7}}, r"servers\.bad\.env\.TOKEN is a int"),
        ({"command": "a", "type": "pigeon"}, r"servers\.bad\.type is 'pigeon'"),
        ({"command": "a", "toolweft": 3}, r"unknown key 'servers\.bad\.toolweft'"),
        ("mcp-server-git", r"mcp\.json:3: server 'bad' is 'mcp-server-git', not an object"),
    ],
)
def test_a_server_that_makes_no_sense_is_an_error(desk: Desk, server: object, message: str) -> None:
    desk.write("mcp.json", {"mcpServers": {"bad": server}})

    with pytest.raises(ConfigError, match=message) as failure:
        desk.load()
    assert failure.value.hint or "is" in failure.value.message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"mcp_servers": {}}, r"mcp\.json: no 'mcpServers' at the top, only 'mcp_servers'"),
        ({}, r"mcp\.json: no 'mcpServers' at the top, only nothing"),
        ({"mcpServers": []}, r"mcp\.json:2: 'mcpServers' is list, not an object"),
    ],
)
def test_a_file_without_servers_is_an_error(desk: Desk, data: dict, message: str) -> None:
    desk.write("mcp.json", data)

    with pytest.raises(ConfigError, match=message):
        desk.load()


def test_a_disabled_server_is_left_out_with_a_note(desk: Desk) -> None:
    desk.write(
        "mcp.json",
        {"mcpServers": {"a": {"command": "${NOPE}", "disabled": True}, "b": {"command": "b"}}},
    )

    settings = desk.load()

    assert [server.name for server in settings.servers] == ["b"]
    assert settings.broken_servers == ()
    assert "server 'a' is disabled" in settings.problems


def test_recordings_stand_in_for_all_servers_and_need_no_secrets(desk: Desk) -> None:
    desk.write(
        "mcp.json",
        {"mcpServers": {"a": {"command": "${NOPE}"}, "b": {"url": "http://b/", "type": "sse"}}},
    )
    for name in ("a", "b"):
        desk.write(f"tools/{name}.json", "{}")

    settings = desk.load(recorded=Path("tools"))

    assert settings.servers == (
        RecordedServerOptions(name="a", path=desk.cwd / "tools/a.json"),
        RecordedServerOptions(name="b", path=desk.cwd / "tools/b.json"),
    )


def test_a_missing_recording_is_named(desk: Desk) -> None:
    desk.write("mcp.json", {"mcpServers": {"a": {"command": "a"}}})

    with pytest.raises(ConfigError, match=r"server 'a' has no recording '.*tools/a\.json'"):
        desk.load(recorded=Path("tools"))


def test_python_sources_are_modules_or_files_beside_the_configuration(desk: Desk) -> None:
    desk.write(
        "conf/toolweft.toml",
        '[python.team]\ntarget = "tools/team.py"\n[python.shared]\ntarget = "acme.tools"\n',
    )

    team, shared = desk.load("conf/toolweft.toml").python_sources

    assert team.file == desk.cwd / "conf/tools/team.py"
    assert team.target == str(team.file)
    assert team.origin == "conf/toolweft.toml:2"
    assert (shared.target, shared.file) == ("acme.tools", None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[python.a]\ntarget = "not a module"', r"toolweft\.toml:2: .* neither a module nor a"),
        ("[python.a]", r"toolweft\.toml:1: 'python\.a\.target' is missing"),
        (
            '[python.a]\ntarget = "m"\n[servers.a]\ncommand = "a"',
            r"toolweft\.toml:2: 'a' is a server and a Python source",
        ),
    ],
)
def test_a_python_source_that_makes_no_sense_is_an_error(
    desk: Desk, text: str, message: str
) -> None:
    desk.write("toolweft.toml", text)

    with pytest.raises(ConfigError, match=message):
        desk.load()


def test_waiting_covers_the_slowest_start(desk: Desk) -> None:
    desk.write(
        "toolweft.toml",
        '[servers.a]\ncommand = "a"\nstart_timeout_s = 7\n[servers.b]\nurl = "http://b/"\n'
        "start_timeout_s = 90\n",
    )

    assert 90 < desk.load().start_wait_s < 120
