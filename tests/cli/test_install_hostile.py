"""Files that cannot be changed safely are refused, and stay as they are."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.cli import desktop
from tests.cli.desktop import CONFIG
from tests.cli.shell import Shell

pytestmark = pytest.mark.promise("clients.hostile")


@pytest.mark.parametrize("command", ["install", "uninstall"])
@pytest.mark.parametrize(
    ("client", "content", "said"),
    [
        ("cursor", b'{"mcpServers": {"a": {"command": "\xe9"}}}', "is not UTF-8"),
        ("cursor", b"\xff\xfe{\x00}\x00", "byte 0 is not UTF-8"),
        ("cursor", b'{"mcpServers": {', ":1:17: not valid JSON"),
        ("cursor", b'{"mcpServers": {"a": {}, "a": {}}}', "the key 'a' was already given"),
        ("cursor", b'{"mcpServers": {}, "mcpServers": {}}', "was already given"),
        ("cursor", b'{"mcpServers": []}', "'mcpServers' is list, not an object"),
        ("cursor", b'{"mcpServers": null}', "'mcpServers' is NoneType"),
        ("cursor", b"[]", "an object is needed at the top"),
        ("cursor", b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        ("cursor", b'{"a": 1} /* open', "not valid JSON"),
        ("vscode", b'{"servers": "x"}', "'servers' is str"),
        ("codex", b"[mcp_servers\n", ":1:13: not valid TOML"),
        ("codex", b"mcp_servers = 3", "'mcp_servers' is int"),
        ("codex", b"a = 1\na = 2", "not valid TOML"),
        ("codex", b'a = "\xe9"', "is not UTF-8"),
    ],
)
def test_a_file_that_cannot_be_read_is_named_with_the_place(
    bare: Shell, command: str, client: str, content: bytes, said: str
) -> None:
    path = desktop.write(bare, client, content)

    refused = bare(command, client, "--yes")

    assert refused.code == 2, refused.err
    assert str(path) in refused.err
    assert said in refused.err
    assert path.read_bytes() == content
    assert not (bare.folder / CONFIG).exists()


@pytest.mark.parametrize(
    "content", [b"", b"  \n", b"// nothing yet\n", b"{}", b'\xef\xbb\xbf{"mcpServers":{}}\r\n']
)
def test_a_file_without_servers_gets_the_entry_and_loses_it(bare: Shell, content: bytes) -> None:
    path = desktop.write(bare, "cursor", content)

    assert bare("install", "cursor", "--yes").code == 0
    assert b"toolweft" in path.read_bytes()
    assert bare("uninstall", "cursor", "--yes").code == 0
    assert path.read_bytes() == content


def test_a_link_of_the_user_is_followed_and_stays_a_link(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")
    real = bare.folder / "dotfiles.json"
    path.rename(real)
    path.symlink_to(real)
    before = real.read_bytes()

    assert bare("install", "cursor", "--yes").code == 0
    assert path.is_symlink()
    assert b"toolweft" in real.read_bytes()
    assert bare("uninstall", "cursor", "--yes").code == 0
    assert path.is_symlink()
    assert real.read_bytes() == before


def test_a_project_cannot_make_other_files_change(bare: Shell) -> None:
    target = desktop.write(bare, "claude-code")
    before = target.read_bytes()
    project = bare.folder / "project"
    project.mkdir()
    (project / ".mcp.json").symlink_to(target)

    refused = Shell(project).spawn(
        "install", "claude-code", "--scope", "project", "--yes", HOME=str(bare.folder / "home")
    )

    assert refused.code == 2
    assert "leads out of the project" in refused.err
    assert target.read_bytes() == before


@pytest.mark.parametrize("way", ["entry", "link"])
def test_a_project_cannot_choose_where_its_servers_go(bare: Shell, way: str) -> None:
    own = bare.folder / CONFIG
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("", encoding="utf-8")
    project = bare.folder / "project"
    project.mkdir()
    entry = {"command": "toolweft", "args": ["serve", "--config", str(own)]}
    servers: dict[str, Any] = {"evil": {"command": "evil"}}
    if way == "entry":
        servers["toolweft"] = entry
    else:
        (project / "toolweft.toml").symlink_to(own)
    (project / ".mcp.json").write_text(json.dumps({"mcpServers": servers}), encoding="utf-8")

    refused = Shell(project).spawn(
        "install", "claude-code", "--scope", "project", "--yes", HOME=str(bare.folder / "home")
    )

    assert refused.code == 2
    assert "leads out of the project" in refused.err
    assert own.read_bytes() == b""


def test_a_link_in_a_circle_is_refused(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")
    path.unlink()
    path.symlink_to(path)

    refused = bare("install", "cursor", "--yes")

    assert refused.code == 2
    assert str(path) in refused.err


@pytest.mark.parametrize("client", ["cursor", "codex"])
def test_a_read_only_file_stays(bare: Shell, client: str) -> None:
    path = desktop.write(bare, client)
    path.chmod(0o444)
    before = desktop.tree(bare.folder)

    refused = bare("install", client, "--yes")

    assert refused.code == 2
    assert f"{str(path)!r} is read-only" in refused.err
    assert desktop.tree(bare.folder) == before


def test_a_folder_in_the_files_place_is_refused(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")
    path.unlink()
    path.mkdir()

    refused = bare("install", "cursor", "--yes")

    assert refused.code == 2
    assert "is no file" in refused.err


def test_a_pipe_in_the_files_place_is_not_waited_for(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")
    path.unlink()
    os.mkfifo(path)

    assert "is no file" in bare("install", "cursor", "--yes").err


def test_a_huge_file_is_not_read(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")
    with path.open("ab") as file:
        file.truncate(65 * 1024**2)

    refused = bare("install", "cursor", "--yes")

    assert refused.code == 2
    assert "bytes, more than" in refused.err


def test_a_large_file_of_claude_code_is_changed_in_one_place(bare: Shell) -> None:
    history = ", ".join(f'{{"display": "// {i} {{"}}' for i in range(5_000))
    text = f'{{"history": [{history}], "mcpServers": {{"a": {{"command": "x"}}}}, "z": 1}}'
    path = desktop.write(bare, "claude-code", text)

    assert bare("install", "claude-code", "--yes").code == 0
    start, _, rest = path.read_text("utf-8").partition('"toolweft"')
    assert text.startswith(start)
    assert rest.endswith('}, "z": 1}')
    assert bare("uninstall", "claude-code", "--yes").code == 0
    assert path.read_text("utf-8") == text


@pytest.mark.parametrize("lines", ["many", "one"])
def test_other_secrets_of_the_file_are_not_shown(bare: Shell, lines: str) -> None:
    text = """{
  "primaryApiKey": "topsecret1",
  "mcpServers": {
    "a": {"command": "x", "env": {"PLAIN": "topsecret2"}},
    "b": {"command": "y", "env": {"API_KEY": "topsecret3"}}
  },
  "oauth": "topsecret4"
}"""
    desktop.write(bare, "claude-code", text if lines == "many" else text.replace("\n", " "))

    shown = bare("install", "claude-code", "--dry-run", "--move-secrets")

    assert "API_KEY" in shown.out
    assert "topsecret" not in shown.out


def test_a_configuration_that_cannot_be_used_leaves_the_client_alone(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")
    own = bare.folder / CONFIG
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("[servers\n", encoding="utf-8")
    before = path.read_bytes()

    refused = bare("install", "cursor", "--yes")

    assert refused.code == 2
    assert "toolweft.toml:1:9: not valid TOML" in refused.err
    assert path.read_bytes() == before


def test_where_no_record_can_be_kept_nothing_changes(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")
    (bare.folder / "home/.local").write_text("in the way", encoding="utf-8")
    before = path.read_bytes()

    refused = bare("install", "cursor", "--yes")

    assert refused.code == 2
    assert path.read_bytes() == before
    assert not (bare.folder / CONFIG).exists()


def test_a_server_with_an_odd_name_moves_and_comes_back(bare: Shell) -> None:
    text = '{"mcpServers": {"a.b \\"c\\" ü\\u0007 [x]": {"command": "x\\u007f", "args": ["\\n"]}}}'
    path: Path = desktop.write(bare, "cursor", text)

    installed = bare("install", "cursor", "--yes", "--json")

    assert installed.code == 0, installed.err
    assert len(installed.json["moved"]) == 1
    assert bare("config", "validate", "--config", CONFIG).code == 0
    assert bare("uninstall", "cursor", "--yes").code == 0
    assert path.read_text("utf-8") == text
