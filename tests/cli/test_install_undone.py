"""Uninstall after everything that may have happened since install."""

import json
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.cli import desktop
from tests.cli.desktop import CONFIG, PLACES
from tests.cli.shell import Shell

from toolweft.stores.alone import alone

STATE = "home/.local/state/toolweft/clients"


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8-sig"))


@pytest.mark.promise("clients.no-loss")
def test_a_client_that_wrote_its_file_since_keeps_what_it_wrote(bare: Shell) -> None:
    path = desktop.write(bare, "claude-code")
    bare("install", "claude-code", "--yes")
    data = read(path)
    data["numStartups"] = 13
    data["mcpServers"]["new"] = {"command": "new-mcp"}
    path.write_text(json.dumps(data, indent=2), encoding="utf-8")

    gone = bare("uninstall", "claude-code", "--yes", "--json")

    assert gone.json["exact"] is False
    assert "was changed since the install" in gone.json["notes"][0]
    before = json.loads(desktop.WRITTEN["claude-code"])
    assert read(path) == {
        **before,
        "numStartups": 13,
        "mcpServers": {**before["mcpServers"], "new": {"command": "new-mcp"}},
    }
    assert not (bare.folder / CONFIG).exists()


@pytest.mark.promise("clients.no-loss")
@pytest.mark.parametrize("client", ["cursor", "vscode", "codex"])
def test_comments_inside_servers_come_back_too(bare: Shell, client: str) -> None:
    path = desktop.write(bare, client)
    bare("install", client, "--yes")
    path.write_bytes(path.read_bytes().replace(b"mine", b"mine, changed"))

    bare("uninstall", client, "--yes")

    text = path.read_text(encoding="utf-8")
    assert "toolweft" not in text
    assert "mine, changed" in text
    for part in ("git-mcp", "time-mcp", "// on the path" if client != "codex" else "# where"):
        assert part in text


@pytest.mark.promise("clients.no-loss")
def test_a_server_that_is_there_again_stays_as_it_is(bare: Shell) -> None:
    path = desktop.write(bare, "windsurf")
    bare("install", "windsurf", "--yes")
    data = read(path)
    data["mcpServers"]["git"] = {"command": "my-git"}
    path.write_text(json.dumps(data), encoding="utf-8")

    gone = bare("uninstall", "windsurf", "--yes")

    assert "server 'git' is there again already" in gone.out
    assert read(path)["mcpServers"] == {
        "git": {"command": "my-git"},
        "time": {"command": "time-mcp"},
    }


def test_a_file_that_was_removed_comes_back(bare: Shell) -> None:
    path = desktop.write(bare, "codex")
    before = path.read_bytes()
    bare("install", "codex", "--yes")
    path.unlink()

    gone = bare("uninstall", "codex", "--yes")

    assert "was removed since" in gone.out
    assert path.read_bytes() == before


