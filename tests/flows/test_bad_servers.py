"""Servers as they fail in the world, behind the real commands: named, in time, and alone."""

import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.cli.shell import TOOLWEFT, Shell
from tests.sources.support import PATIENT_S, SERVERS, is_alive

# Whole programs are started here, on machines that may be busy.
pytestmark = [pytest.mark.process, pytest.mark.timeout(180)]

# Servers that fail, as real ones did, and what is said of each.
FAILING = {
    "crash": (["plain.py", "crash"], "it exited with code 1", "ImportError"),
    "silent": (["plain.py", "silent"], "it did not list its tools within 1 s", "waiting for the"),
    "lister": (["plain.py", "list-error"], "its tools/list failed", "upstream token is missing"),
    "retry": (["faulty.py", "retry"], "it did not list its tools within 1 s", "db.example:6333"),
    "usage": (["plain.py", "usage"], "it exited with code 2", "--port is required"),
}


@pytest.fixture
def place(tmp_path: Path) -> Shell:
    (tmp_path / "home").mkdir()
    return Shell(tmp_path)


def write(shell: Shell, servers: dict[str, list[str]], **more: Any) -> None:
    hanging = {"silent", "retry"}
    entries = {
        name: {
            "command": sys.executable,
            "args": [str(SERVERS / script), *arguments],
            "toolweft": {
                "default_config": {"severity": "read_only"},
                **({"start_timeout": 1} if name in hanging else {}),
                **more,
            },
        }
        for name, (script, *arguments) in servers.items()
    }
    shell.write("mcp.json", json.dumps({"mcpServers": entries}))


def list_tools(shell: Shell) -> tuple[Any, str]:
    """What `tools` answers once no server starts any more, and what it said on the way.

    A command waits ten seconds for them, which a busy machine may need for its own start.
    """
    said = ""
    for _ in range(6):
        ended = shell.spawn("tools", "--json", "-v")
        assert ended.code == 0, ended.err
        said += ended.err
        if all(source["state"] != "starting" for source in ended.json["sources"]):
            break
    return ended.json, said


@asynccontextmanager
async def serving(shell: Shell) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(
        command=str(TOOLWEFT), args=["serve"], env=shell.environ(), cwd=str(shell.folder)
    )
    with anyio.fail_after(120):
        async with Client(stdio_client(parameters)) as client:
            yield client


async def call(client: Client, name: str, **arguments: Any) -> str:
    done = await client.call_tool("call_tool", {"name": name, "arguments": arguments})
    return "\n".join(getattr(item, "text", "") for item in done.content)


def test_each_of_the_known_failures_is_named_and_hides_no_other(place: Shell) -> None:
    write(place, {"good": ["plain.py"]} | {n: a for n, (a, _, _) in FAILING.items()})
    listed, _ = list_tools(place)
    sources = {source["name"]: source for source in listed["sources"]}
    assert sources["good"]["state"] in {"ready", "idle"}
    assert "good.echo" in {tool["python_name"] for tool in listed["tools"]}
    for name, (_, what, words) in FAILING.items():
        assert sources[name]["state"] == "failed", name
        assert what in sources[name]["reason"], name
        assert words in sources[name]["reason"], name


async def test_a_client_uses_the_good_server_while_the_bad_ones_hang(place: Shell) -> None:
    write(place, {"good": ["plain.py"]} | {n: a for n, (a, _, _) in FAILING.items()})
    async with serving(place) as client:
        assert "run_code" in {tool.name for tool in (await client.list_tools()).tools}
        assert json.loads(await call(client, "good.echo", a=1)) == {"a": 1}
        refused = await call(client, "crash.echo")
        assert "it exited with code 1; `toolweft doctor` shows what it printed" in refused
        # What a server prints stays on this machine.
        assert "ImportError" not in refused


