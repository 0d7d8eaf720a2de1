"""The library, the command line and the gateway where Linux' modules and attributes are missing.

Each test is a process that finds another system (see `other_platform`) and runs real programs.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.cli.shell import Ended, Shell, render_config
from tests.other_platform import PLATFORMS

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[1]
PLAIN = ROOT / "tests" / "fixtures" / "servers" / "plain.py"
# Only Linux has what they are made of, and nothing else imports them.
LINUX_ONLY = {"darwin": ("sandbox.process",), "win32": ("sandbox.process", "sandbox.container")}

IMPORTS = """
import importlib, pkgutil, sys
import toolweft
skipped = tuple(f"toolweft.{name}" for name in sys.argv[1:])
count = 0
for module in pkgutil.walk_packages(toolweft.__path__, "toolweft."):
    # The guest runs on Linux alone.
    if module.name.startswith((*skipped, "toolweft.sandbox.guest", "toolweft.sandbox.trial")):
        continue
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
        count += 1
print(count)
"""

LIBRARY = """
import sys
import anyio
import toolweft

@toolweft.tool(severity="read_only")
async def get_rainfall(city: str) -> float:
    "Get this month's rainfall in a city, in millimetres."
    return 12.5

async def main():
    options = {"ledger.url": f"sqlite:///{sys.argv[1]}/ledger.db"}
    async with toolweft.open(tools=[get_rainfall], overrides=options) as box:
        found = await box.search("rainfall in a city")
        called = await box.call("local.get_rainfall", {"city": "Bergen"})
        ran = await box.run("x = await get_rainfall(city='Perth')\\nprint(x)\\nx * 2")
        again = await box.run("x + 1", container_id=ran.container.id)
        print(found.queries[0].hits[0].qualified, called.value, ran.stdout.strip(), ran.value)
        print(again.value, ran.container.backend)

anyio.run(main)
"""

SERVER_ENDS = """
import os, sys
import anyio
from toolweft.sources.mcp.process import open_process
from toolweft.sources.options import StdioServerOptions

async def main():
    for code in ("import sys; sys.stdin.read()", "import time; time.sleep(600)"):
        options = StdioServerOptions(
            name="s", command=sys.executable, args=("-c", code)
        )
        async with open_process(options) as server:
            pid = server._process.pid
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            print("ended")

