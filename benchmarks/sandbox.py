"""What a sandbox costs by itself: start, call, large values, memory, many at once.

    python -m benchmarks.sandbox [--backend process] [--tier ns] [--environment FOLDER] [--json]

Below the road: calls are answered at once by this process, without catalog, checks or ledger. A
plain `python -c` is timed in the same rounds, and FastMCP's code mode where its environment is
there (`make env-bench`).
"""

import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

from benchmarks.harness import ROOT, Report, Samples, parser
from toolweft.core.clock import SystemClock
from toolweft.core.ports import GuestCall, GuestNames, GuestReply, SandboxBackend, SandboxSession
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox import SandboxOptions
from toolweft.sandbox.process import ProcessBackend

_MIB = 1024 * 1024
_LIMITS = ProgramLimits(max_calls=20_000, max_in_flight=1_024)
_NAMES = GuestNames(namespaces=("t",))
_ROUNDS = 15
_CALLS = 200
_MANY = 50
_ROWS = 100_000
# Time for an idle guest to be stopped and counted.
_IDLE_S = 0.3
_PEER = (".venv-bench-fastmcp", "benchmarks/peers/fastmcp_sandbox.py")

_SEQUENTIAL = f"for i in range({_CALLS}): await t.one(i=i)"
_PARALLEL = "import asyncio\nlen(await asyncio.gather(*(t.slow(i=i) for i in range(1000))))"
_TEXT = "len(await t.text())"
_DICTS = "len(await t.rows())"

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


async def _run(session: SandboxSession, code: str) -> bytes:
    limits = replace(_LIMITS, max_result_bytes=64 * _MIB)
    outcome = await session.run(code, names=_NAMES, limits=limits, on_call=_answer)
    if outcome.status != "ok":
        raise SystemExit(f"{code!r} ended {outcome.status}: {outcome.error}")
    return outcome.value


async def _timed(samples: Samples, work: Callable[[], Awaitable[Any]], *, per: int = 1) -> None:
    start = time.perf_counter()
    await work()
    samples.add(time.perf_counter() - start, per=per)


class _Figures:
    """The samples of one backend."""

    def __init__(self, backend: SandboxBackend, environment: str | None) -> None:
        self._backend, self._environment = backend, environment
        self._open: list[SandboxSession] = []
        names = ("fresh", "live", "call", "parallel_1000", "text_10_mib", "dicts_100k", "python_c")
        self.of = {name: Samples() for name in names}

    async def open(self) -> SandboxSession:
        session = await self._backend.open(_LIMITS, environment=self._environment)
        self._open.append(session)
        return session

    async def round(self) -> None:
        async def fresh() -> None:
            await _run(await self.open(), "1 + 1")

        await _timed(self.of["fresh"], fresh)
        session = self._open[-1]
        await _run(session, "1")
        await _timed(self.of["live"], lambda: _run(session, "1 + 1"))
        await _timed(self.of["call"], lambda: _run(session, _SEQUENTIAL), per=_CALLS)
        await _timed(self.of["parallel_1000"], lambda: _run(session, _PARALLEL))
        await _timed(self.of["text_10_mib"], lambda: _run(session, _TEXT))
        await _timed(self.of["dicts_100k"], lambda: _run(session, _DICTS))
        await self.close()
        await _timed(self.of["python_c"], _python_c)

    async def many(self) -> tuple[float, float]:
        """Milliseconds to open many containers, and the private MiB of each once idle."""
        samples = Samples()

        async def open_all() -> None:
            for _ in range(_MANY):
                await _run(await self.open(), "1 + 1")

        await _timed(samples, open_all)
        await anyio.sleep(_IDLE_S)
        pids = [pid for session in self._open if (pid := getattr(session, "pid", None))]
        private = sum(map(_private_bytes, pids)) / max(1, len(pids)) / _MIB
        await self.close()
        return samples.median, private

    async def close(self) -> None:
        for session in self._open:
            await session.close()
        self._open.clear()


async def _python_c() -> None:
    await anyio.run_process([sys.executable, "-I", "-c", "print(1 + 1)"])


def _private_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private"))


def _peer(report: Report) -> dict[str, float]:
    python = ROOT / _PEER[0] / "bin/python"
    if not python.exists():
        report.notes.append(f"fastmcp left out: no {_PEER[0]}, see `make env-bench`")
        return {}
    done = subprocess.run(
        [str(python), str(ROOT / _PEER[1])], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise SystemExit(f"fastmcp: {done.stderr[-2000:]}")
    figures: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return figures


_TARGETS = {
    "fresh": 12.0,
    "live": 0.5,
    "call": 0.2,
    "parallel_1000": 200.0,
    "text_10_mib": 60.0,
    "dicts_100k": 250.0,
}


async def _measure(options: Any, report: Report) -> None:
    folder = options.environment
    backend = ProcessBackend(
        SandboxOptions(
            backend=options.backend,
            tier=options.tier,
            environments=None if folder is None else folder.parent.resolve(),
        ),
        clock=SystemClock(),
    )
    async with backend:
        report.notes.append(f"{backend.capabilities.backend}/{backend.capabilities.tier}")
        figures = _Figures(backend, None if folder is None else folder.name)
        await _run(await figures.open(), "1")
        await figures.close()
        for _ in range(_ROUNDS):
            await figures.round()
        opened_ms, private_mib = await figures.many()
    peers = _peer(report)
    for name, samples in figures.of.items():
        if name != "python_c":
            others: dict[str, float | None] = {}
            if name == "fresh":
                others["python -c"] = figures.of["python_c"].median
            if name in peers:
                others["fastmcp"] = peers[name]
            report.add(f"{name}_ms", samples.median, at_most=_TARGETS[name], peers=others)
            report.add(f"{name}_min_ms", samples.low)
    report.add("open_50_ms", opened_ms, at_most=700)
    report.add("idle_private_mib", private_mib, at_most=5)


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--backend", default="process", choices=["process"])
    options.add_argument("--tier", default="auto", choices=["auto", "ns", "landlock", "noopen"])
    options.add_argument("--environment", type=Path, help="an environment's folder")
    given = options.parse_args()
    report = Report("sandbox")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