def test_an_upgrade_changes_the_entry_and_uninstall_still_restores(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")
    before = path.read_bytes()
    bare("install", "cursor", "--yes")
    old = path.read_text(encoding="utf-8")
    command = old.split('"command": "')[1].split('"')[0]
    path.write_text(old.replace(command, "/gone/bin/toolweft"), encoding="utf-8")

    again = bare("install", "cursor", "--yes")

    assert again.code == 0, again.err
    assert path.read_text(encoding="utf-8") == old
    assert bare("uninstall", "cursor", "--yes").code == 0
    assert desktop.tree(bare.folder / "home" / ".cursor")["mcp.json"].count(b"toolweft") == 0
    assert b"git-mcp" in path.read_bytes()
    assert len(path.read_bytes()) == len(before)


def test_a_server_added_later_moves_with_the_next_install(bare: Shell) -> None:
    path = desktop.write(bare, "windsurf", '{"mcpServers": {"a": {"command": "x"}}}')
    bare("install", "windsurf", "--yes")
    data = read(path)
    data["mcpServers"]["b"] = {"command": "y"}
    path.write_text(json.dumps(data), encoding="utf-8")

    assert bare("install", "windsurf", "--yes", "--json").json["moved"] == ["b"]
    assert set(read(path)["mcpServers"]) == {"toolweft"}
    assert bare("uninstall", "windsurf", "--yes").code == 0

    assert read(path) == {"mcpServers": {"b": {"command": "y"}, "a": {"command": "x"}}}
    assert not (bare.folder / CONFIG).exists()


@pytest.mark.parametrize("first", ["windsurf", "claude-code"])
def test_what_two_clients_share_stays_until_the_last_is_gone(bare: Shell, first: str) -> None:
    paths = {name: desktop.write(bare, name) for name in ("windsurf", "claude-code")}
    before = {name: path.read_bytes() for name, path in paths.items()}
    for name in paths:
        assert bare("install", name, "--yes").code == 0
    (last,) = set(paths) - {first}

    kept = bare("uninstall", first, "--yes")

    assert paths[first].read_bytes() == before[first]
    servers = tomllib.loads((bare.folder / CONFIG).read_text("utf-8"))["servers"]
    # Claude Code's is of type stdio, so the two are not the same.
    assert "time" in servers
    assert kept.code == 0, kept.err
    assert bare("uninstall", last, "--yes").code == 0
    assert paths[last].read_bytes() == before[last]
    assert not (bare.folder / CONFIG).exists()


def test_what_was_changed_in_the_configuration_stays_there(bare: Shell) -> None:
    path = desktop.write(bare, "windsurf")
    before = path.read_bytes()
    bare("install", "windsurf", "--yes")
    own = bare.folder / CONFIG
    text = own.read_text("utf-8").replace('"time-mcp"', '"time-mcp"\nargs = ["--utc"]')
    own.write_text(text + "\n[limits]\nwall_s = 9\n", encoding="utf-8")

    gone = bare("uninstall", "windsurf", "--yes")

    assert path.read_bytes() == before
    assert "keeps 'time': it was changed there" in gone.out
    assert set(tomllib.loads(own.read_text("utf-8"))["servers"]) == {"time"}
    assert tomllib.loads(own.read_text("utf-8"))["limits"] == {"wall_s": 9}


def test_without_a_record_only_the_entry_goes(bare: Shell) -> None:
    path = desktop.write(
        bare,
        "windsurf",
        '{"mcpServers": {"a": {"command": "x"}, "tw": {"command": "uvx",'
        ' "args": ["toolweft", "serve"]}}}',
    )

    gone = bare("uninstall", "windsurf", "--yes")

    assert "no record of an install" in gone.out
    assert path.read_text("utf-8") == '{"mcpServers": {"a": {"command": "x"}}}'


def test_without_copies_nothing_is_lost(bare: Shell) -> None:
    path = desktop.write(bare, "windsurf")
    bare("install", "windsurf", "--yes")
    for copy in (bare.folder / STATE).glob("*.bak"):
        copy.unlink()

    gone = bare("uninstall", "windsurf", "--yes")

    assert gone.code == 0, gone.err
    assert "server 'git' has no copy any more" in gone.out
    assert read(path)["mcpServers"] == {}
    assert set(tomllib.loads((bare.folder / CONFIG).read_text("utf-8"))["servers"]) == {
        "git",
        "time",
    }


@pytest.mark.promise("clients.no-loss")
@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_one_process_at_a_time_changes_files(bare: Shell, command: str) -> None:
    path = desktop.write(bare, "cursor")
    if command == "uninstall":
        bare("install", "cursor", "--yes")
    before = path.read_bytes()
    (bare.folder / STATE).mkdir(parents=True, exist_ok=True)

    with alone(bare.folder / STATE):
        refused = bare(command, "cursor", "--yes")
    kept = path.read_bytes()
    done = bare(command, "cursor", "--yes")

    assert (refused.code, kept) == (2, before), refused.err
    assert "cannot be locked" in refused.err
    assert done.code == 0
    assert path.read_bytes() != before


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "not a record"),
        ('{"format": 9}', "another version"),
        ('{"format": 1}', "not a record"),
    ],
)
def test_a_record_that_cannot_be_read_is_named(bare: Shell, text: str, said: str) -> None:
    path = desktop.write(bare, "windsurf")
    bare("install", "windsurf", "--yes")
    (record,) = (bare.folder / STATE).glob("*.json")
    record.write_text(text, encoding="utf-8")
    before = path.read_bytes()

    refused = bare("uninstall", "windsurf", "--yes")

    assert refused.code == 2
    assert said in refused.err
    assert str(record) in refused.err
    assert path.read_bytes() == before


# Ends the process at the Nth file that is put in its place.
_CUT_OFF = """
import os, sys
left = int(sys.argv.pop(1))
def count(event, arguments):
    global left
    if event == "os.rename" and str(arguments[0]).endswith(".toolweft-new"):
        left -= 1
        if left == 0:
            os._exit(9)
sys.addaudithook(count)
from toolweft.cli import main
main()
"""
# A copy of the client's file, the record, the configuration, the client's file, the record.
WRITES = 5


@pytest.mark.promise("clients.cut-off")
@pytest.mark.process
@pytest.mark.parametrize("client", ["cursor", "codex"])
@pytest.mark.parametrize("write", range(1, WRITES + 2))
def test_cut_off_anywhere_it_can_be_taken_back_and_done_again(
    bare: Shell, client: str, write: int
) -> None:
    path = desktop.write(bare, client)
    before = desktop.tree(bare.folder)
    command = [sys.executable, "-c", _CUT_OFF, str(write), "install", client, "--yes"]

    ended = subprocess.run(
        command, cwd=bare.folder, env=bare.environ(), capture_output=True, timeout=50, check=False
    )

    assert ended.returncode == (9 if write <= WRITES else 0), ended.stderr
    assert (before[f"home/{PLACES[client]}"] == path.read_bytes()) is (write < WRITES)
    assert bare("uninstall", client, "--yes").code == 0
    assert desktop.tree(bare.folder) == before

    subprocess.run(
        command, cwd=bare.folder, env=bare.environ(), capture_output=True, timeout=50, check=False
    )
    again = bare("install", client, "--yes")
    assert again.code == 0, again.err
    assert b"git-mcp" not in path.read_bytes()
    assert bare("uninstall", client, "--yes").code == 0
    assert desktop.tree(bare.folder) == before