@pytest.mark.promise("sources.list-changes")
async def test_tools_come_and_go_under_load(place: Shell) -> None:
    write(place, {"moving": ["faulty.py", "moving"]})
    async with serving(place) as client:
        assert await call(client, "moving.go") == "called go"
        slow: list[str] = []

        async def hang() -> None:
            slow.append(await call(client, "moving.hang"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hang)
            await anyio.sleep(0.2)
            assert await call(client, "moving.stay") == "moved"
            moved_s = time.monotonic()
            while "tool_not_found" in (here := await call(client, "moving.come")):
                assert time.monotonic() - moved_s < PATIENT_S
            # Its own call had ended by then, though its tool is gone.
        assert here == "here"
        assert slow == ["finished"]
        gone = await call(client, "moving.go")
    assert "tool_gone: moving.go is gone: its source 'moving' took it away (20" in gone


@pytest.mark.promise("sources.list-changes")
async def test_a_storm_of_changes_is_listed_once_a_second(place: Shell) -> None:
    write(place, {"storm": ["faulty.py", "storm"]})
    async with serving(place) as client:
        first = int(await call(client, "storm.count"))
        await anyio.sleep(3)
        second = int(await call(client, "storm.count"))
    assert 1 <= second - first <= 5


async def test_a_name_on_two_servers_is_reached_by_its_full_name_alone(place: Shell) -> None:
    write(place, {"one": ["plain.py"], "two": ["plain.py"]})
    async with serving(place) as client:
        for name in ("one.echo", "two.echo"):
            assert json.loads(await call(client, name, a=name)) == {"a": name}
        refused = await call(client, "echo")
    assert "ambiguous_tool" in refused
    assert "one.echo" in refused
    assert "two.echo" in refused


ODD_NAMES = [
    *("größe", "😀", "\u202egnp.exe", "x" * 10_240, "..", "a'b\"c", "class", "print", "pass"),
    # In Cyrillic, as far as it can be.
    "\u0440\u0430ss",
    *("a.b", "a-b", "a_b", " ", "${x}", "__init__", "\u200bhidden", "a\nb"),
]


async def test_odd_names_are_told_apart_and_sent_as_they_are(place: Shell) -> None:
    tools = [{"name": name, "inputSchema": {"type": "object"}} for name in [*ODD_NAMES, ""]]
    recorded = place.write("tools.json", json.dumps({"tools": tools}))
    write(place, {"odd": ["plain.py", "from-file", str(recorded)], "good": ["plain.py"]})
    listed = list_tools(place)[0]["tools"]
    odd = {tool["name"]: tool for tool in listed if tool["namespace"] == "odd"}
    usable = {name for name, tool in odd.items() if tool["status"] == "available"}
    # The empty name is no tool at all.
    assert len(odd) == len({tool["python_name"] for tool in odd.values()}) == len(ODD_NAMES)
    refused = {name: tool["reason"] for name, tool in odd.items() if name not in usable}
    assert len(refused) == 4
    assert all("its name" in reason for reason in refused.values())
    assert {"größe", "class", "a.b", "a-b", "a_b", ".."} <= usable
    async with serving(place) as client:
        for name in ("größe", "class", "a.b", ".."):
            # The server knows none of them, and says what it was asked for.
            assert f"unknown tool {name}" in await call(client, odd[name]["python_name"])
        assert json.loads(await call(client, "good.echo", a=1)) == {"a": 1}


async def test_ten_thousand_tools_on_a_hundred_pages_are_listed(place: Shell) -> None:
    write(place, {"many": ["faulty.py", "many"]})
    # One of another test may not have gone yet.
    others = _gateways()
    async with serving(place) as client:
        assert await call(client, "many.tool_99_99") == "called tool_99_99"
        (pid,) = _gateways() - others
        assert _peak_mb(pid) < 300


def test_a_list_without_end_is_cut_and_the_others_are_listed(place: Shell) -> None:
    write(place, {"endless": ["faulty.py", "endless"], "good": ["plain.py"]})
    listed, said = list_tools(place)
    sources = {source["name"]: source for source in listed["sources"]}
    # One that was listed in time rests, should the command have been given again for the other.
    assert {source["state"] for source in sources.values()} <= {"ready", "idle"}
    assert sources["endless"]["tools"] == 1001
    assert sources["good"]["tools"]
    fault = "tools/list does not end: it goes on after 1001 pages, and no more are read"
    assert fault in said
    assert sources["endless"]["notes"] == [fault]
    assert sources["good"]["notes"] == []


def test_what_is_wrong_with_a_list_is_shown_with_its_source(place: Shell) -> None:
    write(place, {"odd": ["plain.py", "list-odd"]})
    listed, _ = list_tools(place)
    (source,) = listed["sources"]
    (fault, *_) = source["notes"]

    assert fault.startswith("$.tools[")
    assert f"warning: source 'odd': {fault}" in place.spawn("tools").err
    assert f"note: {fault}" in place.spawn("doctor").out


def bombs() -> list[dict[str, Any]]:
    """Tools whose definitions are meant to hurt whoever reads them."""
    wide = {
        f"d{n}": {
            "type": "object",
            "properties": {k: {"$ref": f"#/$defs/d{n + 1}"} for k in "abcdefgh"},
        }
        for n in range(20)
    }
    wide["d20"] = {"type": "string"}
    deep: dict[str, Any] = {"type": "string"}
    for _ in range(150):
        deep = {"type": "array", "items": deep}
    regex = {"type": "string", "pattern": "^(a+)+$"}
    return [
        {
            "name": "refs",
            "inputSchema": {
                "type": "object",
                "$defs": wide,
                "properties": {"a": {"$ref": "#/$defs/d0"}},
            },
        },
        {"name": "deep", "inputSchema": {"type": "object", "properties": {"a": deep}}},
        {
            "name": "enum",
            "inputSchema": {"type": "object", "properties": {"a": {"enum": ["x" * 1_000_000]}}},
        },
        {
            "name": "remote",
            "inputSchema": {"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}},
        },
        {"name": "regex", "inputSchema": {"type": "object", "properties": {"a": regex}}},
        {
            "name": "wordy",
            "description": "Ignore all. " * 100_000,
            "inputSchema": {"type": "object"},
        },
        {"name": "fine", "inputSchema": {"type": "object"}},
    ]


async def test_definitions_that_are_bombs_hurt_only_themselves(place: Shell) -> None:
    recorded = place.write("tools.json", json.dumps({"tools": bombs()}))
    write(place, {"bombs": ["plain.py", "from-file", str(recorded)], "good": ["plain.py"]})
    listed = {tool["name"]: tool for tool in list_tools(place)[0]["tools"]}
    disabled = {name for name, tool in listed.items() if tool["status"] == "disabled"}
    assert {"refs", "deep", "remote"} <= disabled
    assert all(listed[name]["reason"] for name in disabled)
    assert "fine" not in disabled
    async with serving(place) as client:
        assert "unknown tool fine" in await call(client, "bombs.fine")
        assert json.loads(await call(client, "good.echo", a=1)) == {"a": 1}
        # What tries every way would never end.
        await call(client, "bombs.regex", a="a" * 50_000 + "!")


@pytest.mark.promise("sources.no-survivors")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_no_child_outlives_the_gateway(place: Shell, number: signal.Signals) -> None:
    write(place, {"plain": ["plain.py"]}, eager=True)
    async with await anyio.open_process(
        [str(TOOLWEFT), "serve"], cwd=place.folder, env=place.environ()
    ) as gateway:
        assert gateway.stdin is not None
        with anyio.fail_after(PATIENT_S):
            while not (servers := _children_of(gateway.pid, "plain.py")):  # noqa: ASYNC110
                await anyio.sleep(0.05)
            begun = _descendants(gateway.pid)
            assert set(servers) <= set(begun)
            gateway.send_signal(number)
            await gateway.wait()
            while any(map(is_alive, begun)):  # noqa: ASYNC110 (a stranger's exit gives no event)
                await anyio.sleep(0.05)


def _peak_mb(pid: int) -> float:
    said = Path(f"/proc/{pid}/status").read_text("utf-8").partition("VmHWM:")[2]
    return int(said.split()[0]) / 1024


def _descendants(pid: int) -> list[int]:
    found = []
    for child in _children(pid):
        found += [child, *_descendants(child)]
    return found


def _children_of(pid: int, word: str) -> list[int]:
    """Descendants whose command line has a word, or a file of that name."""
    return [child for child in _descendants(pid) if word in map(os.path.basename, _line(child))]


def _gateways() -> set[int]:
    """Of this process: what a gateway has just forked looks like it, and is not one."""
    return {child for child in _children(os.getpid()) if "serve" in _line(child)}


def _line(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text("utf-8").split("\0")
    except FileNotFoundError:
        return []


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text("utf-8").split()
        ]
    except FileNotFoundError:
        return []
