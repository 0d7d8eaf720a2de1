"""`toolweft import`: servers of other clients, and which of their tools only read."""

import json
import stat
import sys
from pathlib import Path

import pytest
from tests.cli import desktop
from tests.cli.desktop import CONFIG, rules
from tests.cli.shell import Shell

PLAIN = Path(__file__).parents[1] / "fixtures" / "servers" / "plain.py"
SERVER = {"command": sys.executable, "args": [str(PLAIN)]}


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


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_a_configuration_that_is_a_link_stays_one(shop: Shell) -> None:
    shop("import", "client.json", "--yes", "--read-only", "nothing.*", "--recorded", "recorded")
    own, real = shop.folder / CONFIG, shop.folder / "dotfiles.toml"
    own.rename(real)
    own.symlink_to(real)

    ended = shop("import", "--read-only", "shop.drop*", "--recorded", "recorded", "--json")

    assert ended.code == 0, ended.err
    assert own.is_symlink()
    assert rules(shop) == {"drop[[]all]": {"severity": "read_only"}}
