"""What toolweft adds to a call, a run, a turn and a start, beside its peers in the same run.

    python -m benchmarks.overhead --tools 5000 [--peer fastmcp,harness] [--json]

Peers run in environments of their own (`make bench` builds them); one that is absent is left out
and named. Rounds alternate between toolweft and the peers; figures are medians over all rounds.
"""

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from statistics import median
from typing import Any

import anyio

from benchmarks.harness import ROOT, Report, Samples, load_tokenizer, parser
from benchmarks.overhead_gateway import measure_gateway, measure_help, measure_import
from benchmarks.overhead_own import open_own
from benchmarks.overhead_upstream import measure_upstream

_PEERS = {
    "fastmcp": (".venv-bench-fastmcp", "fastmcp_code.py", "fastmcp"),
    "harness": (".venv-bench-harness", "harness_code.py", "pydantic_ai_harness"),
}
_NEEDS = (
    "approve a budget rule",
    "list the owners of a project",
    "find late parcels",
    "renew a permit for a tenant",
    "count open claims",
)
_SESSION_CALLS = 10_000


class _Peers:
    """Runs each peer's script once a round and keeps what it measured."""

    def __init__(self, wanted: list[str], tools: int) -> None:
        self._tools = tools
        self._pythons = {name: ROOT / _PEERS[name][0] / "bin" / "python" for name in wanted}
        self.missing = [name for name, python in self._pythons.items() if not python.exists()]
        self._values: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))

    def round(self) -> None:
        """Measure every peer that is there once more."""
        for name, python in self._pythons.items():
            if name in self.missing:
                continue
            script = ROOT / "benchmarks" / "peers" / _PEERS[name][1]
            command = [str(python), str(script), "--tools", str(self._tools)]
            done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
            if done.returncode != 0:
                raise SystemExit(f"{name}: {done.stderr[-2000:]}")
            for figure, value in json.loads(done.stdout.splitlines()[-1]).items():
                self._values[name][figure].append(value)

    def imports(self, repeats: int) -> None:
        """Time each peer's import."""
        for name, python in self._pythons.items():
            if name not in self.missing:
                samples = Samples()
                module = _PEERS[name][2]
                measure_import(samples, python=str(python), module=module, repeats=repeats)
                self._values[name]["import_ms"] = samples.values

    def of(self, figure: str) -> dict[str, float | None]:
        """Each peer's median of one figure; None where it has none."""
        return {
            name: median(self._values[name][figure]) if self._values[name].get(figure) else None
            for name in self._pythons
            if name not in self.missing
        }


async def _measure(options: Any, report: Report) -> None:
    tokens = load_tokenizer()
    peers = _Peers([name for name in options.peer.split(",") if name], options.tools)
    report.notes += [f"{name}: no environment, run `make bench`" for name in peers.missing]
    report.notes.append(f"tokens: {tokens.name}; times are medians, *_min_ms the quietest run")
    times: dict[str, Samples] = defaultdict(Samples)
    spent: list[int] = []
    made = 0
    with tempfile.TemporaryDirectory(prefix="toolweft-bench-") as folder:
        scratch = Path(folder)
        async with open_own(scratch, tools=options.tools) as own:
            for round_number in range(options.rounds):
                await own.call(times["call_overhead_ms"], tool="bench_fast", repeats=5)
                await own.call(times["call_overhead_write_ms"], tool="bench_write", repeats=5)
                await own.parallel(times["parallel_100_ms"], count=100, repeats=3)
                await own.parallel(times["parallel_1000_ms"], count=1000, repeats=3)
                await own.fresh(times["fresh_container_ms"], repeats=10)
                await own.live(times["live_run_ms"], times["resumed_run_ms"], repeats=20)
                await own.turn(times["turn_overhead_ms"], repeats=50)
                if round_number == 0:
                    made = await own.session_calls(_SESSION_CALLS)
                    spent = await own.signature(_NEEDS, tokens)
                peers.round()
        ratios = await measure_upstream(scratch, tools=100, repeats=5 * options.rounds)
        await measure_gateway(
            times["gateway_run_ms"], times["gateway_run_10_ms"], scratch, repeats=100
        )
    measure_import(times["import_ms"], python=sys.executable, module="toolweft", repeats=5)
    measure_help(times["help_ms"], repeats=5)
    peers.imports(5)
    bounds = {
        "call_overhead_ms": 0.2,
        "call_overhead_write_ms": 0.3,
        "parallel_100_ms": 65,
        "parallel_1000_ms": 200,
        "fresh_container_ms": 12,
        "live_run_ms": 0.5,
        "resumed_run_ms": 1,
        "turn_overhead_ms": 1,
        "gateway_run_ms": 2.5,
        "gateway_run_10_ms": 5,
        "import_ms": 120,
        "help_ms": 180,
    }
    for figure, bound in bounds.items():
        report.add(figure, times[figure].median, at_most=bound, peers=peers.of(figure))
        report.add(figure.replace("_ms", "_min_ms"), times[figure].low)
    for name, bound in (("road", 1.15), ("call", 1.6), ("call_30", 1.25)):
        report.add(f"upstream_{name}_ratio", ratios.pop(name), at_most=bound)
    for name, value in ratios.items():
        report.add(f"upstream_{name}", value)
    signature = median(spent)
    report.add("signature_tokens", signature, at_most=600, peers=peers.of("signature_tokens"))
    report.add("session_calls", made, at_least=_SESSION_CALLS, peers=peers.of("session_calls"))


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--tools", type=int, default=5_000, help="tools in the catalog")
    options.add_argument("--peer", default="fastmcp,harness", help="peers, comma-separated")
    options.add_argument("--rounds", type=int, default=3, help="rounds over everything")
    given = options.parse_args()
    report = Report("overhead")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
