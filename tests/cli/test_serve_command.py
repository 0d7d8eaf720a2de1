"""The gateway through the real entry point, with the protocol's own client."""

import base64
import json
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from tests.cli.fixtures.pictures import DOT
from tests.cli.shell import FIXTURES, TOOLWEFT, Shell

pytestmark = pytest.mark.process

# Above what a call's result may have.
HUGE = 16 * 1024**2
FOUR = {"search_tools", "describe_tools", "call_tool", "run_code"}


@asynccontextmanager
async def over_stdio(shell: Shell, *arguments: str) -> AsyncIterator[Client]:
    parameters = StdioServerParameters(
        command=str(TOOLWEFT),
        args=["serve", *arguments],
        env=shell.environ(),
        cwd=str(shell.folder),
    )
    with anyio.fail_after(40):
        async with Client(stdio_client(parameters)) as client:
            yield client


async def test_a_client_over_stdio_searches_and_runs_a_program(shell: Shell) -> None:
    async with over_stdio(shell) as client:
        listed = await client.list_tools()
        found = await client.call_tool("search_tools", {"queries": ["add numbers"]})
        ran = await client.call_tool(
            "run_code",
            {
                "code": "import asyncio\n"
                "print(await asyncio.gather(add(a=1, b=1), desk.echo(text='hi')))"
            },
        )

    assert {tool.name for tool in listed.tools} >= FOUR
    assert "desk.add" in str(found.content)
    assert not ran.is_error
    assert "[2, 'hi']" in str(ran.content)


@pytest.mark.parametrize(
    ("written", "flags", "passes"),
    [
        ("true", (), True),
        ("true", ("--no-pass-through",), False),
        ("false", ("--pass-through",), True),
        ("false", (), False),
    ],
)
async def test_the_configuration_says_what_is_listed_and_a_flag_beats_it(
    with_config: Callable[[str], Shell], written: str, flags: tuple[str, ...], passes: bool
) -> None:
    shell = with_config(f"[gateway]\npass_through = {written}\n")
    async with over_stdio(shell, *flags) as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}

    assert (listed & FOUR == set()) is passes


async def test_a_client_over_stdio_is_passed_every_tool(shell: Shell) -> None:
    async with over_stdio(shell, "--pass-through") as client:
        listed = {tool.name for tool in (await client.list_tools()).tools}
        added = await client.call_tool("add", {"a": 1, "b": 1})

    assert listed >= {"add", "echo"}
    assert not listed & FOUR
    assert [block.text for block in added.content] == ["2"]


@pytest.mark.promise("handles.links")
async def test_a_client_reads_what_was_too_large_to_show(shell: Shell) -> None:
    async with over_stdio(shell) as client:
        called = await client.call_tool(
            "call_tool", {"name": "desk.list_rows", "arguments": {"count": 20_000}}
        )
        text, link = called.content
        listed = await client.list_resources()
        templates = await client.list_resource_templates()
        part = await client.read_resource(f"{link.uri}?path=$[*].square&slice=3:5")
        whole = await client.read_resource(link.uri)
        with pytest.raises(MCPError, match="handle_not_found"):
            await client.read_resource(f"{link.uri}0")
        ran = await client.call_tool(
            "run_code", {"code": f"print(len(await load({link.name!r})), load({link.name!r}))"}
        )

    assert link.type == "resource_link"
    assert "20,000 rows" in text.text
    assert len(text.text) < 500
    assert [resource.uri for resource in listed.resources] == [link.uri]
    assert templates.resource_templates[0].uri_template.startswith("toolweft://handles/{id}")
    assert json.loads(part.contents[0].text)["rows"] == [9, 16]
    assert len(json.loads(whole.contents[0].text)) == 20_000
    assert "20000 <handle" in str(ran.content)


