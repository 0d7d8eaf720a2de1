"""How a peer answers: one line names a figure, the answer has its milliseconds.

    -> "live"
    <- {"ms": 0.31}
    <- {"ms": null, "why": "it has no containers"}

Runs in a peer's own environment, so it needs the standard library alone. It does not know who asks.
"""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping

Work = Callable[[], Awaitable[object]]


async def timed(work: Work, *, per: int = 1) -> float:
    """Milliseconds of one piece of work, divided over `per` equal operations."""
    start = time.perf_counter()
    await work()
    return 1000 * (time.perf_counter() - start) / per


async def answer(figures: Mapping[str, Callable[[], Awaitable[float]]]) -> None:
    """Answer until standard input ends; a figure that is not listed is one this peer has not."""
    while line := await asyncio.to_thread(sys.stdin.readline):
        figure = figures.get(json.loads(line))
        reply: dict[str, object] = {"ms": None, "why": "it has no such thing"}
        if figure is not None:
            try:
                reply = {"ms": await figure()}
            except Exception as exc:
                # Its own limits may refuse a size: then there is no figure.
                reply = {"ms": None, "why": f"{type(exc).__name__}: {exc!s:.200}"}
        print(json.dumps(reply), flush=True)
