"""Calls list no tools: not at their server, and not in the gateway."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp
import pytest
from tests.gateway.fixtures import fixture_over_http, raw
from tests.gateway.library import PATIENT_S, gateway
from tests.sources.support import SERVERS

from toolweft.bootstrap import App
from toolweft.core.calls import Principal
from toolweft.gateway.http import serve_http
from toolweft.gateway.options import HttpOptions
from toolweft.gateway.pass_through import PassThrough
from toolweft.gateway.server import build_server
from toolweft.toolbox import Surface

pytestmark = [pytest.mark.network, pytest.mark.timeout(120)]

# Of one program; of a client, each of which is a request over HTTP.
CALLS, REQUESTS = 1_000, 300
AT_ONCE = 20
READ_ONLY = '[servers.fixture.default_config]\nseverity = "read_only"\n'
PROGRAM = f"""
import asyncio
before = await plain.listings()
said = await asyncio.gather(*(plain.echo(text=str(n)) for n in range({CALLS})))
print(len(set(map(str, said))), before, await plain.listings())
"""


@pytest.mark.process
@pytest.mark.promise("pass-through.no-listing")
async def test_a_thousand_calls_of_a_program_list_nothing_at_their_server(tmp_path: Path) -> None:
    schema = {"type": "object"}
    tools = [{"name": name, "inputSchema": schema} for name in ("echo", "listings")]
    (tmp_path / "tools.json").write_text(json.dumps({"tools": tools}))
    args = [str(SERVERS / "plain.py"), "from-file", str(tmp_path / "tools.json")]
    server = {"command": sys.executable, "args": args, "default_config": {"severity": "read_only"}}
    more = {"limits.max_calls": 2 * CALLS}
    async with (
        gateway(tmp_path, {"plain": server}, **more) as (_, address),
        mcp.Client(address, cache=None) as client,
    ):
        ran = await client.call_tool("run_code", {"code": PROGRAM, "wait_s": 100})

    assert not ran.is_error, ran
    said, before, after = ran.content[0].text.splitlines()[0].split()
    assert int(said) == CALLS
    assert before == after == "1"


@asynccontextmanager
async def counted(app: App, *, passes: bool) -> AsyncIterator[tuple[str, list[str]]]:
    """The address of a gateway, and what grows with every listing of its own."""
    listings: list[str] = []

    async def settle() -> None:
        await app.settle()

    async def surface_for(principal: Principal) -> Surface:
        return app.toolbox_for(principal).surface()

    passing = PassThrough(app.catalog, toolbox_for=app.toolbox_for, settle=settle)
    server = build_server(
        app.toolbox_for,
        surface_for=surface_for,
        version="1",
        passing=passing if passes else None,
    )
    entry = server.get_request_handler("tools/list")
    assert entry is not None

    async def list_tools(ctx: Any, params: Any) -> Any:
        listings.append(ctx.protocol_version)
        return await entry.handler(ctx, params)

    server.add_request_handler("tools/list", entry.params_type, list_tools)
    addresses: list[str] = []
    listening = anyio.Event()

    def note(address: str) -> None:
        addresses.append(address)
        listening.set()

    async def serve() -> None:
        await serve_http(server, HttpOptions(port=0), on_listening=note)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve)
        with anyio.fail_after(PATIENT_S):
            await listening.wait()
        yield addresses[0], listings
        tasks.cancel_scope.cancel()


@pytest.mark.slow
@pytest.mark.parametrize("passes", [True, False], ids=["pass-through", "toolbox"])
@pytest.mark.promise("pass-through.no-listing")
async def test_hundreds_of_calls_of_a_client_list_nothing_here_or_there(
    tmp_path: Path, passes: bool
) -> None:
    async with (
        fixture_over_http() as server,
        gateway(tmp_path, {"fixture": server}, toml=READ_ONLY) as (app, _),
        counted(app, passes=passes) as (address, listings),
        mcp.Client(address, cache=None) as client,
    ):

        async def use(tool: str, **arguments: Any) -> dict[str, Any]:
            if passes:
                return await raw(client, "tools/call", name=tool, arguments=arguments)
            given = {"name": f"fixture.{tool}", "arguments": arguments}
            return await raw(client, "tools/call", name="call_tool", arguments=given)

        async def use_some() -> None:
            for _ in range(REQUESTS // AT_ONCE):
                await use("test_header_tool", region="n")

        # With the first the gateway learns what goes into headers, and here the client too.
        await client.list_tools()
        await use("test_header_tool", region="n")
        before, listed = await use("count"), len(listings)
        async with anyio.create_task_group() as tasks:
            for _ in range(AT_ONCE):
                tasks.start_soon(use_some)
        after = await use("count")

    assert before == after
    assert "listings" in str(before)
    assert len(listings) == listed == 1
