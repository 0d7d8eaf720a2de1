"""`toolweft install` and `uninstall`: into all six clients, and out again byte for byte."""

import json
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from tests.cli import desktop
from tests.cli.desktop import CONFIG, PLACES, PROJECTS
from tests.cli.shell import TOOLWEFT, Shell

CLIENTS = sorted(PLACES)


@pytest.mark.promise("clients.byte-equal")
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("config", [None, "# mine\n[limits]\nwall_s = 100"])
def test_a_client_gets_toolweft_and_everything_back(
    bare: Shell, client: str, config: str | None
) -> None:
    path = desktop.write(bare, client)
    own = bare.folder / CONFIG
    if config is not None:
        own.parent.mkdir(parents=True, exist_ok=True)
        own.write_text(config, encoding="utf-8")
    before = desktop.tree(bare.folder)

    installed = bare("install", client, "--yes", "--json")

    assert installed.code == 0, installed.err
    assert {"git", "time"} <= set(installed.json["moved"])
    assert installed.json["changed"] is True
    servers = tomllib.loads(own.read_text(encoding="utf-8"))["servers"]
    assert servers["git"]["command"] == "git-mcp"
    written = path.read_text(encoding="utf-8-sig")
    assert "git-mcp" not in written
    assert str(TOOLWEFT) in written
    assert str(own) in written
    for comment in ("// servers of mine", "/* asks the client */", "# not a server", "# mine"):
        assert (comment in written) is (comment.encode() in before[f"home/{PLACES[client]}"])

    installed_tree = desktop.tree(bare.folder)
    again = bare("install", client, "--yes")
    assert again.code == 0, again.err
    assert "already" in again.out
    assert desktop.tree(bare.folder) == installed_tree

    gone = bare("uninstall", client, "--yes")

    assert gone.code == 0, gone.err
    assert "is as it was" in gone.out
    assert desktop.tree(bare.folder) == before
    assert list((bare.folder / "home/.local/state/toolweft/clients").iterdir()) == []


@pytest.mark.promise("clients.byte-equal")
@pytest.mark.parametrize("client", sorted(PROJECTS))
def test_a_project_has_its_own_file(bare: Shell, client: str) -> None:
    path = bare.folder / PROJECTS[client]
    path.parent.mkdir(exist_ok=True)
    path.write_text(desktop.WRITTEN[client], encoding="utf-8")
    before = desktop.tree(bare.folder)

    installed = bare("install", client, "--scope", "project", "--yes")

    assert installed.code == 0, installed.err
    assert "servers" in tomllib.loads((bare.folder / "toolweft.toml").read_text("utf-8"))
    gone = bare("uninstall", client, "--scope", "project", "--yes")
    assert gone.code == 0, gone.err
    assert desktop.tree(bare.folder) == before


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_without_a_file_gets_one_and_loses_it_again(bare: Shell, client: str) -> None:
    installed = bare("install", client, "--yes")
    path = bare.folder / "home" / PLACES[client]

    assert installed.code == 0, installed.err
    assert "toolweft" in path.read_text(encoding="utf-8")
    assert bare("uninstall", client, "--yes").code == 0
    assert desktop.tree(bare.folder) == {}


