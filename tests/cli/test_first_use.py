"""At first use a person is asked once which tools only read; nobody else is."""

import json
import os
import select
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest
from tests.cli.shell import TOOLWEFT, Ended, Shell

pty = pytest.importorskip("pty", reason="needs a pseudo terminal")

pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

PLAIN = Path(__file__).parents[1] / "fixtures" / "servers" / "plain.py"
TOOLS = [
    {"name": "list_items", "inputSchema": {"type": "object"}},
    {"name": "drop[all]", "inputSchema": {"type": "object"}},
    {"name": "hinted", "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}},
]
ANSWERS = "home/.local/state/toolweft/answers.json"


@pytest.fixture
def shop(bare: Shell) -> Shell:
    list_tools(bare, TOOLS)
    server = {"command": sys.executable, "args": [str(PLAIN), "from-file", "tools.json"]}
    bare.write("mcp.json", json.dumps({"mcpServers": {"shop": server}}))
    return bare


def list_tools(shell: Shell, tools: list[dict[str, object]]) -> None:
    shell.write("tools.json", json.dumps({"tools": tools}))


def at_terminal(shell: Shell, *arguments: str, answer: bytes = b"") -> tuple[Ended, bool]:
    """Run a command on a terminal that answers a question; how it ended, and whether it asked."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [str(TOOLWEFT), *arguments],
        cwd=shell.folder,
        env=shell.environ(),
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown, asked = b"", False
        until_s = time.monotonic() + 50
        with suppress(OSError):
            while time.monotonic() < until_s:
                if not select.select([ours], [], [], 0.2)[0]:
                    if process.poll() is not None:
                        break
                    continue
                shown += os.read(ours, 65536)
                if b"[y/N]" in shown and not asked:
                    asked = True
                    os.write(ours, answer)
        assert process.stdout is not None
        out = process.stdout.read()
        process.wait(timeout=20)
    os.close(ours)
    return Ended(code=process.returncode, out=out.decode(), err=shown.decode()), asked


def severities(shell: Shell) -> dict[str, str]:
    """As a command without a terminal sees them."""
    tools = shell.spawn("tools", "--json").json["tools"]
    return {tool["name"]: tool["severity"] for tool in tools}


@pytest.mark.promise("cli.first-use")
def test_the_answer_is_remembered_and_not_asked_for_again(shop: Shell) -> None:
    assert severities(shop)["list_items"] == "destructive"
    first, asked = at_terminal(shop, "tools", answer=b"y\n")
    assert (first.code, asked) == (0, True), first.err
    assert "shop.list_items" in first.err
    assert "Do the 1 marked tools only read? (The other 1 stay closed.)" in first.err
    # The answer counts at once.
    (line,) = [line for line in first.out.splitlines() if line.startswith("shop.list_items")]
    assert "read_only" in line
    assert severities(shop) == {
        "list_items": "read_only",
        "drop[all]": "destructive",
        "hinted": "read_only",
    }
    again, asked = at_terminal(shop, "tools", answer=b"n\n")
    assert (again.code, asked) == (0, False), again.err
    assert oct((shop.folder / ANSWERS).stat().st_mode & 0o777) == "0o600"


@pytest.mark.promise("cli.first-use")
def test_a_program_may_call_what_was_answered_just_now(shop: Shell) -> None:
    program = "try:\n    await shop.list_items()\nexcept ToolError as e:\n    print(e.code, e)"
    ended, asked = at_terminal(shop, "run", "-c", program, answer=b"y\n")
    assert asked
    # It reached the server, which knows no such tool.
    assert "unknown tool list_items" in ended.out, ended.err


@pytest.mark.promise("cli.first-use")
def test_no_is_remembered_too(shop: Shell) -> None:
    _, asked = at_terminal(shop, "tools", answer=b"\n")
    assert asked
    assert severities(shop)["list_items"] == "destructive"
    _, asked = at_terminal(shop, "tools")
    assert not asked


@pytest.mark.promise("cli.first-use")
def test_a_tool_that_changed_is_asked_about_anew(shop: Shell) -> None:
    at_terminal(shop, "tools", answer=b"y\n")
    changed = [{**TOOLS[0], "description": "List and delete items."}, *TOOLS[1:]]
    list_tools(shop, changed)
    assert shop.spawn("cache", "clear").code == 0
    # Pins hold it back; once it is accepted, the old answer does not count for it.
    assert severities(shop)["list_items"] == "destructive"
    assert shop.spawn("pin", "accept", "--all").code == 0
    assert severities(shop)["list_items"] == "destructive"
    ended, asked = at_terminal(shop, "tools", answer=b"y\n")
    assert asked
    assert "shop.list_items" in ended.err
    assert "drop" not in ended.err.partition("[y/N]")[0]
    assert severities(shop)["list_items"] == "read_only"


def test_another_server_of_the_same_name_is_asked_about_anew(shop: Shell) -> None:
    at_terminal(shop, "tools", answer=b"y\n")
    server = {"command": sys.executable, "args": ["-u", str(PLAIN), "from-file", "tools.json"]}
    shop.write("mcp.json", json.dumps({"mcpServers": {"shop": server}}))
    assert severities(shop)["list_items"] == "destructive"


def test_the_configuration_wins_over_an_answer(shop: Shell) -> None:
    at_terminal(shop, "tools", answer=b"y\n")
    config = json.loads((shop.folder / "mcp.json").read_text("utf-8"))
    config["mcpServers"]["shop"]["toolweft"] = {"configs": {"list_*": {"severity": "write"}}}
    shop.write("mcp.json", json.dumps(config))
    assert severities(shop)["list_items"] == "write"


@pytest.mark.parametrize(
    "arguments", [("tools", "--json"), ("tools", "-q"), ("serve",), ("search", "items")]
)
def test_nothing_else_asks(shop: Shell, arguments: tuple[str, ...]) -> None:
    """`serve` on a terminal ends as its input does."""
    _, asked = at_terminal_briefly(shop, *arguments)
    assert not asked
    assert not (shop.folder / ANSWERS).exists()


def at_terminal_briefly(shell: Shell, *arguments: str) -> tuple[int | None, bool]:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [str(TOOLWEFT), *arguments],
        cwd=shell.folder,
        env=shell.environ(),
        stdin=theirs,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        until_s = time.monotonic() + 6
        with suppress(OSError):
            while time.monotonic() < until_s and process.poll() is None:
                if select.select([ours], [], [], 0.2)[0]:
                    shown += os.read(ours, 65536)
        process.terminate()
        process.wait(timeout=20)
    os.close(ours)
    return process.returncode, b"[y/N]" in shown


def test_without_a_terminal_nothing_waits(shop: Shell) -> None:
    ended = shop.spawn("tools", stdin="")
    assert ended.code == 0
    assert "[y/N]" not in ended.err


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 1, "servers": []}', "[" * 99_999])
def test_answers_that_cannot_be_read_are_none(shop: Shell, damage: str) -> None:
    (shop.folder / ANSWERS).parent.mkdir(parents=True)
    shop.write(ANSWERS, damage)
    assert severities(shop)["list_items"] == "destructive"
