"""What workloads are run over: replayed tools as Python functions, and the desk beside them."""

import json
from pathlib import Path
from typing import Any

import toolweft
from benchmarks.servers.replay import Recording

__all__ = ("desk_files", "python_tools")


class _Recorded(Exception):
    """A recorded failure, raised by a replayed Python tool."""


def python_tools(folder: Path) -> list[toolweft.ToolSpec]:
    """A workload's tools as Python functions, opted in by their declared severity."""
    recording = Recording(folder)

    def build(tool: dict[str, Any]) -> toolweft.ToolSpec:
        def handler(**arguments: Any) -> Any:
            text, is_error = recording.answer(tool["name"], arguments)
            if is_error:
                raise _Recorded(text)
            return text

        return toolweft.ToolSpec(
            name=tool["name"],
            description=tool.get("description", ""),
            parameters=tool["inputSchema"],
            severity="write",
            handler=handler,
        )

    return [build(tool) for tool in recording.tools]


def desk_files(desk: Path | None) -> list[Path]:
    """The desk's recorded definitions, a file for each server; none without a desk."""
    if desk is None:
        return []
    manifest = json.loads((desk / "mcp.json").read_text("utf-8"))["mcpServers"]
    return [desk / "tools" / f"{name}.json" for name in manifest]
