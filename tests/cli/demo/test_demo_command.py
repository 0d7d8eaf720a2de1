"""The demo from end to end, over servers that answer as the real ones do."""

import shlex
import sys
from pathlib import Path

import pytest
from tests.cli.shell import FIXTURES, Shell

pytestmark = pytest.mark.process


def install_servers(folder: Path, *, broken: str = "") -> Path:
    """The two programs the demo looks for; the broken one ends at once."""
    folder.mkdir(parents=True)
    for kind in ("git", "time"):
        command = [sys.executable, str(FIXTURES / "demo_servers.py"), kind]
        line = "echo out of order >&2; exit 3" if kind == broken else f"exec {shlex.join(command)}"
        program = folder / f"mcp-server-{kind}"
        program.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
        program.chmod(0o700)
    return folder


def test_the_demo_measures_what_it_shows(bare: Shell) -> None:
    install_servers(bare.folder / ".venv-demo" / "bin")

    ended = bare("demo", "--json")

    shown = ended.json
    assert ended.code == 0, ended.err
    assert shown["faults"] == []
    assert {source["name"] for source in shown["sources"]} == {"git", "time", "expenses"}
    assert shown["status"] == "ok"
    assert "over budget in Q3" in shown["stdout"]
    assert "latest commits:\n- " in shown["stdout"]
    tools = {call["tool"] for call in shown["calls"]}
    assert {"git.git_log", "time.get_current_time", "expenses.list_expenses"} <= tools
    assert all(call["status"] == "ok" and call["arguments"] for call in shown["calls"])
    costs = {cost["way"]: cost for cost in shown["costs"]}
    assert costs["program"]["context_tokens"] < costs["deferred"]["context_tokens"] / 5
    assert {way: cost["round_trips"] for way, cost in costs.items()} == {
        "direct": 3,
        "deferred": 4,
        "program": 3,
    }


def test_the_demo_shows_every_part_and_how_to_connect(bare: Shell, tmp_path: Path) -> None:
    folder = install_servers(tmp_path / "servers")

    ended = bare("demo", "--servers", str(folder))

    assert ended.code == 0, ended.err
    for part in (
        "== sources",
        "async def list_expenses",
        "asyncio.gather",
        "no model is called here",
        "latest commits:",
        "git.git_log(repo_path=",
        "tokens: ",
        "assumed: ",
        "claude mcp add toolweft",
        '"mcpServers"',
    ):
        assert part in ended.out, part


def test_a_demo_with_a_broken_server_says_so_and_fails(bare: Shell, tmp_path: Path) -> None:
    folder = install_servers(tmp_path / "servers", broken="time")

    ended = bare("demo", "--servers", str(folder), "--json")

    assert ended.code == 1
    assert "source 'time' is failed" in ended.err
    assert ended.json["ok"] is False
