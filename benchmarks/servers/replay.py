"""An MCP server over stdio that answers recorded calls: `python replay.py FOLDER`.

FOLDER holds `tools.json` (an array of `{name, description, inputSchema, ...}`) and `results.jsonl`
(`{name, arguments, result, is_error}` a line); a call is answered by what was recorded for the
same name and arguments.
"""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp.server.lowlevel.server import Server
from mcp.server.stdio import stdio_server

__all__ = ("Recording",)


class Recording:
    """Recorded tools and results of one workload folder."""

    def __init__(self, folder: Path) -> None:
        self.tools: list[dict[str, Any]] = json.loads((folder / "tools.json").read_text("utf-8"))
        self._results: dict[str, tuple[str, bool]] = {}
        for line in (folder / "results.jsonl").read_text("utf-8").splitlines():
            row = json.loads(line)
            key = self._key(row["name"], row["arguments"])
            self._results[key] = (row["result"], bool(row["is_error"]))

    @staticmethod
    def _key(name: str, arguments: dict[str, Any]) -> str:
        return json.dumps([name, arguments], sort_keys=True)

    def answer(self, name: str, arguments: dict[str, Any]) -> tuple[str, bool]:
        """The recorded text and whether it is an error."""
        missing = (f"nothing was recorded for {name} with {arguments!r}", True)
        return self._results.get(self._key(name, arguments), missing)


def _build(recording: Recording) -> Server[Any]:
    tools = [types.Tool.model_validate({"description": "", **tool}) for tool in recording.tools]

    async def list_tools(_context: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=tools)

    async def call_tool(_context: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        text, is_error = recording.answer(params.name, params.arguments or {})
        return types.CallToolResult(content=[types.TextContent(text=text)], is_error=is_error)

    return Server("replay", version="1", on_list_tools=list_tools, on_call_tool=call_tool)


async def _main() -> None:
    server = _build(Recording(Path(sys.argv[1])))
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(_main)
