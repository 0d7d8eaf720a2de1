"""Runs hostile and legitimate programs through the whole product and judges from the host.

    python -m benchmarks.hostile --data programs.jsonl --backend process [--rows FILE] [--json]

With `--without LAYER` one layer of the sandbox is left out, in a backend of this script alone: the
judge must then report escapes, for a judge that sees nothing is broken. The programs then really
do what they try, so this is refused to root; run it as a user who owns nothing.
"""

import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio

import toolweft
from benchmarks.harness import Report, Rows, data_root, parser
from benchmarks.hostile_judge import Seen, escapes, verdict
from benchmarks.hostile_world import Canaries, GrantedTools
from toolweft.bootstrap import open_app
from toolweft.config import load_settings
from toolweft.core.calls import LOCAL
from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxError
from toolweft.core.ports import SandboxBackend
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox import ProcessBackend
from toolweft.sandbox.options import SandboxOptions
from toolweft.sandbox.process.tiers import TIERS

_MIB = 1024 * 1024
# The collection's own limits.
_LIMITS = ProgramLimits(
    memory_bytes=256 * _MIB,
    active_s=3.0,
    wall_s=5.0,
    max_calls=200,
    max_in_flight=32,
    max_output_characters=1 * _MIB,
    max_argument_bytes=1 * _MIB,
    max_result_bytes=4 * _MIB,
    disk_bytes=64 * _MIB,
    max_files=64,
)
# How the interpreter says that it has not got what a program names; nothing wrong came of it.
_NOT_THERE = (
    "UnsupportedSyntax",
    "ModuleNotFoundError",
    "ImportError",
    "NameError",
    "AttributeError",
    "PermissionError",
    "RuntimeError: Internal error in monty",
)
# How long forged frames may still cause calls after the outcome was reported.
_LATE_CALL_S = 1.3


class _Host:
    """What can be seen of this process from the system."""

    @staticmethod
    def rss() -> int:
        """Resident bytes of this process."""
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @staticmethod
    def descriptors() -> int:
        """Open file descriptors of this process."""
        return len(list(Path("/proc/self/fd").iterdir()))

    @staticmethod
    def descendants() -> set[int]:
        """Processes below this one, at any depth."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    fields = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()
                except OSError:
                    continue
                if fields[0] != "Z":
                    parents[int(entry.name)] = int(fields[1])
        below: set[int] = set()
        wave = {os.getpid()}
        while wave:
            wave = {pid for pid, parent in parents.items() if parent in wave} - below
            below |= wave
        return below


class _Bench:
    """One open product with the collection's tools, reused for every program."""

    def __init__(self, box: toolweft.Toolbox, tools: GrantedTools, canaries: Canaries) -> None:
        self._box = box
        self._tools = tools
        self._canaries = canaries

    async def judge(self, program: dict[str, Any]) -> Seen:
        """Run one program in a fresh container and note everything the host sees."""
        self._tools.reset()
        self._canaries.contacts.clear()
        self._canaries.signals = 0
        state = self._canaries.state()
        gc.collect()
        before = (_Host.rss(), _Host.descriptors(), _Host.descendants())
        start = time.perf_counter()
        outcome = await self._box.run(self._canaries.fill(program["code"]), limits=_LIMITS)
        wall_s = time.perf_counter() - start
        made = len(self._tools.calls)
        if program["category"] == "rpc":
            await anyio.sleep(_LATE_CALL_S)
        probes = [] if len(self._tools.calls) == made else ["call after the outcome"]
        await self._close(outcome)
        error = outcome.error
        seen = Seen(
            status=outcome.status,
            limit=outcome.limit,
            stdout=outcome.stdout,
            value=json.dumps(outcome.value, default=str),
            error="" if error is None else f"{error.type}: {error.message}\n{error.traceback}",
            line=None if error is None else error.line,
            wall_s=wall_s,
            rss_growth_bytes=0,
            arguments=[json.dumps(arguments)[:100_000] for _, arguments in self._tools.calls],
            probes=probes,
        )
        # What the program left in this process's memory goes before it is weighed.
        del outcome, error
        probes += await self._left_behind(before[1], before[2], state)
        gc.collect()
        seen.rss_growth_bytes = max(0, _Host.rss() - before[0])
        return seen

    async def _left_behind(
        self, descriptors: int, processes: set[int], state: list[tuple[str, int, int]]
    ) -> list[str]:
        """Names of everything that should be gone or untouched and is not."""
        found = [f"ungranted tool {name}" for name in self._tools.forbidden]
        found += [f"bad arguments for {name}" for name in self._tools.invalid()]
        found += [f"contact {name}" for name in self._canaries.contacts]
        found += ["signal"] * bool(self._canaries.signals)
        found += ["canary changed"] * (self._canaries.state() != state)
        with anyio.move_on_after(1.0):
            while (
                _Host.descendants() - processes
                or self._tools.sleeping
                or _Host.descriptors() > descriptors
            ):
                await anyio.sleep(0.02)
        found += [f"process {pid} alive" for pid in _Host.descendants() - processes]
        found += ["tool not cancelled"] * bool(self._tools.sleeping)
        found += ["descriptors left"] * (_Host.descriptors() > descriptors)
        return found

    async def pool_works(self) -> bool:
        """Whether an ordinary program still runs right."""
        outcome = await self._box.run("print(1 + 1)", limits=_LIMITS)
        await self._close(outcome)
        return outcome.stdout == "2\n"

    async def _close(self, outcome: toolweft.ProgramOutcome) -> None:
        # A program that broke its container took it along.
        if outcome.container is not None:
            with suppress(SandboxError):
                await self._box.containers.close(outcome.container.id)


