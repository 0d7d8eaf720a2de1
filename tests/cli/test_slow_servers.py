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


class Growing:
    """A server `s` whose list is remembered, and that has got the tool `echo` since.

    Its tools stand in a file, and each of its starts leaves a line in another.
    """

    def __init__(self, shell: Shell, *, more: str = "") -> None:
        self._shell = shell
        tools, self._starts = shell.folder / "tools.json", shell.folder / "starts"
        serve = shlex.join([sys.executable, str(_SERVER), "from-file", str(tools)])
        command = json.dumps(f"echo up >> {shlex.quote(str(self._starts))}; exec {serve}")
        shell.write(
            "toolweft.toml", f"[servers.s]\ncommand = 'sh'\nargs = ['-c', {command}]\n{more}"
        )
        self._has("environment")
        assert shell("tools").code == 0
        self._has("environment", "echo")
        self._starts.unlink()

    @property
    def start_count(self) -> int:
        """How often it was started since."""
        return self._starts.read_text("utf-8").count("up") if self._starts.exists() else 0

    def _has(self, *names: str) -> None:
        listed = [{"name": name, "inputSchema": {"type": "object"}} for name in names]
        self._shell.write("tools.json", json.dumps({"tools": listed}))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        *(("s.echo", ""), ("s-echo", "")),
        *(("s.echo", "eager = true"), ("s-echo", "eager = true"), ("echo", "eager = true")),
    ],
)
def test_a_tool_that_is_newer_than_what_is_remembered_is_called(
    bare: Shell, name: str, more: str
) -> None:
    growing = Growing(bare, more=more)

    ended = bare("call", name, "text=hello", "--json")

    assert ended.code == 0, ended.err
    assert "hello" in ended.out
    assert growing.start_count == 1


def test_a_name_that_names_no_server_starts_none(bare: Shell) -> None:
    growing = Growing(bare)

    ended = bare("call", "echo", "text=hello")

    assert "tool_not_found" in ended.err
    assert growing.start_count == 0


def test_a_tool_that_is_newer_than_what_is_remembered_is_shown(bare: Shell) -> None:
    Growing(bare)

    ended = bare("show", "s.echo")

    assert ended.code == 0, ended.err


def test_what_a_server_does_not_have_live_either_is_not_found(bare: Shell) -> None:
    Growing(bare)

    ended = bare("call", "s.nothing")

    assert ended.code == 1
    assert "the catalog has no tool named 's.nothing'" in ended.err


@pytest.mark.parametrize("name", ["s.environment", "environment", "other.tool"])
def test_a_server_is_not_started_to_show_what_is_known_or_cannot_be_its_own(
    bare: Shell, name: str
) -> None:
    growing = Growing(bare)

    bare("show", name)

    assert growing.start_count == 0


def test_a_name_that_may_be_a_servers_offers_the_tool_of_another_that_starts(bare: Shell) -> None:
    bare.write(
        "hub.json",
        json.dumps({"tools": [{"name": "tickets-find", "inputSchema": {"type": "object"}}]}),
    )
    write_servers(bare, tickets="SERVER", hub="sleep 3; SERVER from-file hub.json")

    ended = bare("call", "tickets-find")

    assert ended.code == 1
    # Never called: no server takes the calls that name another.
    assert "did you mean hub.tickets_find?" in ended.err


def test_who_names_a_server_that_failed_hears_of_no_other_that_starts(bare: Shell) -> None:
    write_servers(bare, broken="exit 3", stuck="sleep 600")

    ended = bare("call", "broken.echo")

    assert ended.code == 1
    assert "source 'broken' is not available" in ended.err
    assert "stuck" not in ended.err


def test_a_server_that_starts_and_is_remembered_is_not_warned_of(
    capsys: pytest.CaptureFixture[str],
) -> None:
    status = SourceStatus(
        name=SourceName("git"), python_name="git", kind="mcp stdio", state="starting", tool_count=2
    )

    warn_of_failed_sources(Snapshot(version=1, tools={}, sources={status.name: status}))

    assert capsys.readouterr().err == ""