anyio.run(main)
"""


@pytest.fixture(params=PLATFORMS)
def platform(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    (tmp_path / "home").mkdir()
    shell = Shell(tmp_path)
    shell.write("toolweft.toml", render_config())
    return shell


def command(platform: str, kind: str, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.other_platform", platform, kind, *arguments]


def environ(shell: Shell) -> dict[str, str]:
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return shell.environ(PYTHONPATH=os.pathsep.join(path for path in paths if path))


def run(shell: Shell, platform: str, kind: str, *arguments: str) -> Ended:
    done = subprocess.run(
        command(platform, kind, *arguments),
        cwd=shell.folder,
        env=environ(shell),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


def run_text(shell: Shell, platform: str, text: str, *arguments: str) -> Ended:
    return run(shell, platform, "file", str(shell.write("script.py", text)), *arguments)


@asynccontextmanager
async def gateway(shell: Shell, platform: str) -> AsyncIterator[Client]:
    first, *rest = command(platform, "cli", "serve")
    parameters = StdioServerParameters(
        command=first, args=rest, env=environ(shell), cwd=str(shell.folder)
    )
    with anyio.fail_after(50):
        async with Client(stdio_client(parameters)) as client:
            yield client


def test_the_pretended_system_lacks_what_it_should(shell: Shell) -> None:
    probe = shell.folder / "toolweft.py"
    probe.write_text(
        "import os, signal, select, sys\n"
        "print(sys.platform, hasattr(os, 'fork'), hasattr(signal, 'SIGKILL'), os.sep)\n"
        "try:\n    import fcntl\nexcept ModuleNotFoundError as error:\n    print(error.name)\n"
        "try:\n    from socket import AF_UNIX\nexcept ImportError:\n    print('no AF_UNIX')\n"
    )
    code = f"import sys\nsys.path.insert(0, {str(shell.folder)!r})\nimport toolweft\nimport os\n"
    ended = run_text(shell, "win32", code + "print(hasattr(os, 'fork'))")

    assert ended.out.split("\n") == ["win32 False False /", "fcntl", "no AF_UNIX", "True", ""]


@pytest.mark.promise("house.any-system")
def test_every_module_but_those_of_linux_is_imported(shell: Shell, platform: str) -> None:
    ended = run_text(shell, platform, IMPORTS, *LINUX_ONLY[platform])

    assert ended.code == 0, ended.err
    assert int(ended.out) > 200


@pytest.mark.promise("house.any-system")
def test_the_library_searches_calls_and_runs_a_program(shell: Shell, platform: str) -> None:
    ended = run_text(shell, platform, LIBRARY, str(shell.folder))

    assert ended.code == 0, ended.err
    assert ended.out.splitlines() == [
        "local.get_rainfall 12.5 12.5 25.0",
        "13.5 monty/interpreter",
    ]


COMMANDS = {
    "help": (("--help",), 0, "Usage:"),
    "tools": (("tools",), 0, "desk.add"),
    "search": (("search", "add", "numbers"), 0, "add("),
    "call": (("call", "desk.add", "a=41"), 0, "42"),
    "run": (("run", "-c", "print(await add(a=1, b=1))"), 0, "2"),
    "runs": (("runs",), 0, "tokens kept out"),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_answers(shell: Shell, platform: str, name: str) -> None:
    arguments, code, shown = COMMANDS[name]
    ended = run(shell, platform, "cli", *arguments)

    assert ended.code == code, ended.err
    assert shown in ended.out
    assert "Traceback" not in ended.err


def test_doctor_says_why_no_process_confines_programs(shell: Shell, platform: str) -> None:
    ended = run(shell, platform, "cli", "--json", "doctor")
    found = json.loads(ended.out)
    system = {"darwin": "Darwin", "win32": "Windows"}[platform]

    assert ended.code == 0, ended.err
    assert found["sandbox"] == "monty/interpreter"
    tiers = {tier["tier"]: tier for tier in found["tiers"]}
    assert set(tiers) == {"ns", "landlock", "noopen", "interpreter"}
    assert tiers["ns"]["reason"] == f"the process sandbox runs on Linux, this is {system}"
    assert tiers["interpreter"]["holds"]


@pytest.mark.parametrize("key", ["process", "container"])
def test_a_backend_of_linux_that_is_named_is_refused_with_a_reason(shell: Shell, key: str) -> None:
    shell.write("toolweft.toml", f'{render_config()}\n[sandbox]\nbackend = "{key}"\n')
    ended = run(shell, "win32", "cli", "run", "-c", "1")

    assert ended.code == 1
    assert "Windows" in ended.err
    assert "Traceback" not in ended.err


async def test_a_client_of_the_gateway_runs_a_program_and_reads_a_stored_result(
    shell: Shell, platform: str
) -> None:
    async with gateway(shell, platform) as client:
        ran = await client.call_tool("run_code", {"code": "print(await add(a=1, b=1))"})
        arguments = {"name": "desk.list_rows", "arguments": {"count": 20_000}}
        called = await client.call_tool("call_tool", arguments)
        whole = await client.read_resource(called.content[1].uri)

    assert not ran.is_error
    assert "2" in str(ran.content)
    assert len(json.loads(whole.contents[0].text)) == 20_000


def test_the_gateway_over_http_ends_on_a_signal(shell: Shell, platform: str) -> None:
    with subprocess.Popen(
        command(platform, "cli", "serve", "--http", "127.0.0.1:0"),
        cwd=shell.folder,
        env=environ(shell),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as serving:
        assert serving.stderr is not None
        line = serving.stderr.readline()
        serving.send_signal(signal.SIGTERM)
        _out, errors = serving.communicate(timeout=20)

    assert line.startswith("serving MCP at http://127.0.0.1:"), line + errors
    assert "Traceback" not in errors
    assert serving.returncode == 0


def test_the_gateway_over_stdio_ends_on_a_signal_while_it_reads(
    shell: Shell, platform: str
) -> None:
    request = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    with subprocess.Popen(
        command(platform, "cli", "serve"),
        cwd=shell.folder,
        env=environ(shell),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as serving:
        assert serving.stdin is not None
        assert serving.stdout is not None
        serving.stdin.write(json.dumps(request) + "\n")
        serving.stdin.flush()
        answer = serving.stdout.readline()
        serving.send_signal(signal.SIGTERM)
        # Its standard input stays open: the thread that reads it must not hold it back.
        code = serving.wait(timeout=20)

    assert json.loads(answer)["id"] == 1
    assert code == 0


def test_servers_are_ended_without_process_groups(shell: Shell, platform: str) -> None:
    ended = run_text(shell, platform, SERVER_ENDS)

    assert ended.out.splitlines() == ["ended", "ended"], ended.err


def test_a_server_over_stdio_is_used(shell: Shell, platform: str) -> None:
    servers = {"plain": {"command": sys.executable, "args": [str(PLAIN)]}}
    shell.write("mcp.json", json.dumps({"mcpServers": servers}))
    (shell.folder / "toolweft.toml").unlink()
    ended = run(shell, platform, "cli", "call", "plain.echo", "text=hi")

    assert ended.code == 0, ended.err
    assert "hi" in ended.out
