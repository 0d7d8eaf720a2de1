"""FastMCP's code mode by itself: start, call and large values; runs in an environment of its own.

Prints one JSON object of medians in milliseconds under the names the sandbox script uses.
"""

import asyncio
import json
import logging
import statistics
import time

from fastmcp import Client, FastMCP
from fastmcp.experimental.transforms.code_mode import CodeMode

_ROUNDS = 5
_CALLS = 20
_PROGRAMS = {
    "live": ("return 1 + 1", 1),
    "call": (
        f"for i in range({_CALLS}):\n    await call_tool('one', {{'i': i}})\nreturn 1",
        _CALLS,
    ),
    "text_10_mib": ("r = await call_tool('text', {})\nreturn 1", 1),
    "dicts_100k": ("r = await call_tool('rows', {})\nreturn 1", 1),
    "parallel_1000": (
        "import asyncio\n"
        "r = await asyncio.gather(*[call_tool('slow', {'i': i}) for i in range(1000)])\n"
        "return len(r)",
        1,
    ),
}


def _server() -> FastMCP:
    server = FastMCP("bench", transforms=[CodeMode()])

    @server.tool
    def one(i: int) -> int:
        return 1

    @server.tool
    async def slow(i: int) -> int:
        await asyncio.sleep(0.05)
        return 1

    @server.tool
    def text() -> str:
        return "x" * (10 * 1024 * 1024)

    @server.tool
    def rows() -> list[dict]:
        return [
            {"id": i, "name": f"row number {i}", "group": i % 7, "value": i * 1.5}
            for i in range(100_000)
        ]

    return server


async def main() -> None:
    """Measure and print."""
    logging.disable(logging.CRITICAL)
    figures = {}
    async with Client(_server()) as client:
        await client.call_tool("execute", {"code": "return 1"})
        for name, (code, per) in _PROGRAMS.items():
            spent = []
            for _ in range(_ROUNDS):
                start = time.perf_counter()
                try:
                    await client.call_tool("execute", {"code": code})
                except Exception as exc:
                    # Its own limits may refuse the size: then there is no figure.
                    print(f"# {name}: {exc!s:.200}")
                    break
                spent.append(1000 * (time.perf_counter() - start) / per)
            if spent:
                figures[name] = statistics.median(spent)
    # Each of its programs starts in a fresh interpreter.
    figures["fresh"] = figures["live"]
    print(json.dumps(figures))


if __name__ == "__main__":
    asyncio.run(main())
