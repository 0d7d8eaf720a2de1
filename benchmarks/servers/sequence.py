"""An MCP server over stdio that replays one source of a set of gold sequences.

    python -m benchmarks.servers.sequence FOLDER SOURCE

It lists the source's tools and `begin_task`. After that, a call is answered by what was recorded
where it is the next one of the task; any other call fails and names both.
"""

import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server

from benchmarks.gold_sets import BEGIN, Position, load_gold_set

_BEGIN_TOOL = types.Tool(
    name=BEGIN,
    description="Start a recorded task over.",
    input_schema={"type": "object", "properties": {"task": {"type": "string"}}},
)


def _build(position: Position) -> Server[Any]:
    # Results are recorded as text alone, in part of another shape than the declared one.
    listed = [
        types.Tool.model_validate({"description": "", **tool, "outputSchema": None})
        for tool in position.tools
    ]

    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[_BEGIN_TOOL, *listed])

    async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        arguments = params.arguments or {}
        if params.name == BEGIN:
            text, is_error = position.begin(arguments["task"]), False
        else:
            text, is_error = position.answer(params.name, arguments)
        return types.CallToolResult(content=[types.TextContent(text=text)], is_error=is_error)

    return Server("sequence", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def _main() -> None:
    server = _build(Position(load_gold_set(Path(sys.argv[1])), sys.argv[2]))
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_main)