def _config(granted: Sequence[str], folder: Path, options: Any) -> dict[str, str]:
    """Grants as a user writes them: nothing in programs but the named tools."""
    path = folder / "toolweft.toml"
    lines = ["[catalog.default_config]", 'allowed_callers = ["direct"]']
    for name in granted:
        lines += [f'[catalog.configs."{name}"]', 'allowed_callers = ["direct", "programmatic"]']
    path.write_text("\n".join(lines) + "\n", "utf-8")
    engine = {"engine": options.engine, "image": options.image, "pool_size": "0"}
    return {
        # Containers made ahead would come and go between one count of descriptors and the next.
        **{f"sandbox.container.{key}": value for key, value in engine.items() if value},
        "ledger.url": f"sqlite:///{folder / 'ledger.db'}",
        "calls.max_result_bytes": str(_LIMITS.max_result_bytes),
        "sandbox.backend": options.backend,
        "sandbox.tier": options.tier,
    }


async def _unproven(*_: object) -> None:
    """Accept a tier without a dry run; only for a tier weakened on purpose."""


def _weakened(options: Any) -> SandboxBackend | None:
    """The wanted tier without one of its layers; None where all stay."""
    if not options.without:
        return None
    if os.geteuid() == 0:
        raise SystemExit("--without: not as root; the programs would really do what they try")
    name = "ns" if options.tier == "auto" else options.tier
    tier = next(tier for tier in TIERS if tier.name == name)
    if options.without not in tier.layers:
        raise SystemExit(f"--without: tier {name!r} has only {sorted(tier.layers)}")
    weaker = replace(tier, layers=tier.layers - {options.without})
    # The one candidate is the weaker tier, so whatever is wanted is that.
    return ProcessBackend(SandboxOptions(), clock=SystemClock(), tiers=(weaker,), proof=_unproven)


@asynccontextmanager
async def _open(
    scratch: Path, tools: Sequence[toolweft.ToolSpec], overrides: dict[str, str], options: Any
) -> AsyncIterator[toolweft.Toolbox]:
    settings = load_settings(
        config=scratch / "toolweft.toml",
        overrides=overrides,
        environ={},
        cwd=scratch,
        home=scratch,
    )
    async with open_app(settings, tools=tools, sandbox=_weakened(options)) as app:
        await app.settle()
        yield app.toolbox_for(LOCAL)