@pytest.mark.promise("handles.images")
async def test_a_client_sees_the_images_a_program_ends_with(
    with_config: Callable[[str], Shell],
) -> None:
    target = json.dumps(str(FIXTURES / "pictures.py"))
    shell = with_config(f"[python.pictures]\ntarget = {target}\n")
    programs = {
        "as it came": ("await pictures.draw()", 1),
        "among others": ("dot = await pictures.draw()\n{'n': 2, 'dots': [dot, dot]}", 2),
        "made inside": ("import base64\nBlob(base64.b64decode(DOT), 'image/png')", 1),
        "only printed": ("print(await pictures.draw())", 0),
    }
    dot = base64.b64encode(DOT).decode()
    async with over_stdio(shell) as client:
        direct = await client.call_tool("call_tool", {"name": "pictures.draw", "arguments": {}})
        for name, (code, count) in programs.items():
            ran = await client.call_tool("run_code", {"code": code.replace("DOT", repr(dot))})
            text, *images = ran.content
            assert not ran.is_error, text
            assert text.type == "text", name
            # As a direct call shows it.
            assert images == direct.content * count, name
        huge = await client.call_tool("run_code", {"code": f"await pictures.draw(padding={HUGE})"})

    (shown,) = direct.content
    assert (shown.type, shown.mime_type, shown.data) == ("image", "image/png", dot)
    text, link = huge.content
    assert f"{HUGE + len(DOT):,} bytes" in text.text
    assert (link.type, link.mime_type) == ("resource_link", "image/png")


async def test_initialize_is_answered_while_a_server_hangs(bare: Shell) -> None:
    bare.write("mcp.json", '{"mcpServers": {"stuck": {"command": "sleep", "args": ["600"]}}}')

    async with over_stdio(bare) as client:
        assert client.server_info.name == "toolweft"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_serve_over_http_says_where_and_ends_on_a_signal(
    shell: Shell, number: signal.Signals
) -> None:
    with subprocess.Popen(
        [TOOLWEFT, "serve", "--http", "127.0.0.1:0"],
        cwd=shell.folder,
        env=shell.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as serving:
        assert serving.stderr is not None
        line = serving.stderr.readline()
        serving.send_signal(number)
        out, errors = serving.communicate(timeout=20)

    assert line.startswith("serving MCP at http://127.0.0.1:")
    assert out == ""
    assert "Traceback" not in errors
    assert serving.returncode == 0


def test_an_open_address_without_keys_is_refused(shell: Shell) -> None:
    ended = shell.spawn("serve", "--http", "0.0.0.0:0")

    assert ended.code == 2
    assert "keys" in ended.err


def test_a_client_that_leaves_ends_the_server(shell: Shell) -> None:
    ended = shell.spawn("serve", stdin="")

    assert (ended.code, ended.out) == (0, "")


async def test_a_front_serves_what_a_service_with_the_same_token_file_serves(
    shell: Shell,
) -> None:
    serve = [str(TOOLWEFT), "serve", "--http", "127.0.0.1:0", "--token-file", "token"]
    service = await anyio.open_process(serve, cwd=shell.folder, env=shell.environ())
    try:
        said = ""
        with anyio.fail_after(40):
            while "/mcp\n" not in said:
                assert service.stderr is not None
                said += (await service.stderr.receive()).decode()
        url = said.split()[-1]
        async with over_stdio(shell, "--attach", url, "--token-file", "token") as client:
            added = await client.call_tool(
                "call_tool", {"name": "desk.add", "arguments": {"a": 1, "b": 2}}
            )
        assert added.content[0].text == "3"
        refused = shell("serve", "--attach", url, "--token-file", "other")
        assert (refused.code, "'other' cannot be read" in refused.err) == (2, True)
    finally:
        service.terminate()
        await service.aclose()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--attach", "http://a/mcp", "--http"), "one serves, the other is served"),
        (("--attach", "http://a/mcp", "--pass-through"), "decided by the service"),
        (("--attach", "http://a/mcp", "--no-pass-through"), "give --no-pass-through to"),
        (("--token-file", "t"), "nobody who wants it"),
        (("--attach", "nowhere"), "'nowhere' is not an http:// or https:// address"),
        (("--attach", "http://a/mcp", "8765"), "but no --http"),
    ],
)
def test_a_front_that_makes_no_sense_is_refused(
    bare: Shell, arguments: tuple[str, ...], said: str
) -> None:
    ended = bare("serve", *arguments)
    assert ended.code == 2
    assert said in ended.err


async def test_code_of_a_user_imports_the_sdk_in_its_own_order(shell: Shell) -> None:
    (shell.folder / "first.py").write_text(
        "from mcp.client.session_group import ClientSessionGroup\n\n"
        "__all__ = ['name']\n\n"
        "def name() -> str:\n"
        '    """The name of a class of the SDK."""\n'
        "    return ClientSessionGroup.__name__\n"
    )
    with (shell.folder / "toolweft.toml").open("a") as config:
        config.write('\n[python.first]\ntarget = "first.py"\n')
    async with over_stdio(shell) as client:
        ran = await client.call_tool("call_tool", {"name": "first.name", "arguments": {}})
    assert "ClientSessionGroup" in str(ran.content)
