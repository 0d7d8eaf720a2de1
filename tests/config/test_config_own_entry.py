"""toolweft recognises itself among servers, and never starts itself."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.config.desk import Desk

from toolweft.config.own_entry import own_arguments, own_config
from toolweft.core.errors import ConfigError


@pytest.mark.parametrize(
    ("command", "args", "found"),
    [
        ("toolweft", ["serve"], ["serve"]),
        ("/opt/x/bin/toolweft", ["serve", "--config", "c"], ["serve", "--config", "c"]),
        ("C:\\Tools\\Scripts\\toolweft.EXE", ["serve"], ["serve"]),
        ("python3.12", ["-I", "-m", "toolweft", "serve"], ["serve"]),
        ("C:\\Python\\pythonw.exe", ["-m", "toolweft", "serve"], ["serve"]),
        ("uvx", ["toolweft[all]==1.0", "serve"], ["serve"]),
        ("uvx", ["--from", "toolweft", "toolweft", "serve"], ["toolweft", "serve"]),
        ("cmd", ["/c", "toolweft", "serve"], ["serve"]),
        ("sh", ["-c", "toolweft serve -C x"], ["serve", "-C", "x"]),
        ("toolweft", ["doctor"], None),
        ("git-mcp", ["toolweft", "serve"], None),
        ("uv", ["run", "--directory", "/src/toolweft", "server.py"], None),
        ("toolweft-more", ["serve"], None),
        (None, ["serve"], None),
        ("toolweft", "serve", None),
        ("toolweft", [1, "serve"], ["serve"]),
    ],
)
def test_it_knows_itself_however_it_is_started(command: Any, args: Any, found: Any) -> None:
    assert own_arguments(command, args) == found


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["serve", "--config", "a.toml"], "a.toml"),
        (["--config=a.toml", "serve"], "a.toml"),
        (["serve", "-C", "a.toml"], "a.toml"),
        (["serve", "-Ca.toml"], "a.toml"),
        (["serve", "--config", "folder"], "folder/mcp.json"),
        (["serve"], "toolweft.toml"),
    ],
)
def test_it_knows_what_it_would_read(desk: Desk, arguments: list[str], name: str) -> None:
    desk.write("toolweft.toml", "")
    desk.write("folder/mcp.json", "{}")

    found = own_config(arguments, environ={}, cwd=desk.cwd, home=desk.home)

    assert found == desk.cwd / name


def test_a_configuration_that_would_start_itself_is_refused(desk: Desk) -> None:
    path = desk.cwd / "mcp.json"
    server = {"command": "toolweft", "args": ["serve", "--config", str(path)]}
    desk.write("mcp.json", {"mcpServers": {"t": server, "git": {"command": "git-mcp"}}})

    with pytest.raises(ConfigError, match=r"mcp\.json:4: server 't' is toolweft with this very"):
        desk.load("mcp.json")
    with pytest.raises(ConfigError, match="this very"):
        desk.load()


def test_a_link_to_itself_is_seen_through(desk: Desk) -> None:
    path = desk.write("real.json", "{}")
    (desk.cwd / "link.json").symlink_to(path)
    entry = {"command": "toolweft", "args": ["serve", "-C", "link.json"]}
    path.write_text(json.dumps({"mcpServers": {"t": entry}}), encoding="utf-8")

    with pytest.raises(ConfigError, match="this very"):
        desk.load("real.json")


def test_an_included_client_that_starts_this_toolweft_is_left_out(desk: Desk) -> None:
    config = desk.write("toolweft.toml", 'include = ["mcp.json"]\n[servers.git]\ncommand = "g"\n')
    entry = {"command": "/x/toolweft", "args": ["serve", "--config", str(config)]}
    desk.write("mcp.json", {"mcpServers": {"toolweft": entry}})

    settings = desk.load("toolweft.toml")

    assert [server.name for server in settings.servers] == ["git"]
    assert any("server 'toolweft' is toolweft itself" in said for said in settings.problems)


def test_another_toolweft_is_a_server_like_any(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    entry = {"command": "toolweft", "args": ["serve", "--config", str(other)]}
    desk.write("mcp.json", {"mcpServers": {"far": entry}})

    assert [server.name for server in desk.load("mcp.json").servers] == ["far"]