async def _run_group(
    programs: list[dict[str, Any]],
    extra: Sequence[str],
    options: Any,
    totals: dict[str, int],
    rows: Rows,
) -> None:
    with tempfile.TemporaryDirectory(prefix="toolweft-hostile-") as folder:
        scratch = Path(folder)
        (scratch / "canaries").mkdir()
        canaries = Canaries(scratch / "canaries")
        tools_path = options.tools or options.data.parent / "tools.json"
        tools = GrantedTools(tools_path, canaries.secret)
        overrides = _config(tools.granted, scratch, options)
        async with AsyncExitStack() as stack:
            canaries.listen()
            stack.callback(canaries.close)
            opened = _open(scratch, tools.specs(extra), overrides, options)
            bench = _Bench(await stack.enter_async_context(opened), tools, canaries)
            # Twice, and then a moment: the ledger's files are open before anything is counted.
            if not (await bench.pool_works() and await bench.pool_works()):
                raise SystemExit("the sandbox does not run an ordinary program")
            await anyio.sleep(_LATE_CALL_S)
            for program in programs:
                seen = await bench.judge(program)
                found = escapes(seen, canaries.secret)
                wrong = verdict(program, seen, deadline_s=_LIMITS.wall_s)
                works = await bench.pool_works()
                totals["programs"] += 1
                totals["escapes"] += bool(found)
                totals["pool_failures"] += not works
                totals[f"{program['must']}"] += 1
                totals[f"{program['must']}_right"] += wrong is None and not found
                lacks = options.backend == "monty" and seen.error.startswith(_NOT_THERE)
                totals[f"{program['must']}_unsupported"] += bool(wrong) and lacks and not found
                rows.write(
                    id=program["id"],
                    status=seen.status,
                    limit=seen.limit,
                    stdout=seen.stdout[:100_000],
                    error=seen.error,
                    line=seen.line,
                    wall_s=round(seen.wall_s, 3),
                    rss_growth_bytes=seen.rss_growth_bytes,
                    probes=found,
                    wrong=wrong,
                )
                if (found or wrong) and not options.json:
                    print(f"{program['id']}: escapes {found}, {wrong}", file=sys.stderr)


async def _measure(options: Any, report: Report) -> None:
    lines = options.data.read_text("utf-8").splitlines()
    programs = [json.loads(line) for line in lines if line.strip()]
    if options.only:
        programs = [program for program in programs if program["id"] in options.only.split(",")]
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for program in programs:
        extra = [e if isinstance(e, str) else e["name"] for e in program.get("catalog") or []]
        groups.setdefault(tuple(extra), []).append(program)
    totals = dict.fromkeys(("programs", "escapes", "pool_failures"), 0)
    for kind in ("allowed", "blocked", "limited"):
        totals[kind] = totals[f"{kind}_right"] = totals[f"{kind}_unsupported"] = 0
    rows = Rows(options.rows)
    for ungranted, group in groups.items():
        await _run_group(group, ungranted, options, totals, rows)
    report.add("programs", totals["programs"])
    report.add("escapes", totals["escapes"], at_most=0)
    report.add("pool_failures", totals["pool_failures"], at_most=0)
    names = {"normal_programs": "allowed", "blocked_right": "blocked", "limited_right": "limited"}
    for name, kind in names.items():
        unsupported = totals[f"{kind}_unsupported"]
        report.add(name, totals[f"{kind}_right"], at_least=totals[kind] - unsupported)
        if options.backend == "monty":
            report.add(f"{kind}_unsupported", unsupported)


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--backend", default="process", choices=["process", "monty", "container"])
    options.add_argument("--engine", default="", help="of containers: unix:///path of its socket")
    options.add_argument("--image", default="", help="of containers")
    options.add_argument("--tier", default="auto", choices=["auto", "ns", "landlock", "noopen"])
    options.add_argument("--tools", type=Path, help="tools.json; default: beside the programs")
    options.add_argument("--without", default="", help="a layer to leave out, to test the judge")
    options.add_argument("--only", default="", help="ids of programs, comma-separated")
    given = options.parse_args()
    if given.data is None or given.data.is_dir():
        given.data = data_root(given.data, "sandbox") / "programs.jsonl"
    report = Report("hostile")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
