"""An MCP server over stdio with N tools that answer at once or after 50 ms.

`python upstream.py N`
"""

import sys
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server

__all__ = ()

_SCHEMA = {
    "type": "object",
    "properties": {"i": {"type": "integer"}, "slow": {"type": "boolean"}},
    "required": ["i"],
}
_SLOW_S = 0.05


def _build(count: int) -> Server[Any]:
    tools = [
        types.Tool(
            name=f"tool_{number}",
            description=f"Answer number {number}",
            input_schema=_SCHEMA,
            annotations=types.ToolAnnotations(read_only_hint=True),
        )
        for number in range(count)
    ]

    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        arguments = params.arguments or {}
        if arguments.get("slow"):
            await anyio.sleep(_SLOW_S)
        value = {"i": arguments["i"]}
        return types.CallToolResult(
            content=[types.TextContent(text=f'{{"i": {value["i"]}}}')], structured_content=value
        )

    return Server("upstream", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def _main() -> None:
    server = _build(int(sys.argv[1]))
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_main)
