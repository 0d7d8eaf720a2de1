"""Commands that need one tool, beside servers that are slow to start or never do."""

import json
import shlex
import sys
from pathlib import Path

import pytest
from tests.cli.shell import Shell

from toolweft.bootstrap import App
from toolweft.cli.session import warn_of_failed_sources
from toolweft.core.ids import SourceName
from toolweft.core.snapshot import Snapshot, SourceStatus

_SERVER = Path(__file__).parents[1] / "fixtures" / "servers" / "plain.py"
# A command that may need all servers waits ten seconds for them.
_START_S = 11


async def _wait_for_all(_app: App) -> None:
    raise AssertionError("all servers are waited for")


def write_servers(shell: Shell, **commands: str) -> None:
    """Servers that a shell starts; "SERVER" stands for one that works."""
    server = shlex.join([sys.executable, str(_SERVER)])
    entries = {
        name: {"command": "sh", "args": ["-c", command.replace("SERVER", f"exec {server}")]}
        for name, command in commands.items()
    }
    shell.write(".mcp.json", json.dumps({"mcpServers": entries}))


def test_a_tool_of_a_server_that_is_still_starting_is_called(bare: Shell) -> None:
    write_servers(bare, slow=f"sleep {_START_S}; SERVER")

    ended = bare("call", "echo", "text=hello", "--json")

    assert ended.code == 0, ended.err
    assert "hello" in ended.out
    assert "still starting" not in ended.err


@pytest.mark.parametrize("command", [("call",), ("show",)], ids=" ".join)
@pytest.mark.parametrize("name", ["quick.echo", "quick-echo"])
def test_a_tool_that_names_its_server_waits_for_no_other(
    bare: Shell, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], name: str
) -> None:
    write_servers(bare, quick="SERVER", stuck="sleep 600")
    monkeypatch.setattr(App, "settle", _wait_for_all)

    ended = bare(*command, name)

    assert ended.code == 0, ended.err
    assert "stuck" not in ended.err


def test_a_server_that_starts_and_is_remembered_is_not_warned_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = SourceStatus(
        name=SourceName("git"), python_name="git", kind="mcp stdio", state="starting", tool_count=2
    )

    warn_of_failed_sources(Snapshot(version=1, tools={}, sources={status.name: status}))

    assert capsys.readouterr().err == ""
