"""A call to real stdio servers: bare client, host road alone, program with road and ledger.

Everything speaks the same protocol revision, and the three are measured in turn.
"""

import json
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from statistics import median

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters

import toolweft
from benchmarks.harness import ROOT, kept_in

__all__ = ("measure_upstream",)

_SERVER = ROOT / "benchmarks" / "servers" / "upstream.py"
_NAMES = ("first", "second", "third")
_CALLS = 50
_SEQUENTIAL = f"for i in range({_CALLS}):\n    await first.tool_5(i=i)\n"
_PARALLEL = (
    "import asyncio\n"
    "sources = [first, second, third]\n"
    "await asyncio.gather(*[sources[i % 3].tool_5(i=i, slow=True) for i in range(30)])\n"
)


async def measure_upstream(scratch: Path, *, tools: int, repeats: int) -> dict[str, float]:
    """Ratios to the bare client, each the median over interleaved pairs."""
    command = {"command": sys.executable, "args": [str(_SERVER), str(tools)]}
    config = scratch / "upstream.json"
    config.write_text(json.dumps({"mcpServers": dict.fromkeys(_NAMES, command)}), "utf-8")
    overrides = kept_in(scratch / "upstream")
    parameters = StdioServerParameters(command=sys.executable, args=[str(_SERVER), str(tools)])
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(Client(parameters)) for _ in _NAMES]
        box = await stack.enter_async_context(toolweft.open(config, overrides=overrides))
        for client in clients:
            # The SDK lists by itself before its first call; that is not what is measured.
            await client.list_tools()
            await client.call_tool("tool_5", {"i": 0})
        container = (await box.run("pass")).container
        assert container is not None

        async def bare() -> None:
            for i in range(_CALLS):
                await clients[0].call_tool("tool_5", {"i": i})

        async def road() -> None:
            for i in range(_CALLS):
                result = await box.call("first.tool_5", {"i": i})
                assert not result.is_error, result.failure

        async def program() -> None:
            outcome = await box.run(_SEQUENTIAL, container_id=container.id)
            assert outcome.status == "ok", outcome.error

        async def bare_30() -> None:
            async with anyio.create_task_group() as tasks:
                for i in range(30):
                    arguments = {"i": i, "slow": True}
                    tasks.start_soon(clients[i % 3].call_tool, "tool_5", arguments)

        async def program_30() -> None:
            outcome = await box.run(_PARALLEL, container_id=container.id)
            assert outcome.status == "ok", outcome.error

        figures = await _ratios(bare, {"road": road, "call": program}, repeats)
        figures |= await _ratios(bare_30, {"call_30": program_30}, repeats)
        return figures


async def _ratios(
    base: Callable[[], Awaitable[None]],
    others: dict[str, Callable[[], Awaitable[None]]],
    repeats: int,
) -> dict[str, float]:
    ratios: dict[str, list[float]] = {name: [] for name in others}
    spent: list[float] = []
    for _ in range(repeats):
        spent.append(await _time(base))
        for name, other in others.items():
            ratios[name].append(await _time(other) / spent[-1])
    bare = {f"bare_{'_'.join(others)}_ms": median(spent) * 1000}
    return {name: median(values) for name, values in ratios.items()} | bare


async def _time(work: Callable[[], Awaitable[None]]) -> float:
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start
