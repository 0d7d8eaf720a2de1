"""Times of one sandbox backend of ours: starts, runs, calls, large values, many at once, an end.

Below the road: calls are answered at once by this process, without catalog, checks or ledger.
"""

import json
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from benchmarks.harness import Samples
from toolweft.core.ports import GuestCall, GuestNames, GuestReply, SandboxBackend, SandboxSession
from toolweft.core.programs import ProgramLimits

__all__ = ("IDLE_S", "MANY", "OwnSandbox", "private_mib", "run_program", "timed")

MANY = 50
# Longer than a container stays unpaused after a run.
IDLE_S = 0.15
_MIB = 1024 * 1024
_LIMITS = ProgramLimits(max_calls=20_000, max_in_flight=1_024, max_result_bytes=64 * _MIB)
_NAMES = GuestNames(namespaces=("t",))
_CALLS = 200
_ROWS = 100_000
_SPINNING = 8
_SPIN_S = 2.0

_SEQUENTIAL = f"for i in range({_CALLS}): await t.one(i=i)"
_PARALLEL = "import asyncio\nlen(await asyncio.gather(*[t.slow(i=i) for i in range(1000)]))"
_TEXT = "len(await t.text())"
_DICTS = "len(await t.rows())"
_ENDLESS = "await t.wait()"
_SPIN = "while True: pass"

_BIG_TEXT = json.dumps("x" * (10 * _MIB)).encode()
_BIG_ROWS = json.dumps(
    [{"id": i, "name": f"row number {i}", "group": i % 7, "value": i * 1.5} for i in range(_ROWS)]
).encode()


async def _answer(call: GuestCall) -> GuestReply:
    match call.name:
        case "t.text":
            return GuestReply(payload=_BIG_TEXT)
        case "t.rows":
            return GuestReply(payload=_BIG_ROWS)
        case "t.slow":
            await anyio.sleep(0.05)
        case _:
            pass
    return GuestReply(payload=b"1")


async def run_program(session: SandboxSession, code: str) -> bytes:
    """The value of a program that has to go well."""
    outcome = await session.run(code, names=_NAMES, limits=_LIMITS, on_call=_answer)
    if outcome.status != "ok":
        raise SystemExit(f"{code!r} ended {outcome.status}: {outcome.error}")
    return outcome.value


async def timed(samples: Samples, work: Callable[[], Awaitable[Any]], *, per: int = 1) -> None:
    """Take one time of some work, divided over `per` equal operations."""
    start = time.perf_counter()
    await work()
    samples.add(time.perf_counter() - start, per=per)


def private_mib(session: SandboxSession) -> float | None:
    """What a container's process has for itself alone; None where there is no such process."""
    pid = getattr(session, "pid", None) or getattr(session, "process_id", None)
    if not isinstance(pid, int):
        return None
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
        kib = sum(int(line.split()[1]) for line in lines if line.startswith("Private"))
        return kib / 1024
    return None


class OwnSandbox:
    """Measures one open backend; `of` has the samples by figure, in milliseconds."""

    def __init__(self, backend: SandboxBackend) -> None:
        self._backend = backend
        self._open: list[SandboxSession] = []
        self._idle: SandboxSession | None = None
        self.of: dict[str, Samples] = defaultdict(Samples)
        self.idle_mib: float | None = None

    async def round(self) -> None:
        """Every figure of a single container once more."""
        await timed(self.of["fresh"], self._fresh)
        session = self._open[-1]
        await run_program(session, "1")
        for name, code, per in (
            ("live", "1 + 1", 1),
            ("call", _SEQUENTIAL, _CALLS),
            ("parallel_1000", _PARALLEL, 1),
            ("text_10_mib", _TEXT, 1),
            ("dicts_100k", _DICTS, 1),
        ):
            await timed(self.of[name], partial(run_program, session, code), per=per)
        await self._cancel(session)
        await self._close()
        await self._resumed()

    async def many(self) -> None:
        """The time to open many containers, and what each holds once idle."""

        async def open_all() -> None:
            for _ in range(MANY):
                await self._fresh()

        await timed(self.of[f"open_{MANY}"], open_all)
        await anyio.sleep(2 * IDLE_S)
        held = [mib for session in self._open if (mib := private_mib(session)) is not None]
        self.idle_mib = sum(held) / len(held) if held else None
        await self._close()

    async def lateness(self, late: Samples) -> None:
        """How late a task of the host is that wants to run every millisecond, programs spinning."""
        sessions = [await self._opened() for _ in range(_SPINNING)]
        async with anyio.create_task_group() as tasks:
            for session in sessions:
                tasks.start_soon(_spin, session)
            await watch_lateness(late, seconds=_SPIN_S)
            tasks.cancel_scope.cancel()
        await self._close()

    async def end(self) -> None:
        """Close the container that idled between the rounds."""
        if self._idle is not None:
            self._open.append(self._idle)
            await self._close()

    async def _opened(self) -> SandboxSession:
        session = await self._backend.open(_LIMITS)
        self._open.append(session)
        return session

    async def _fresh(self) -> None:
        await run_program(await self._opened(), "1 + 1")

    async def _resumed(self) -> None:
        if self._idle is None:
            self._idle = await self._backend.open(_LIMITS)
            for _ in range(10):
                await run_program(self._idle, "1 + 1")
        idle = self._idle
        await anyio.sleep(IDLE_S)
        await timed(self.of["resumed"], lambda: run_program(idle, "1 + 1"))

    async def _cancel(self, session: SandboxSession) -> None:
        """From a cancellation to the end of the run, and to that of the call it waited for."""
        waits, ended_s = anyio.Event(), []

        async def wait(_call: GuestCall) -> GuestReply:
            try:
                waits.set()
                await anyio.sleep_forever()
            finally:
                ended_s.append(time.perf_counter())
            return GuestReply(payload=b"1")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_run_until_cancelled, session, wait)
            await waits.wait()
            start = time.perf_counter()
            tasks.cancel_scope.cancel()
        self.of["cancel"].add(time.perf_counter() - start)
        self.of["cancel_call"].add(ended_s[0] - start)

    async def _close(self) -> None:
        for session in self._open:
            await session.close()
        self._open.clear()


async def watch_lateness(late: Samples, *, seconds: float) -> None:
    """Sleep a millisecond again and again; how much longer each took."""
    end = time.perf_counter() + seconds
    while (start := time.perf_counter()) < end:
        await anyio.sleep(0.001)
        late.add(max(0.0, time.perf_counter() - start - 0.001))


async def _run_until_cancelled(session: SandboxSession, on_call: Any) -> None:
    await session.run(_ENDLESS, names=_NAMES, limits=_LIMITS, on_call=on_call)


async def _spin(session: SandboxSession) -> None:
    limits = replace(_LIMITS, wall_s=60.0, active_s=60.0)
    await session.run(_SPIN, names=_NAMES, limits=limits, on_call=_answer)
