"""FastMCP's code mode over the same synthetic tools; runs in an environment of its own.

    python fastmcp_code.py --tools 5000

Prints one JSON object of figures under the names the overhead script uses.
"""

import argparse
import asyncio
import json
import logging
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastmcp import Client, FastMCP
from fastmcp.client.transports import StdioTransport
from fastmcp.experimental.transforms.code_mode import CodeMode

from synthetic import functions, timing_functions

_SEQUENTIAL = """
for i in range({count}):
    await call_tool("bench_fast", {{"i": i}})
return 1
"""
_PARALLEL = """
import asyncio
rows = await asyncio.gather(*[call_tool("bench_slow", {{"i": i}}) for i in range({count})])
return len(rows)
"""
_FEW, _MANY = 1, 11


async def _time(client: Client, code: str, repeats: int) -> float:
    spent = []
    for _ in range(repeats):
        start = time.perf_counter()
        await client.call_tool("execute", {"code": code})
        spent.append(time.perf_counter() - start)
    return statistics.median(spent) * 1000


def _text(answer: object) -> str:
    return "\n".join(getattr(block, "text", "") for block in answer.content)


async def _signature(client: Client) -> int | None:
    """Tokens of search and schema, both calls and both answers."""
    try:
        import tiktoken

        encoding = tiktoken.get_encoding("o200k_base")
    except Exception:
        return None
    query = "approve a budget rule"
    found = _text(await client.call_tool("search", {"query": query}))
    schema = _text(await client.call_tool("get_schema", {"tools": ["approve_budgets_rule"]}))
    return sum(len(encoding.encode(text)) for text in (query, found, schema))


def _build(count: int) -> FastMCP:
    server = FastMCP("synthetic")
    for function in (*functions(count), *timing_functions()):
        server.tool(function)
    server.add_transform(CodeMode(max_tool_calls=None))
    return server


async def _gateway(count: int) -> dict[str, float]:
    """The same over stdio, as a process of its own."""
    transport = StdioTransport(sys.executable, [__file__, "--tools", str(count), "--serve"])
    async with Client(transport) as client:
        await client.call_tool("execute", {"code": "return 1"})
        return {
            "gateway_run_ms": await _time(client, "return 1", 5),
            "gateway_run_10_ms": await _time(client, _SEQUENTIAL.format(count=10), 3),
        }


async def _main(count: int) -> None:
    async with Client(_build(count)) as client:
        await client.call_tool("execute", {"code": "return 1"})
        few = await _time(client, _SEQUENTIAL.format(count=_FEW), 3)
        many = await _time(client, _SEQUENTIAL.format(count=_MANY), 3)
        empty = await _time(client, "return 1", 5)
        figures = {
            "call_overhead_ms": (many - few) / (_MANY - _FEW),
            "fresh_container_ms": empty,
            "turn_overhead_ms": empty,
            "signature_tokens": await _signature(client),
        }
        # Every inner call lists the catalog again: at 5,000 tools these take seconds.
        if count <= 1_000:
            figures["parallel_100_ms"] = await _time(client, _PARALLEL.format(count=100), 3)
    figures |= await _gateway(count)
    print(json.dumps({name: value for name, value in figures.items() if value is not None}))


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tools", type=int, default=5_000)
    arguments.add_argument("--serve", action="store_true", help="be the server, over stdio")
    given = arguments.parse_args()
    if given.serve:
        _build(given.tools).run(transport="stdio", show_banner=False)
    else:
        asyncio.run(_main(given.tools))
