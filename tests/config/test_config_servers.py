"""Servers and Python sources from files."""

from dataclasses import fields
from pathlib import Path

import pytest
from tests.config.desk import Desk

from toolweft.config import BrokenServer
from toolweft.config.models import ServerModel
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
        secrets=(Secret("/desk", reference=""),),
        env={"TOKEN": token, "MODE": Secret("fast", reference="")},
        cwd=desk.cwd / "work",
    )
    assert docs == HttpServerOptions(
        name="docs",
        url="https://docs.example/mcp",
        headers={
            "Authorization": Secret("Bearer hunter2", reference=""),
            "X-Mode": Secret("fast", reference=""),
        },
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


@pytest.mark.parametrize(
    "later",
    [{"command": "evil"}, {"url": "https://evil.example/mcp"}, {"recorded": "git.json"}],
)
def test_a_server_that_is_defined_anew_gets_nothing_of_the_earlier_one(
    desk: Desk, later: dict[str, str]
) -> None:
    earlier = {
        "command": "git",
        "args": ["--key", "hunter2"],
        "env": {"TOKEN": "hunter2"},
        "cwd": "secret",
        "disabled": True,
        "start_timeout_s": 5,
        "default_config": {"defer_loading": True},
        "configs": {"git_push": {"enabled": False}},
    }
    desk.write("mcp.json", {"mcpServers": {"git": earlier}})
    desk.write("team.json", {"mcpServers": {"git": later}})
    desk.write("toolweft.toml", 'include = ["mcp.json", "team.json"]')

    settings = desk.load()

    (git,) = settings.servers
    desk.write("alone.json", {"mcpServers": {"git": later}})
    assert (git,) == desk.load("alone.json").servers
    assert "hunter2" not in repr(settings.values)
    assert [rule.tool for rule in settings.catalog.rules] == ["*", "git_push"]
    assert settings.problems == (
        "team.json:3: server 'git' replaces the one of mcp.json:3; "
        "of that one only decisions about tools are kept",
    )


def test_a_flag_may_move_a_server_without_defining_it_anew(desk: Desk) -> None:
    headers = {"Authorization": "env:TOKEN"}
    desk.write("mcp.json", {"mcpServers": {"a": {"url": "http://a/mcp", "headers": headers}}})

    settings = desk.load(
        environ={"TOKEN": "x"}, overrides={"servers.a.url": "http://127.0.0.1:1/mcp"}
    )

    (server,) = settings.servers
    assert server.url == "http://127.0.0.1:1/mcp"
    assert set(server.headers) == {"Authorization"}


@pytest.mark.parametrize("transport", ["command", "url"])
def test_every_key_of_a_server_reaches_its_options(desk: Desk, transport: str) -> None:
    values = {
        "command": ("command", "a"),
        "args": ("args", ["x"]),
        "env": ("env", {"A": "b"}),
        "cwd": ("cwd", "work"),
        "url": ("url", "http://a/mcp"),
        "headers": ("headers", {"A": "b"}),
        "start_timeout_s": ("start_timeout_s", 5),
        "max_message_bytes": ("max_message_bytes", 1024),
        "eager": ("eager", True),
        "idle_stop_s": ("idle_stop_s", 60),
        "resources": ("resources", False),
        "prompts": ("prompts", False),
        "mode": ("mode", "serial"),
        "isolation": ("isolation", "principal"),
        "max_principals": ("max_principals", 3),
    }
    decided_elsewhere = {"auth", "recorded", "type", "disabled", "default_config", "configs"}
    assert set(ServerModel.model_fields) == set(values) | decided_elsewhere
    options = {"command": StdioServerOptions, "url": HttpServerOptions}[transport]
    # How questions are shown is decided for all servers together, and tokens come from `auth`.
    given_elsewhere = {"name", "secrets", "label_asks", "oauth"}
    wanted = {field.name for field in fields(options)} - given_elsewhere
    desk.write("mcp.json", {"mcpServers": {"a": {key: values[key][1] for key in wanted}}})

    (server,) = desk.load().servers

    plain = options(name="a", **{transport: values[transport][1]})
    changed = {key for key in wanted if getattr(server, key) != getattr(plain, key)}
    assert changed == wanted - {transport}


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


def test_decisions_about_a_server_of_no_file_say_to_include_that_file(desk: Desk) -> None:
    desk.write("mcp.json", {"mcpServers": {"git": {"command": "git"}}})
    text = '[servers.git.configs.push]\nallowed_callers = ["direct"]'
    desk.write("toolweft.toml", text)

    with pytest.raises(
        ConfigError, match=r"toolweft\.toml:2: nothing says how .* 'git'"
    ) as failure:
        desk.load()
    assert failure.value.hint is not None
    assert 'include = ["mcp.json"]' in failure.value.hint

    desk.write("toolweft.toml", f'include = ["mcp.json"]\n{text}')
    assert [server.name for server in desk.load().servers] == ["git"]


@pytest.mark.parametrize(
    ("file", "advised"),
    [
        ("toolweft.toml", "toolweft.toml"),
        ("other.toml", "other.toml"),
        (".mcp.json", 'toolweft.toml (with include = [".mcp.json"])'),
    ],
)
def test_advice_names_the_file_that_was_read_or_one_to_write_beside_it(
    desk: Desk, file: str, advised: str
) -> None:
    desk.write(file, "" if file.endswith("toml") else {"mcpServers": {}})

    assert desk.load(file).catalog.advised_file == advised


def test_a_flag_may_decide_about_a_tool_of_any_source(desk: Desk) -> None:
    key = "catalog.configs.wipe.allowed_callers"
    (rule,) = desk.load(overrides={key: '["direct", "programmatic"]'}).catalog.rules

    assert (rule.server, rule.tool) == ("*", "wipe")
    assert rule.allowed_callers == {"direct", "programmatic"}


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
        ({"command": 3}, r"mcp\.json:4: servers\.bad\.command is 3: it should be a text"),
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
        """
[python.team]
target = "tools/team.py"
[python.shared]
target = "acme.tools"
[python.desk]
target = "tools/team.py:desk.inner"
[python.weather]
entry_point = "acme-weather:weather"
""",
    )

    team, shared, inner, weather = desk.load("conf/toolweft.toml").python_sources

    assert team.file == desk.cwd / "conf/tools/team.py"
    assert team.target == str(team.file)
    assert team.origin == "conf/toolweft.toml:3"
    assert (shared.target, shared.file) == ("acme.tools", None)
    assert (inner.target, inner.file) == (f"{team.file}:desk.inner", team.file)
    assert (weather.target, weather.entry_point) == ("", "acme-weather:weather")
    assert weather.origin == "conf/toolweft.toml:9"


