"""`toolweft import`: servers of other clients, and which of their tools only read."""

import json
import os
import pty
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.cli import desktop
from tests.cli.desktop import CONFIG
from tests.cli.shell import TOOLWEFT, Shell

PLAIN = Path(__file__).parents[1] / "fixtures" / "servers" / "plain.py"
SERVER = {"command": sys.executable, "args": [str(PLAIN)]}
RECORDED = {
    "tools": [
        {"name": "list_items", "inputSchema": {"type": "object"}},
        {"name": "drop[all]", "inputSchema": {"type": "object"}},
        {
            "name": "get_item",
            "inputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": True},
        },
    ]
}


@pytest.fixture
def shop(bare: Shell) -> Shell:
    """A folder with a client's file of one server, whose tools are recorded."""
    bare.write("client.json", json.dumps({"mcpServers": {"shop": {"command": "shop-mcp"}}}))
    (bare.folder / "recorded").mkdir()
    bare.write("recorded/shop.json", json.dumps(RECORDED))
    return bare


def rules(shell: Shell, name: str = CONFIG) -> Any:
    config = tomllib.loads((shell.folder / name).read_text("utf-8"))
    return config["servers"]["shop"].get("configs", {})


def test_suggestions_are_taken_with_yes_and_remembered(shop: Shell) -> None:
    command = ("import", "client.json", "--yes", "--recorded", "recorded", "--json")

    first = shop(*command)
    again = shop(*command)

    assert first.code == 0, first.err
    assert first.json["moved"] == ["shop"]
    assert first.json["unhinted"] == [
        {"tool": "shop.drop_all_", "suggested": False},
        {"tool": "shop.list_items", "suggested": True},
    ]
    assert rules(shop) == {
        "drop[[]all]": {"severity": "destructive"},
        "list_items": {"severity": "read_only"},
    }
    assert again.json["shared"] == ["shop"]
    assert again.json["unhinted"] == []
    tools = shop("tools", "--recorded", "recorded", "--json").json["tools"]
    assert {tool["name"]: tool["severity"] for tool in tools} == {
        "drop[all]": "destructive",
        "get_item": "read_only",
        "list_items": "read_only",
    }


def test_globs_decide_what_they_name_and_nothing_else(shop: Shell) -> None:
    shop("import", "client.json", "--yes", "--read-only", "nothing.*", "--recorded", "recorded")
    assert rules(shop) == {}

    ended = shop("import", "--read-only", "shop.drop*", "--recorded", "recorded", "--json")

    assert ended.json["decided"] == {"shop.drop_all_": "read_only"}
    assert rules(shop) == {"drop[[]all]": {"severity": "read_only"}}


def test_without_a_terminal_nothing_is_decided(shop: Shell) -> None:
    refused = shop("import", "client.json", "--recorded", "recorded")
    assert refused.code == 2
    assert "--yes makes the changes" in refused.err
    assert not (shop.folder / CONFIG).exists()

    shop("import", "client.json", "--yes", "--read-only", "x", "--recorded", "recorded")
    before = (shop.folder / CONFIG).read_bytes()
    ended = shop("import", "--recorded", "recorded")

    assert ended.code == 0, ended.err
    assert "2 tools count as destructive until it is decided" in ended.err
    assert "--read-only GLOB" in ended.err
    assert (shop.folder / CONFIG).read_bytes() == before


def test_a_dry_run_changes_nothing(shop: Shell) -> None:
    shown = shop("import", "client.json", "--dry-run")
    told = shop("import", "client.json", "--dry-run", "--json")

    assert shown.code == told.code == 0
    assert "+[servers.shop]" in shown.out
    assert told.json["changed"] is False
    assert not (shop.folder / CONFIG).exists()


def test_decisions_go_into_an_mcp_json_too(shop: Shell) -> None:
    target = shop.write("own.json", "{\n  // mine\n}\n")

    ended = shop(
        "import", "client.json", "--yes", "--config", "own.json", "--recorded", "recorded", "--json"
    )

    assert ended.code == 0, ended.err
    assert "// mine" in target.read_text("utf-8")
    again = shop("import", "--config", "own.json", "--recorded", "recorded", "--json")
    assert again.json["unhinted"] == []


@pytest.mark.process
def test_a_real_server_is_asked_for_its_tools(bare: Shell) -> None:
    bare.write("client.json", json.dumps({"mcpServers": {"plain": SERVER}}))

    ended = bare("import", "client.json", "--yes", "--read-only", "plain.ec*", "--json")

    assert ended.code == 0, ended.err
    assert ended.json["decided"] == {"plain.echo": "read_only"}
    assert {"tool": "plain.die", "suggested": False} in ended.json["unhinted"]
    (called,) = [
        tool for tool in bare("tools", "--json").json["tools"] if tool["name"].endswith("echo")
    ]
    assert called["severity"] == "read_only"


