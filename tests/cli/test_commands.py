"""Each command through the real entry point."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests import machine
from tests.cli.shell import TOOLWEFT, Shell

EXPECTED = ["desk.add", "desk.break_down", "desk.echo", "desk.erase_everything", "desk.list_rows"]


def test_help_names_every_command_and_every_exit_code(bare: Shell) -> None:
    ended = bare("--help")

    assert ended.code == 0
    for word in ("init", "serve", "demo", "config", "130 interrupted", "--recorded"):
        assert word in ended.out


def test_the_module_is_the_command(bare: Shell) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "toolweft", "--version"],
        env=bare.environ(),
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.startswith("toolweft ")


@pytest.mark.parametrize(
    "arguments", [("serch",), ("tools", "--nonsense"), ("call",), ("search", "x", "--limit", "0")]
)
def test_a_command_line_that_cannot_be_used_ends_with_2(
    bare: Shell, arguments: tuple[str, ...]
) -> None:
    ended = bare(*arguments)

    assert ended.code == 2
    assert ended.out == ""


def test_a_mistyped_command_offers_the_nearest(bare: Shell) -> None:
    assert "'search'" in bare("serch").err


def test_completion_offers_commands_without_importing_them(bare: Shell) -> None:
    ended = bare(_TOOLWEFT_COMPLETE="complete_bash", COMP_WORDS="toolweft se", COMP_CWORD="1")

    assert ended.out.split() == ["serve", "search"]


def test_tools_lists_every_tool_with_what_was_decided(shell: Shell) -> None:
    ended = shell("tools", "--json")

    tools = {tool["python_name"]: tool for tool in ended.json["tools"]}
    assert ended.code == 0
    assert sorted(tools) == EXPECTED
    erase = tools["desk.erase_everything"]
    assert erase["namespace"] == "desk"
    assert erase["name"] == "erase_everything"
    assert erase["severity"] == "destructive"
    assert erase["callers"] == ["direct"]
    assert erase["callers_reason"]
    assert erase["status"] == "available"
    assert tools["desk.add"]["callers"] == ["direct", "programmatic"]
    [source] = ended.json["sources"]
    assert source["name"] == "desk"
    assert source["state"] == "ready"


def test_tools_is_a_table_on_stdout_and_a_count_on_stderr(shell: Shell) -> None:
    ended = shell("tools")

    assert ended.out.splitlines()[0].split()[:2] == ["tool", "severity"]
    assert "Add two whole numbers." in ended.out
    assert "5 tools" in ended.err


@pytest.mark.parametrize(("source", "code"), [("desk", 0), ("nothing", 2)])
def test_one_source_can_be_asked_for(shell: Shell, source: str, code: int) -> None:
    assert shell("tools", "--source", source).code == code


def test_search_prints_typed_signatures(shell: Shell) -> None:
    ended = shell("search", "add", "numbers", "--limit", "2")

    assert ended.code == 0
    assert "desk" in ended.out
    assert "add(" in ended.out


def test_search_as_json_has_the_tools_found(shell: Shell) -> None:
    ended = shell("search", "add numbers", "--json")

    assert "desk.add" in json.dumps(ended.json)


def test_search_refuses_a_detail_it_does_not_have(shell: Shell) -> None:
    ended = shell("search", "add", "--detail", "huge")

    assert ended.code == 2
    assert "brief" in ended.err


def test_show_says_what_was_decided_and_why(shell: Shell) -> None:
    ended = shell("show", "erase_everything")

    assert ended.code == 0
    for part in ("severity  destructive", "callers   direct", "time-out", "input schema"):
        assert part in ended.out


def test_show_as_json_has_stub_and_schema(shell: Shell) -> None:
    shown = shell("show", "desk.add", "--json").json

    assert "def add" in shown["stub"]
    assert set(shown["input_schema"]["properties"]) == {"a", "b"}


def test_an_unknown_tool_offers_near_names(shell: Shell) -> None:
    ended = shell("show", "desk.ad")

    assert ended.code == 1
    assert "desk.add" in ended.err


@pytest.mark.parametrize(
    "arguments",
    [("a=2", "b=40"), ("--args", '{"a": 2, "b": 40}'), ("b:=40", "--args", '{"a": 2}')],
)
def test_call_takes_arguments_in_every_form(shell: Shell, arguments: tuple[str, ...]) -> None:
    ended = shell("call", "desk.add", *arguments)

    assert (ended.code, ended.out) == (0, "42\n")


def test_text_that_looks_like_json_stays_text_where_text_is_wanted(shell: Shell) -> None:
    assert shell("call", "echo", "text=[1]").out == "[1]\n"


def test_call_as_json_has_value_and_usage(shell: Shell) -> None:
    result = shell("call", "list_rows", "count=2", "--json").json

    assert result["is_error"] is False
    assert result["value"] == [{"row": 0, "square": 0}, {"row": 1, "square": 1}]
    assert result["usage"]["bytes_out"] > 0


def test_a_failing_tool_ends_with_1_and_its_own_words(shell: Shell) -> None:
    ended = shell("call", "break_down", "reason=rust")

    assert ended.code == 1
    assert ended.out == ""
    assert "cannot go on: rust" in ended.err


def test_wrong_arguments_are_listed_with_their_paths(shell: Shell) -> None:
    ended = shell("call", "desk.add", "a=two", "--json")

    assert ended.code == 1
    assert ended.json["error"]["code"] == "invalid_arguments"
    assert "a" in ended.json["error"]["message"]


def test_arguments_that_are_not_json_name_line_and_column(shell: Shell) -> None:
    ended = shell("call", "desk.add", "--args", '{"a": }')

    assert ended.code == 2
    assert "line 1, column 7" in ended.err


def test_init_writes_a_file_that_validates_and_includes_the_clients_servers(bare: Shell) -> None:
    bare.write("mcp.json", '{"mcpServers": {}}')

    written = bare("init", "--json")

    assert written.json["include"] == ["mcp.json"]
    ended = bare("config", "validate", "--json")
    assert ended.code == 0
    assert ended.json["valid"] is True
    assert len(ended.json["files"]) == 2


def test_init_leaves_an_existing_file_alone_without_force(bare: Shell) -> None:
    path = bare.write("toolweft.toml", "# mine\n")

    assert bare("init").code == 2
    assert path.read_text(encoding="utf-8") == "# mine\n"
    assert bare("init", "--force").code == 0
    assert path.read_text(encoding="utf-8") != "# mine\n"


def test_explain_shows_where_a_value_comes_from(
    with_config: Callable[[str], Shell],
) -> None:
    shell = with_config("[limits]\nwall_s = 7\n")

    values = {
        value["key"]: value
        for value in shell("config", "explain", "--json", TOOLWEFT_PROFILE="strict").json["values"]
    }

    assert values["limits.wall_s"]["origin"].endswith("toolweft.toml:4")
    assert values["profile"] == {
        "key": "profile",
        "value": "strict",
        "origin": "environment TOOLWEFT_PROFILE",
    }
    assert values["limits.max_calls"]["origin"] == "default"
    assert "limits.wall_s" in shell("config", "explain").out


@pytest.mark.promise("config.nearest")
def test_an_unknown_key_offers_the_nearest(with_config: Callable[[str], Shell]) -> None:
    ended = with_config("[limits]\nwal_s = 7\n")("tools")

    assert ended.code == 2
    assert "wal_s" in ended.err
    assert "wall_s" in ended.err
    assert "toolweft.toml:4" in ended.err
    assert "Traceback" not in ended.err


def test_broken_json_names_line_and_column(bare: Shell) -> None:
    path = bare.write("mcp.json", '{"mcpServers": {\n  "git": }\n}')

    ended = bare("config", "validate", "--config", str(path))

    assert ended.code == 2
    assert "line 2" in ended.err or "mcp.json:2" in ended.err
    assert "column" in ended.err


def test_a_missing_secret_breaks_one_server_and_leaves_the_rest(
    with_config: Callable[[str], Shell],
) -> None:
    shell = with_config(
        '[servers.git]\ncommand = "no-such-program"\nenv = { TOKEN = "env:NO_SUCH_TOKEN" }\n'
    )

    validated = shell("config", "validate")
    called = shell("call", "desk.add", "a=1")

    assert validated.code == 1
    assert "NO_SUCH_TOKEN" in validated.out
    assert (called.code, called.out) == (0, "2\n")
    assert "'git' is not available" in called.err


@pytest.mark.promise("sandbox.tier-shown")
@pytest.mark.process
def test_doctor_is_content_with_a_house_in_order(shell: Shell) -> None:
    ended = shell("doctor", "--json")

    assert ended.code == 0, ended.out
    found = ended.json
    assert found["ok"] is True
    assert found["sandbox"] == f"process/{machine.strongest()}"
    assert [tier["tier"] for tier in found["tiers"]] == [
        "ns",
        "landlock",
        "noopen",
        "interpreter",
    ]
    assert any(place["is_read"] for place in found["looked_up"])
    assert found["durability"] == "process kill"


def test_doctor_names_what_is_broken_and_ends_with_1(with_config: Callable[[str], Shell]) -> None:
    ended = with_config('[servers.gone]\ncommand = "no-such-program"\n')("doctor")

    assert ended.code == 1
    assert "FAIL gone: failed" in ended.out
    assert "no-such-program" in ended.out
    assert "ok   desk: ready" in ended.out


@pytest.mark.process
def test_doctor_goes_on_where_the_ledger_cannot_be_written(
    with_config: Callable[[str], Shell],
) -> None:
    ended = with_config('[ledger]\nurl = "sqlite:////proc/nowhere/ledger.db"\n')("doctor")

    assert ended.code == 1
    assert "FAIL sqlite:////proc/nowhere/ledger.db" in ended.out
    assert "ok   process/" in ended.out


def test_doctor_shows_where_it_looked_even_with_a_broken_file(bare: Shell) -> None:
    bare.write("toolweft.toml", "profile = 5\n")

    ended = bare("doctor")

    assert ended.code == 2
    assert "mcp.json" in ended.out
    assert "profile" in ended.err


def test_recorded_definitions_stand_in_for_a_server(bare: Shell) -> None:
    bare.write("mcp.json", '{"mcpServers": {"far": {"command": "no-such-program"}}}')
    (bare.folder / "recorded").mkdir()
    definition = {"name": "reach", "description": "Reach out.", "inputSchema": {"type": "object"}}
    bare.write("recorded/far.json", json.dumps({"tools": [definition]}))

    ended = bare("--recorded", "recorded", "tools", "--json")

    assert [tool["python_name"] for tool in ended.json["tools"]] == ["far.reach"]


def test_a_reader_that_goes_away_is_quiet(shell: Shell) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as closed:
        done = subprocess.run(
            [TOOLWEFT, "tools", "--json"],
            cwd=shell.folder,
            env=shell.environ(),
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert done.returncode == 141
    assert done.stderr == ""


def test_the_demo_says_what_to_install_where_its_servers_are_missing(
    bare: Shell, tmp_path: Path
) -> None:
    ended = bare("demo", "--servers", str(tmp_path))

    assert ended.code == 2
    assert "pip install mcp-server-git mcp-server-time" in ended.err


@pytest.mark.parametrize("folder", ["/proc", "gone"])
def test_init_names_a_folder_that_cannot_be_written(bare: Shell, folder: str) -> None:
    ended = bare("init", folder)

    assert ended.code == 2
    assert folder in ended.err
    assert "fault of toolweft" not in ended.err
