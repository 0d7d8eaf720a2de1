"""pydantic-monty by itself, through its asynchronous interface; speaks as `answering` says."""

import asyncio
import json
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pydantic_monty as monty
from answering import answer, timed

_CALLS = 200
_MANY = 50
_MIB = 1024 * 1024
_LIMITS: monty.ResourceLimits = {"max_suspensions": 1_000_000, "max_memory": 1024 * _MIB}
# The library can abort a process that exits at once after its last session.
_SETTLE_S = 0.3

_TEXT = json.dumps("x" * (10 * _MIB))
_ROWS = json.dumps(
    [{"id": i, "name": f"row number {i}", "group": i % 7, "value": i * 1.5} for i in range(100_000)]
)


async def _one(**_arguments: Any) -> int:
    return 1


async def _slow(**_arguments: Any) -> int:
    await asyncio.sleep(0.05)
    return 1


async def _text() -> Any:
    return json.loads(_TEXT)


async def _rows() -> Any:
    return json.loads(_ROWS)


_TOOLS = {"one": _one, "slow": _slow, "text": _text, "rows": _rows}
_PROGRAMS = {
    "live": ("1 + 1", 1),
    "resumed": ("1 + 1", 1),
    "call": (f"for i in range({_CALLS}): await one(i=i)", _CALLS),
    "parallel_1000": (
        "import asyncio\nlen(await asyncio.gather(*[slow(i=i) for i in range(1000)]))",
        1,
    ),
    "text_10_mib": ("len(await text())", 1),
    "dicts_100k": ("len(await rows())", 1),
}


async def _run(session: Any, code: str) -> object:
    return await session.feed_run(code, external_lookup=_TOOLS)


def _private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private"))


class _Pool:
    """A pool of its workers, none of which is used twice."""

    def __init__(self, pool: monty.AsyncMonty) -> None:
        self._pool = pool
        self._session: Any = None

    async def program(self, code: str, per: int) -> float:
        async with self._pool.checkout(limits=_LIMITS) as session:
            await _run(session, "1")
            return await timed(partial(_run, session, code), per=per)

    async def resumed(self, code: str) -> float:
        if self._session is None:
            self._session = await self._pool.checkout(limits=_LIMITS).__aenter__()
            await _run(self._session, "1")
        # The asker has waited since the last answer.
        return await timed(partial(_run, self._session, code))

    async def fresh(self) -> float:
        async def open_and_run() -> None:
            async with self._pool.checkout(limits=_LIMITS) as session:
                await _run(session, "1 + 1")

        return await timed(open_and_run)

    async def many(self) -> float:
        async with AsyncExitStack() as stack:
            return await timed(lambda: self._open_many(stack))

    async def idle_mib(self) -> float:
        async with AsyncExitStack() as stack:
            pids = await self._open_many(stack)
            await asyncio.sleep(_SETTLE_S)
            return sum(map(_private_bytes, pids)) / len(pids) / _MIB

    async def _open_many(self, stack: AsyncExitStack) -> list[int]:
        pids = []
        for _ in range(_MANY):
            session = await stack.enter_async_context(self._pool.checkout(limits=_LIMITS))
            await _run(session, "1 + 1")
            pids.append(session.worker_pid)
        return pids


async def main() -> None:
    """Answer until the asker is done."""
    async with monty.AsyncMonty(max_processes=2 * _MANY, max_checkouts_per_worker=1) as opened:
        pool = _Pool(opened)

        def program(name: str) -> Awaitable[float]:
            code, per = _PROGRAMS[name]
            return pool.resumed(code) if name == "resumed" else pool.program(code, per)

        figures = {name: partial(program, name) for name in _PROGRAMS}
        await answer(
            {**figures, "fresh": pool.fresh, "open_50": pool.many, "idle_mib": pool.idle_mib}
        )
    await asyncio.sleep(_SETTLE_S)


if __name__ == "__main__":
    asyncio.run(main())