@pytest.mark.promise("clients.byte-equal")
@pytest.mark.parametrize("platform", ["darwin", "win32"])
@pytest.mark.process
@pytest.mark.timeout(180)
def test_it_is_the_same_on_other_systems(bare: Shell, platform: str) -> None:
    script = bare.write("script.py", _EVERY_CLIENT)
    written = bare.write("written.json", json.dumps(dict(desktop.WRITTEN)))

    done = subprocess.run(
        [sys.executable, "-m", "tests.other_platform", platform, "file", script, written],
        cwd=bare.folder,
        env=bare.environ(APPDATA=str(bare.folder / "home" / "Roaming")),
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    folder = {"darwin": "Library/Application Support", "win32": "Roaming"}[platform]
    assert done.stdout.splitlines() == [
        ".claude.json",
        f"{folder}/Claude/claude_desktop_config.json",
        ".cursor/mcp.json",
        f"{folder}/Code/User/mcp.json",
        ".codex/config.toml",
        ".codeium/windsurf/mcp_config.json",
    ]


_EVERY_CLIENT = """
import contextlib, io, json, sys
from pathlib import Path
from toolweft.cli.boundary import run_guarded
from toolweft.cli.application import app
from toolweft.config.clients import CLIENTS, client_path
from toolweft.cli.clients import read_surroundings

def run(*arguments):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        code = run_guarded(lambda: app(arguments, prog_name="toolweft"))
    assert code == 0, (arguments, out.getvalue())
    return out.getvalue()

written = json.loads(Path(sys.argv[1]).read_text())
around = read_surroundings()
for name, client in CLIENTS.items():
    path = client_path(client, "user", around)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(written[name].encode())
    installed = json.loads(run("install", name, "--yes", "--json"))
    assert {"git", "time"} <= set(installed["moved"]), installed
    assert "toolweft" in path.read_text("utf-8")
    assert "is as it was" in run("uninstall", name, "--yes")
    assert path.read_bytes() == written[name].encode()
    print(path.relative_to(around.home).as_posix())
"""


def test_a_dry_run_shows_everything_and_changes_nothing(bare: Shell) -> None:
    desktop.write(bare, "cursor")
    before = desktop.tree(bare.folder)

    shown = bare("install", "cursor", "--dry-run")
    told = bare("install", "cursor", "--dry-run", "--json")

    assert shown.code == told.code == 0
    assert '+    "toolweft": {' in shown.out
    assert "wait: stays: only the client fills in ${input:token}" in shown.out
    assert told.json["changed"] is False
    assert told.json["kept"][0]["name"] == "wait"
    assert desktop.tree(bare.folder) == before
    assert not (bare.folder / "home/.local").exists()


@pytest.mark.parametrize("command", ["install", "uninstall"])
def test_without_a_terminal_nothing_is_asked(bare: Shell, command: str) -> None:
    desktop.write(bare, "codex")
    if command == "uninstall":
        bare("install", "codex", "--yes")
    before = desktop.tree(bare.folder)

    ended = bare(command, "codex", stdin="y\n")

    assert ended.code == 2
    assert "--yes makes the changes, --dry-run shows them" in ended.err
    assert desktop.tree(bare.folder) == before


def test_servers_of_single_projects_are_mentioned(bare: Shell) -> None:
    desktop.write(bare, "claude-code")

    assert "in this file stay where they are: /a" in bare("install", "claude-code", "--yes").err


def test_servers_that_are_named_stay(bare: Shell) -> None:
    path = desktop.write(bare, "windsurf")

    installed = bare("install", "windsurf", "--yes", "--keep", "git", "--json")

    assert installed.json["moved"] == ["time"]
    assert "git-mcp" in path.read_text(encoding="utf-8-sig")


def test_what_a_client_starts_needs_no_path(bare: Shell) -> None:
    path = desktop.write(bare, "windsurf", "{}")
    bare("install", "windsurf", "--yes")
    entry = json.loads(path.read_text(encoding="utf-8"))["mcpServers"]["toolweft"]

    assert Path(entry["command"]).is_absolute()
    done = subprocess.run(
        [entry["command"], *entry["args"]],
        env={"HOME": str(bare.folder / "home"), "PYTHONPATH": bare.environ().get("PYTHONPATH", "")},
        input='{"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"protocolVersion":'
        ' "2025-06-18", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}}\n',
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "toolweft"


def test_an_existing_configuration_is_merged_and_conflicts_are_named(bare: Shell) -> None:
    desktop.write(bare, "claude-desktop")
    own = bare.folder / CONFIG
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(
        "# mine\n[servers.git]\ncommand = 'another'\n[servers.time]\ncommand = 'time-mcp'\n"
        "[servers.time.configs.now]\nseverity = 'read_only'\n",
        encoding="utf-8",
    )
    before = own.read_bytes()

    installed = bare("install", "claude-desktop", "--yes", "--json")

    assert installed.json["shared"] == ["time"]
    assert "another server 'git'" in installed.json["kept"][0]["reason"]
    assert own.read_bytes() == before
    assert bare("uninstall", "claude-desktop", "--yes").code == 0
    assert own.read_bytes() == before


def test_servers_go_where_config_says(bare: Shell) -> None:
    path = desktop.write(bare, "windsurf")
    other = bare.write("servers.json", '{"mcpServers": {"a": {"command": "x"}}}')

    installed = bare("install", "windsurf", "--yes", "--config", "servers.json")

    assert installed.code == 0, installed.err
    assert set(json.loads(other.read_text("utf-8"))["mcpServers"]) == {"a", "git", "time"}
    assert str(other) in path.read_text(encoding="utf-8-sig")
    # The entry names the configuration, so the next install needs not.
    assert "already" in bare("install", "windsurf", "--yes").out


def test_the_clients_own_file_cannot_be_the_configuration(bare: Shell) -> None:
    path = desktop.write(bare, "cursor")

    refused = bare("install", "cursor", "--yes", "--config", str(path))

    assert refused.code == 2
    assert "toolweft would start itself" in refused.err


def test_a_configuration_that_includes_the_client_still_works(bare: Shell) -> None:
    (bare.folder / ".mcp.json").write_text(desktop.WRITTEN["claude-code"], encoding="utf-8")
    bare.write("toolweft.toml", 'include = [".mcp.json"]\n')

    installed = bare("install", "claude-code", "--scope", "project", "--yes")
    tools = bare("tools", "--json")

    assert installed.code == 0, installed.err
    assert "server 'toolweft' is toolweft itself" in tools.err
    assert {source["name"] for source in tools.json["sources"]} == {"git", "time"}


def test_permissions_stay_and_copies_are_for_the_user_alone(bare: Shell) -> None:
    path = desktop.write(bare, "claude-code")
    path.chmod(0o640)

    bare("install", "claude-code", "--yes")

    copies = bare.folder / "home/.local/state/toolweft/clients"
    assert mode(path) == 0o640
    assert mode(bare.folder / CONFIG) == 0o600
    assert mode(copies) == 0o700
    assert [mode(copy) for copy in copies.glob("*.bak")] == [0o640]
    bare("uninstall", "claude-code", "--yes")
    assert mode(path) == 0o640


def test_secrets_move_only_with_consent_and_are_never_shown(bare: Shell) -> None:
    secret = "hunter2hunter2"
    path = desktop.write(
        bare,
        "claude-desktop",
        json.dumps({"mcpServers": {"gh": {"command": "gh", "env": {"TOKEN": secret}}}}),
    )
    own = bare.folder / CONFIG
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text("", encoding="utf-8")
    own.chmod(0o644)
    before = path.read_bytes()

    first = bare("install", "claude-desktop", "--yes")
    assert "secrets are written out in env.TOKEN" in first.out
    assert secret in path.read_text(encoding="utf-8")
    assert secret not in own.read_text(encoding="utf-8")

    second = bare("install", "claude-desktop", "--yes", "--move-secrets")
    assert second.code == 0, second.err
    assert secret not in path.read_text(encoding="utf-8")
    assert secret in own.read_text(encoding="utf-8")
    assert mode(own) == 0o600

    third = bare("uninstall", "claude-desktop", "--yes")
    assert path.read_bytes() == before
    assert own.read_bytes() == b""
    assert all(secret not in told.out + told.err for told in (first, second, third))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("install", "cursr"), "did you mean 'cursor'?"),
        (("install", "windsurf", "--scope", "project"), "has no servers of a project"),
        (("uninstall", "emacs"), "known: claude-code"),
        (("install", "cursor", "--scope", "world"), "world"),
    ],
)
def test_what_cannot_be_is_told(bare: Shell, arguments: tuple[str, ...], said: str) -> None:
    refused = bare(*arguments)

    assert refused.code == 2
    assert said in refused.err


def test_uninstall_where_nothing_is_installed_is_no_fault(bare: Shell) -> None:
    ended = bare("uninstall", "cursor")

    assert ended.code == 0
    assert "toolweft is not in Cursor" in ended.out


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)
