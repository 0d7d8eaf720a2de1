"""FastMCP's code mode by itself, in an environment of its own; speaks as `answering` says."""

import asyncio
import logging
from functools import partial

from answering import answer, timed
from fastmcp import Client, FastMCP
from fastmcp.experimental.transforms.code_mode import CodeMode

_CALLS = 20
# Each of its programs starts in a fresh interpreter, so fresh, live and resumed are one thing.
_EMPTY = ("return 1 + 1", 1)
_PROGRAMS = {
    "fresh": _EMPTY,
    "live": _EMPTY,
    "resumed": _EMPTY,
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
    """Answer until the asker is done."""
    logging.disable(logging.CRITICAL)
    async with Client(_server()) as client:

        def program(name: str):
            code, per = _PROGRAMS[name]
            return timed(lambda: client.call_tool("execute", {"code": code}), per=per)

        await program("live")
        await answer({name: partial(program, name) for name in _PROGRAMS})


if __name__ == "__main__":
    asyncio.run(main())