@pytest.mark.parametrize("client", sorted(desktop.PLACES))
def test_every_clients_file_is_read_and_left_alone(bare: Shell, client: str) -> None:
    path = desktop.write(bare, client)
    before = path.read_bytes()
    (bare.folder / "recorded").mkdir()
    for name in ("git", "time", "docs"):
        bare.write(f"recorded/{name}.json", '{"tools": []}')

    ended = bare("import", client, "--yes", "--recorded", "recorded", "--json")

    assert ended.code == 0, ended.err
    assert {"git", "time"} <= set(ended.json["moved"])
    assert ended.json["source"] == str(path)
    assert path.read_bytes() == before


def test_secrets_are_copied_only_with_consent(bare: Shell) -> None:
    secret = "hunter2hunter2"
    server = {"command": "gh", "env": {"TOKEN": secret}}
    bare.write("client.json", json.dumps({"mcpServers": {"gh": server}}))
    (bare.folder / "recorded").mkdir()
    bare.write("recorded/gh.json", '{"tools": []}')

    refused = bare("import", "client.json", "--yes")
    assert refused.code == 2
    assert "--move-secrets moves them" in refused.out
    assert not (bare.folder / CONFIG).exists()

    taken = bare("import", "client.json", "--yes", "--move-secrets", "--recorded", "recorded")
    assert taken.code == 0, taken.err
    assert secret in (bare.folder / CONFIG).read_text("utf-8")
    assert stat.S_IMODE((bare.folder / CONFIG).stat().st_mode) == 0o600
    assert secret not in taken.out + taken.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "gone.json"), "there is no file"),
        (("import", "cursor"), "there is no file"),
        (("import", "odd.json"), "none of mcpServers"),
        (("import",), "there is no configuration to keep decisions in"),
        (("import", "client.json", "--config", "client.json"), "toolweft would start itself"),
    ],
)
def test_what_cannot_be_imported_is_told(
    shop: Shell, arguments: tuple[str, ...], said: str
) -> None:
    shop.write("odd.json", '{"servers_of_mine": {}}')

    refused = shop(*arguments)

    assert refused.code == 2
    assert said in refused.err


def answer(shell: Shell, answers: list[str], *arguments: str) -> tuple[int, str]:
    """Run a command at a terminal that answers each question; its end and what it showed."""
    parent, child = pty.openpty()
    process = subprocess.Popen(
        [str(TOOLWEFT), *arguments],
        cwd=shell.folder,
        env=shell.environ(TERM="dumb"),
        stdin=child,
        stdout=child,
        stderr=child,
    )
    os.close(child)
    shown = ""
    left = list(answers)
    try:
        while True:
            try:
                chunk = os.read(parent, 65_536).decode()
            except OSError:
                break
            if not chunk:
                break
            shown += chunk
            if left and shown.count("[y/N]") > len(answers) - len(left):
                os.write(parent, f"{left.pop(0)}\n".encode())
        return process.wait(timeout=50), shown
    finally:
        process.kill()
        process.wait()
        os.close(parent)


@pytest.mark.process
def test_at_a_terminal_each_thing_is_asked_once(shop: Shell) -> None:
    command = ("import", "client.json", "--recorded", "recorded")

    no = answer(shop, ["n"], *command)
    assert no[0] == 2, no[1]
    assert not (shop.folder / CONFIG).exists()

    yes = answer(shop, ["y", "y"], *command)
    assert yes[0] == 0, yes[1]
    assert "Do the 1 marked tools only read, and the other 1 not? [y/N]" in yes[1]
    assert rules(shop)["list_items"] == {"severity": "read_only"}

    again = answer(shop, [], *command)
    assert again[0] == 0, again[1]
    assert "[y/N]" not in again[1]


@pytest.mark.process
@pytest.mark.parametrize(("answers", "moves"), [(["y", "y"], True), (["n", "y"], False)])
def test_at_a_terminal_consent_to_secrets_is_asked_for(
    bare: Shell, answers: list[str], *, moves: bool
) -> None:
    server = {"command": "gh", "env": {"TOKEN": "hunter2hunter2"}}
    path = desktop.write(bare, "windsurf", json.dumps({"mcpServers": {"gh": server}}))

    code, shown = answer(bare, answers, "install", "windsurf")

    assert code == 0, shown
    assert "gh: secrets are written out in env.TOKEN" in shown
    assert "hunter2" not in shown
    assert ("hunter2" in path.read_text("utf-8")) is not moves
    assert ("hunter2" in (bare.folder / CONFIG).read_text("utf-8")) is moves


@pytest.mark.process
def test_at_a_terminal_no_means_no(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")
    before = desktop.tree(bare.folder)

    code, shown = answer(bare, ["no"], "install", "cursor")

    assert code == 0
    assert "nothing was changed" in shown
    assert desktop.tree(bare.folder) == before
    assert path.exists()