def test_callers_may_be_written_as_vendors_write_them(desk: Desk) -> None:
    desk.write(
        "toolweft.toml",
        """
[catalog.configs]
a = { allowed_callers = ["direct", "code_execution_20250825"] }
b = { allowed_callers = ["code_execution_20260120", "programmatic"] }
c = { allowed_callers = ["program"] }
d = { allowed_callers = [] }
""",
    )

    rules = desk.load().catalog.rules

    assert [sorted(rule.allowed_callers or ()) for rule in rules] == [
        ["direct", "programmatic"],
        ["programmatic"],
        ["programmatic"],
        [],
    ]


@pytest.mark.parametrize("callers", ['["everyone"]', '["direct", 3]', '["code_execution_2"]'])
def test_a_caller_there_is_not_is_an_error(desk: Desk, callers: str) -> None:
    desk.write("toolweft.toml", f"[catalog.configs.a]\nallowed_callers = {callers}\n")

    with pytest.raises(ConfigError, match=r"toolweft\.toml:2: .* no caller; write \"direct\""):
        desk.load()


def test_one_tools_own_decisions_come_after_those_for_many(desk: Desk) -> None:
    desk.write(
        "toolweft.toml",
        """
[servers.git]
command = "git"
[servers.git.configs.git_push]
severity = "destructive"
[servers.git.configs."git_*"]
severity = "read_only"
""",
    )

    assert [rule.tool for rule in desk.load().catalog.rules] == ["git_*", "git_push"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[python.a]\ntarget = "not a module"', r"toolweft\.toml:2: .* neither a module nor a"),
        ("[python.a]", r"toolweft\.toml:1: .* 'a' has neither of 'target' and 'entry_point'"),
        (
            '[python.a]\ntarget = "m"\nentry_point = "n"',
            r"toolweft\.toml:2: .* 'a' has both of 'target' and 'entry_point'",
        ),
        ('[python.a]\ntarget = "m:1"', r"is 'm:1', neither a module nor a file"),
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


@pytest.mark.parametrize("key", ["disabledTools", "excludeTools"])
def test_tools_that_a_client_turned_off_are_turned_off_here_too(desk: Desk, key: str) -> None:
    server = {
        "command": "git",
        key: ["push", "a*"],
        "toolweft": {"configs": {"push": {"timeout_s": 5}, "*": {"enabled": True}}},
    }
    desk.write("mcp.json", {"mcpServers": {"git": server}})

    settings = desk.load()

    assert [(rule.tool, rule.enabled) for rule in settings.catalog.rules] == [
        ("*", True),
        ("push", False),
        ("a[*]", False),
    ]
    assert settings.catalog.rules[1].timeout_s == pytest.approx(5.0)
    assert settings.problems == ()


def test_turned_off_tools_that_are_no_list_are_an_error(desk: Desk) -> None:
    desk.write("mcp.json", {"mcpServers": {"a": {"command": "a", "disabledTools": "push"}}})

    with pytest.raises(ConfigError, match=r"mcp\.json:5: 'disabledTools' is 'push', not a list"):
        desk.load()


def test_a_file_of_variables_that_is_not_read_is_a_problem(desk: Desk) -> None:
    desk.write("mcp.json", {"mcpServers": {"a": {"command": "a", "envFile": ".env"}}})

    (problem,) = desk.load().problems

    assert problem.startswith("mcp.json:5: 'envFile' is not used: variables from that file are not")


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("mcp.json", '{"mcpServers": {\n"a": {"command": "x"},\n"saved": {"command": "x"}}}', 3),
        ("toolweft.toml", "\n[servers.saved]\ncommand = 'x'\n", 2),
        ("toolweft.toml", "[python.saved]\ntarget = 'desk'\n", 1),
        ("toolweft.toml", "[openapi.saved]\nurl = 'http://127.0.0.1/a.json'\n", 1),
    ],
)
def test_the_name_of_saved_programs_is_refused_with_its_place(
    desk: Desk, name: str, text: str, place: int
) -> None:
    (desk.cwd / name).write_text(text)

    with pytest.raises(ConfigError, match=rf"{name}:{place}: a source is named 'saved'") as told:
        desk.load(name)
    assert told.value.hint.startswith("rename it")


def test_a_disabled_server_may_have_the_name_of_saved_programs(desk: Desk) -> None:
    desk.write("mcp.json", {"mcpServers": {"saved": {"command": "x", "disabled": True}}})

    assert desk.load("mcp.json").servers == ()
