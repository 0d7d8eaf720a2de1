"""What a sandbox costs by itself: start, call, large values, memory, many at once, an end.

    python -m benchmarks.sandbox [--tier ns] [--environment FOLDER] [--rounds 15] [--json]

Below the road: calls are answered at once, without catalog, checks or ledger. Beside the process
backend, in the same rounds: our interpreter backend, pydantic-monty by itself, FastMCP's code mode
where its environment is there (`make env-bench`), and a plain `python -c`. Figures are medians,
`*_min_*` the quietest round; null is what a peer has not, or refuses.
"""

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.harness import ROOT, Report, Samples, parser
from benchmarks.sandbox_own import IDLE_S, OwnSandbox, run_program, timed, watch_lateness
from benchmarks.sandbox_packages import measure_packages, prepare_environment
from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxUnavailable
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox import SandboxOptions
from toolweft.sandbox.process import ProcessBackend

_PEERS = {
    "pydantic-monty": (Path(sys.executable), "monty_sandbox.py"),
    "fastmcp": (ROOT / ".venv-bench-fastmcp/bin/python", "fastmcp_sandbox.py"),
}
_PEER_TIMEOUT_S = 120.0
_MAX_ANSWER_BYTES = 64 * 1024
_ROUND = ("fresh", "live", "call", "parallel_1000", "text_10_mib", "dicts_100k", "resumed")
_ONCE = ("open_50", "idle_mib")
_IDLE_LATENESS_S = 1.0
_TARGETS = {
    "fresh": 12.0,
    "live": 0.5,
    "resumed": 1.0,
    "call": 0.2,
    "parallel_1000": 200.0,
    "text_10_mib": 60.0,
    "dicts_100k": 250.0,
    "cancel": 500.0,
    "cancel_call": 500.0,
    "open_50": 700.0,
}


class _Peer:
    """One peer's process, asked figure by figure."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self._process = process
        self._answers = BufferedByteReceiveStream(process.stdout)
        self.of: dict[str, Samples] = defaultdict(Samples)
        # Why a figure is null, by its name.
        self.refused: dict[str, str] = {}

    async def ask(self, figure: str) -> None:
        """Have one figure measured once more; one that was refused is not asked for again."""
        if figure in self.refused:
            return
        assert self._process.stdin is not None
        await self._process.stdin.send(json.dumps(figure).encode() + b"\n")
        with anyio.fail_after(_PEER_TIMEOUT_S):
            line = await self._answers.receive_until(b"\n", _MAX_ANSWER_BYTES)
        answer = json.loads(line)
        if answer["ms"] is None:
            self.refused[figure] = answer["why"]
        else:
            self.of[figure].values.append(answer["ms"])

    def median(self, figure: str) -> float | None:
        """Its median; None where it has no such figure."""
        return self.of[figure].median if self.of[figure].values else None


@asynccontextmanager
async def _started_peers(report: Report) -> AsyncIterator[dict[str, _Peer]]:
    peers: dict[str, _Peer] = {}
    async with AsyncExitStack() as stack:
        for name, (python, script) in _PEERS.items():
            if not python.exists():
                report.notes.append(f"{name} left out: no {python}, see `make env-bench`")
                continue
            command = [str(python), str(ROOT / "benchmarks" / "peers" / script)]
            process = await anyio.open_process(command, stderr=subprocess.DEVNULL)
            await stack.enter_async_context(process)
            peers[name] = _Peer(process)
        yield peers


async def _python_c() -> None:
    await anyio.run_process([sys.executable, "-I", "-c", "print(1 + 1)"])


async def _enter_monty(stack: AsyncExitStack, report: Report) -> OwnSandbox | None:
    """The interpreter backend, where it is installed and holds."""
    try:
        from toolweft.sandbox.monty import MontyBackend

        backend = MontyBackend(SandboxOptions(), clock=SystemClock())
        return OwnSandbox(await stack.enter_async_context(backend))
    except (ImportError, SandboxUnavailable) as fault:
        report.notes.append(f"our monty backend left out: {fault}")
        return None


async def _measure(options: Any, report: Report) -> None:
    late, idle_late, python_c = Samples(), Samples(), Samples()
    async with AsyncExitStack() as stack:
        backend = ProcessBackend(SandboxOptions(tier=options.tier), clock=SystemClock())
        await stack.enter_async_context(backend)
        own = OwnSandbox(backend)
        report.notes.append(f"{backend.capabilities.backend}/{backend.capabilities.tier}")
        await run_program(session := await backend.open(ProgramLimits()), "1")
        await session.close()
        monty = await _enter_monty(stack, report)
        peers = await stack.enter_async_context(_started_peers(report))
        ours = [own] if monty is None else [own, monty]
        for _ in range(options.rounds):
            for sandbox in ours:
                await sandbox.round()
            await timed(python_c, _python_c)
            for peer in peers.values():
                for figure in _ROUND:
                    if figure == "resumed":
                        await anyio.sleep(IDLE_S)
                    await peer.ask(figure)
        for sandbox in ours:
            await sandbox.many()
        for peer in peers.values():
            for figure in _ONCE:
                await peer.ask(figure)
        await watch_lateness(idle_late, seconds=_IDLE_LATENESS_S)
        await own.lateness(late)
        for sandbox in ours:
            await sandbox.end()
    _add_figures(report, own, monty, peers, python_c)
    _add_lateness(report, late, idle_late)
    folder = options.environment or await prepare_environment(report)
    await measure_packages(folder, options.tier, report)


def _add_figures(
    report: Report,
    own: OwnSandbox,
    monty: OwnSandbox | None,
    peers: dict[str, _Peer],
    python_c: Samples,
) -> None:
    for name, bound in _TARGETS.items():
        others: dict[str, float | None] = {
            "our monty": monty.of[name].median if monty and monty.of[name].values else None
        }
        others |= {peer: answers.median(name) for peer, answers in peers.items()}
        others["python -c"] = python_c.median if name == "fresh" else None
        report.add(f"{name}_ms", own.of[name].median, at_most=bound, peers=others)
        report.add(f"{name}_min_ms", own.of[name].low)
    memory: dict[str, float | None] = {"our monty": None if monty is None else monty.idle_mib}
    memory |= {peer: answers.median("idle_mib") for peer, answers in peers.items()}
    memory["python -c"] = None
    report.add("idle_private_mib", own.idle_mib, at_most=5, peers=memory)
    for peer, answers in peers.items():
        report.notes += [
            f"{peer}, {figure}: {why}"
            for figure, why in answers.refused.items()
            if figure not in _ONCE
        ]


def _add_lateness(report: Report, late: Samples, idle: Samples) -> None:
    for name, samples in (("late", late), ("late_idle", idle)):
        values = sorted(samples.values)
        report.add(f"{name}_p50_ms", statistics.median(values))
        report.add(f"{name}_p95_ms", values[int(0.95 * (len(values) - 1))])
        report.add(f"{name}_max_ms", values[-1])


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--tier", default="auto", choices=["auto", "ns", "landlock", "noopen"])
    options.add_argument("--environment", type=Path, help="a folder with numpy and pandas")
    options.add_argument("--rounds", type=int, default=15, help="interleaved rounds over all")
    given = options.parse_args()
    report = Report("sandbox")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
