"""The ways on which a gold sequence goes through toolweft: the library, and a running gateway.

Each gives what every call gave: `["ok", value]` or `["failed", code, message]`. A source is told
which task begins before its first call.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.stdio import StdioServerParameters

import toolweft
from benchmarks.gold_sets import BEGIN, GoldCall, GoldSet, GoldTask, Position, load_gold_set, parse
from benchmarks.harness import ROOT

__all__ = (
    "GatewayWays",
    "Given",
    "LibraryWays",
    "build_tools",
    "gateway_of",
    "render_program",
    "write_python_sources",
)

Given = list[Any]

_DECISIONS = {"allowed_callers": ["direct", "programmatic"]}


class LibraryWays:
    """Direct calls and programs of one toolbox in this process."""

    def __init__(self, box: toolweft.Toolbox) -> None:
        self._box = box

    async def direct(self, task: GoldTask) -> list[Given]:
        """One call after the other."""
        for source in _sources(task):
            await self._box.call(f"{source}.{BEGIN}", {"task": task.id})
        return [await self._call(call) for call in task.calls]

    async def _call(self, call: GoldCall) -> Given:
        result = await self._box.call(f"{call.source}.{call.name}", call.arguments)
        if result.failure is not None:
            return ["failed", result.failure.code, result.failure.message]
        return ["ok", result.value]

    async def program(self, task: GoldTask) -> list[Given]:
        """All calls of the task in one program, in a container of its own."""
        outcome = await self._box.run(render_program(task))
        if outcome.container is not None:
            await self._box.containers.close(outcome.container.id)
        return _read_printed(outcome.stdout)


class GatewayWays:
    """The same as a client of a running gateway asks for it, by `call_tool` and `run_code`."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def direct(self, task: GoldTask) -> list[Given]:
        """One request after the other."""
        for source in _sources(task):
            await self._ask("call_tool", name=f"{source}.{BEGIN}", arguments={"task": task.id})
        return [await self._call(call) for call in task.calls]

    async def _call(self, call: GoldCall) -> Given:
        name = f"{call.source}.{call.name}"
        text, is_error = await self._ask("call_tool", name=name, arguments=call.arguments)
        if not is_error:
            return ["ok", parse(text)]
        code, _, message = text.partition("\nhint: ")[0].partition(": ")
        return ["failed", code, message]

    async def program(self, task: GoldTask) -> list[Given]:
        """All calls of the task in one program, and one request."""
        text, _ = await self._ask("run_code", code=render_program(task))
        return _read_printed(text)

    async def _ask(self, tool: str, **arguments: Any) -> tuple[str, bool]:
        result = await self._client.call_tool(tool, arguments)
        texts = [getattr(block, "text", "") for block in result.content]
        return "\n".join(texts), bool(result.is_error)


def render_program(task: GoldTask) -> str:
    """A program that makes a task's calls in order and prints what each gave, as one JSON line."""
    lines = ["import json", "given = []"]
    lines += [f"await {source}.{BEGIN}(task={task.id!r})" for source in _sources(task)]
    for call in task.calls:
        arguments = ", ".join(f"{name}={value!r}" for name, value in call.arguments.items())
        lines += [
            "try:",
            f"    given.append(['ok', await {call.source}.{call.name}({arguments})])",
            "except ToolError as error:",
            "    given.append(['failed', error.code, error.message])",
        ]
    return "\n".join([*lines, "print(json.dumps(given))"])


def _sources(task: GoldTask) -> Sequence[str]:
    return list(dict.fromkeys(call.source for call in task.calls))


def _read_printed(text: str) -> list[Given]:
    """What a program printed; a program that did not get there gave nothing."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    found = parse(first)
    return found if isinstance(found, list) else [["failed", "no_output", text[:300]]]


# ------------------------------------------------------------------------------------ sources


class _Recorded(Exception):
    """A recorded failure, raised by a replayed Python function."""


def build_tools(folder: str, source: str) -> list[toolweft.ToolSpec]:
    """One source of a set as Python functions; a file of `write_python_sources` asks for it."""
    position = Position(load_gold_set(Path(folder)), source)

    def handler(name: str) -> Callable[..., Any]:
        def answer(**arguments: Any) -> Any:
            text, is_error = position.answer(name, arguments)
            if is_error:
                raise _Recorded(text)
            return text

        return answer

    return [
        toolweft.ToolSpec(name=BEGIN, description="Start over.", handler=position.begin),
        *(
            toolweft.ToolSpec(
                name=tool["name"],
                description=tool.get("description", ""),
                parameters=tool["inputSchema"],
                handler=handler(tool["name"]),
            )
            for tool in position.tools
        ),
    ]


def write_python_sources(gold: GoldSet, scratch: Path) -> Path:
    """A configuration with each source of a set as Python functions."""
    lines = []
    for source in gold.tools:
        file = scratch / f"gold_{source}.py"
        file.write_text(
            "from benchmarks.gold_ways import build_tools\n"
            f"tools = build_tools({str(gold.folder.resolve())!r}, {source!r})\n"
        )
        target = json.dumps(f"{file}:tools")
        lines.append(f"[python.{source}]\ntarget = {target}")
    path = scratch / "python.toml"
    path.write_text("\n".join(lines))
    return path


def gateway_of(gold: GoldSet, scratch: Path) -> StdioServerParameters:
    """A gateway over each source of a set as an MCP server."""
    servers = {
        source: {
            "command": sys.executable,
            "args": ["-m", "benchmarks.servers.sequence", str(gold.folder.resolve()), source],
            "env": {"PYTHONPATH": str(ROOT)},
            "cwd": str(ROOT),
            "default_config": _DECISIONS,
        }
        for source in gold.tools
    }
    path = scratch / "servers.json"
    path.write_text(json.dumps({"mcpServers": servers}), "utf-8")
    return StdioServerParameters(
        command=sys.executable,
        args=["-m", "toolweft", "serve", "--config", str(path)],
        env={"TOOLWEFT_LEDGER__URL": f"sqlite:///{scratch / 'gateway.db'}"},
    )
