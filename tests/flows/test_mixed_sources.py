"""One program over an MCP server, an OpenAPI service and a Python function, in one gather.

Each of the three answers once all three have been called, so that calls one after the other would
never end.
"""

import json
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp
import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolweft.testing.vendors.serving import ServedApp

pytestmark = [pytest.mark.process, pytest.mark.network, pytest.mark.timeout(120)]

SERVER = """
import json, sys, urllib.request
from mcp.server import MCPServer
from mcp_types import ToolAnnotations

server = MCPServer("clock")

@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def read_clock(zone: str) -> dict[str, str]:
    '''Read a clock.'''
    with urllib.request.urlopen(sys.argv[1] + "/meet/" + zone) as answer:
        return json.load(answer)

server.run("stdio")
"""
FUNCTION = """
import json, urllib.request
from toolweft import tool

@tool(severity="read_only")
def read_desk(drawer: int) -> dict[str, str]:
    '''Read what is in a drawer.'''
    with urllib.request.urlopen({url!r} + f"/meet/drawer-{{drawer}}") as answer:
        return json.load(answer)
"""
DESCRIPTION = {
    "openapi": "3.1.0",
    "info": {"title": "Meetings", "version": "1"},
    "paths": {
        "/meet/{who}": {
            "get": {
                "operationId": "meet",
                "parameters": [
                    {"name": "who", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "responses": {"200": {"description": "Who came"}},
            }
        }
    },
}
# What is searched for, and the tool that it is.
NEEDS = {"read a clock": "read_clock", "what is in a drawer": "read_desk", "meet": "meet"}
PROGRAM = """
import asyncio
clock, service, desk = await asyncio.gather(
    clocks.read_clock(zone="utc"), meetings.meet(who="service"), desk.read_desk(drawer=3)
)
print(clock["came"], service["came"], desk["came"])
"""

FORGIVING = """
import asyncio
clock, service, desk = await asyncio.gather(
    clocks.read_clock(zone="utc"), meetings.meet(who="service"), desk.read_desk(drawer=3),
    return_exceptions=True,
)
print(clock["came"], service["came"], desk.code)
"""


@asynccontextmanager
async def meeting(expected: int) -> AsyncIterator[str]:
    """A service that answers nobody before as many have come."""
    came: list[str] = []
    everybody = anyio.Event()

    async def meet(request: Request) -> Response:
        came.append(request.path_params["who"])
        if len(came) == expected:
            everybody.set()
        with anyio.fail_after(60):
            await everybody.wait()
        return JSONResponse({"came": request.path_params["who"]})

    async with ServedApp(Starlette(routes=[Route("/meet/{who}", meet)])) as url:
        yield url


def write_sources(folder: Path, url: str) -> Path:
    (folder / "server.py").write_text(SERVER)
    (folder / "desk_tools.py").write_text(FUNCTION.format(url=url))
    (folder / "openapi.json").write_text(json.dumps(DESCRIPTION))
    config = folder / "toolweft.toml"
    config.write_text(
        f"[servers.clocks]\ncommand = {json.dumps(sys.executable)}\n"
        f"args = {json.dumps([str(folder / 'server.py'), url])}\n"
        f'[openapi.meetings]\npath = "openapi.json"\nbase_url = "{url}"\n'
        '[python.desk]\ntarget = "desk_tools.py"\n'
    )
    return config


@asynccontextmanager
async def gateway(config: Path) -> AsyncIterator[Callable[..., Any]]:
    """Asks a running gateway, as a client does."""
    environment = {**os.environ, "HOME": str(config.parent)}
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "toolweft", "serve", "--config", str(config)],
        env=environment,
    )
    async with mcp.Client(stdio_client(command)) as client:
        # As clients do first: it waits until the sources are there.
        await client.list_tools()

        async def ask(tool: str, **arguments: Any) -> str:
            result = await client.call_tool(tool, arguments)
            return "\n".join(getattr(block, "text", "") for block in result.content)

        yield ask


def is_found(answer: str) -> bool:
    """Whether an answer has the stub of every tool that is needed."""
    return all(f"async def {name}(" in answer for name in NEEDS.values())


@pytest.mark.promise("programs.mixed-sources")
async def test_tools_of_every_kind_of_source_answer_one_gather(tmp_path: Path) -> None:
    async with meeting(3) as url:
        config = write_sources(tmp_path, url)
        with anyio.fail_after(90):
            async with gateway(config) as ask:
                # A busy machine may need longer than a listing waits.
                while not is_found(await ask("search_tools", queries=list(NEEDS))):
                    pass
                printed = await ask("run_code", code=PROGRAM)

    assert printed.splitlines()[0] == "utc service drawer-3"


async def test_one_kind_of_source_that_fails_leaves_the_others_results(tmp_path: Path) -> None:
    async with meeting(2) as url:
        config = write_sources(tmp_path, url)
        broken = FUNCTION.format(url="http://127.0.0.1:1")
        (tmp_path / "desk_tools.py").write_text(broken)
        with anyio.fail_after(90):
            async with gateway(config) as ask:
                printed = await ask("run_code", code=FORGIVING)

    assert printed.splitlines()[0] == "utc service tool_error"
