"""Runs hostile and legitimate programs through the whole product and judges from the host.

    python -m benchmarks.hostile --data programs.jsonl --backend process [--rows FILE] [--json]

Every program runs several times alone and once beside others; after each the same pool has to run
an ordinary program. With `--without LAYER` one layer of the process sandbox is left out instead,
with `--without all` each in turn: the judge must then report programs, for a judge that sees
nothing is broken.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from benchmarks.harness import Report, Rows, data_root, parser
from benchmarks.hostile_bench import Bench, World, open_bench
from benchmarks.hostile_judge import Seen, escapes, verdict
from benchmarks.hostile_layers import measure_layers
from benchmarks.hostile_world import Canaries, GrantedTools
from toolweft.core.programs import ProgramLimits

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
_MAX_GROWTH_MIB = 64
_MAX_LATE_S = 1.0
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
_KINDS = {"normal_programs": "allowed", "blocked_right": "blocked", "limited_right": "limited"}

_Program = dict[str, Any]


@dataclass
class _Totals:
    """What was seen over all passes of one kind."""

    runs: int = 0
    escapes: int = 0
    pool_failures: int = 0
    # Ids of programs that were wrong in any pass, and those that lack something there.
    wrong: set[str] = field(default_factory=set)
    unsupported: set[str] = field(default_factory=set)
    growth_bytes: int = 0
    # The latest that a `limited` program ended after its deadline.
    late_s: float = 0.0


@dataclass
class _Pass:
    """One way through all programs."""

    number: int
    # Programs at the same time.
    width: int
    totals: _Totals


async def _run_pass(
    one: _Pass, programs: Sequence[_Program], bench: Bench, world: World, options: Any, rows: Rows
) -> None:
    for start in range(0, len(programs), one.width):
        batch = programs[start : start + one.width]
        seen = await bench.judge(batch)
        works = await bench.pool_works()
        one.totals.pool_failures += not works
        for program, outcome in zip(batch, seen, strict=True):
            _note(one, program, outcome, world, options, rows)


def _note(
    one: _Pass, program: _Program, seen: Seen, world: World, options: Any, rows: Rows
) -> None:
    totals = one.totals
    found = escapes(seen, world.canaries.secret)
    wrong = verdict(program, seen, deadline_s=_LIMITS.wall_s)
    totals.runs += 1
    totals.escapes += bool(found)
    totals.growth_bytes = max(totals.growth_bytes, seen.rss_growth_bytes)
    if program["must"] == "limited":
        totals.late_s = max(totals.late_s, seen.wall_s - _LIMITS.wall_s)
    if found or wrong:
        totals.wrong.add(program["id"])
        lacks = options.backend == "monty" and seen.error.startswith(_NOT_THERE)
        if lacks and not found:
            totals.unsupported.add(program["id"])
        if not options.json:
            print(f"{program['id']}: escapes {found}, {wrong}", file=sys.stderr)
    rows.write(
        id=program["id"],
        number=one.number,
        at_once=one.width,
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


async def _run_group(
    extra: Sequence[str],
    programs: Sequence[_Program],
    passes: Sequence[_Pass],
    options: Any,
    rows: Rows,
) -> None:
    """All passes through the programs that share a catalog."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="toolweft-hostile-")))
        canaries = Canaries(folder / "canaries")
        canaries.listen()
        stack.callback(canaries.close)
        world = World(
            folder=folder,
            canaries=canaries,
            tools=GrantedTools(
                options.tools or options.data.parent / "tools.json", canaries.secret
            ),
            extra=extra,
            overrides=_overrides(options),
            limits=_LIMITS,
        )
        bench = await stack.enter_async_context(open_bench(world))
        for one in passes:
            await _run_pass(one, programs, bench, world, options, rows)


def _overrides(options: Any) -> dict[str, str]:
    """Settings that choose the sandbox."""
    # Containers made ahead would come and go between one count of descriptors and the next.
    engine = {"engine": options.engine, "image": options.image, "pool_size": "0"}
    return {
        **{f"sandbox.container.{key}": value for key, value in engine.items() if value},
        "sandbox.backend": options.backend,
        "sandbox.tier": options.tier,
    }


def _read_programs(options: Any) -> list[_Program]:
    lines = options.data.read_text("utf-8").splitlines()
    programs = [json.loads(line) for line in lines if line.strip()]
    wanted = set(options.only.split(",")) if options.only else None
    return [program for program in programs if wanted is None or program["id"] in wanted]


def _by_catalog(programs: Sequence[_Program]) -> Iterator[tuple[tuple[str, ...], list[_Program]]]:
    groups: dict[tuple[str, ...], list[_Program]] = {}
    for program in programs:
        extra = [e if isinstance(e, str) else e["name"] for e in program.get("catalog") or []]
        groups.setdefault(tuple(extra), []).append(program)
    yield from groups.items()


async def _measure(options: Any, report: Report, rows: Rows) -> None:
    programs = _read_programs(options)
    alone, beside = _Totals(), _Totals()
    repeat = 1 if options.quick else options.repeat
    passes = [_Pass(number=number, width=1, totals=alone) for number in range(1, repeat + 1)]
    if options.parallel > 1 and not options.quick:
        passes.append(_Pass(number=1, width=options.parallel, totals=beside))
    for extra, group in _by_catalog(programs):
        await _run_group(extra, group, passes, options, rows)
    report.add("programs", len(programs))
    if alone.runs:
        _report_alone(report, alone, programs, options)
    if beside.runs:
        report.add("at_once", options.parallel)
        _report_safety(report, beside, prefix="at_once_")
        right = len(programs) - len(beside.wrong)
        report.add("at_once_right", right, at_least=len(programs) - len(beside.unsupported))


def _report_alone(
    report: Report, alone: _Totals, programs: Sequence[_Program], options: Any
) -> None:
    report.add("passes_alone", alone.runs / len(programs))
    _report_safety(report, alone, prefix="")
    for name, kind in _KINDS.items():
        of_kind = {program["id"] for program in programs if program["must"] == kind}
        unsupported = len(alone.unsupported & of_kind)
        right = len(of_kind - alone.wrong)
        report.add(name, right, at_least=len(of_kind) - unsupported)
        if options.backend == "monty":
            report.add(f"{kind}_unsupported", unsupported)


def _report_safety(report: Report, totals: _Totals, *, prefix: str) -> None:
    report.add(f"{prefix}runs", totals.runs)
    report.add(f"{prefix}escapes", totals.escapes, at_most=0)
    report.add(f"{prefix}pool_failures", totals.pool_failures, at_most=0)
    growth_mib = totals.growth_bytes / _MIB
    report.add(f"{prefix}host_growth_mib", growth_mib, at_most=_MAX_GROWTH_MIB)
    report.add(f"{prefix}limited_late_s", totals.late_s, at_most=_MAX_LATE_S)


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--backend", default="process", choices=["process", "monty", "container"])
    options.add_argument("--engine", default="", help="of containers: unix:///path of its socket")
    options.add_argument("--image", default="", help="of containers")
    options.add_argument("--tier", default="auto", choices=["auto", "ns", "landlock", "noopen"])
    options.add_argument("--tools", type=Path, help="tools.json; default: beside the programs")
    options.add_argument(
        "--repeat", type=int, default=3, help="passes with one program at a time; 0 for none"
    )
    options.add_argument(
        "--parallel", type=int, default=8, help="programs at once in one pass more"
    )
    options.add_argument("--quick", action="store_true", help="one pass, one program at a time")
    options.add_argument("--without", default="", help="a layer to leave out, or all in turn")
    options.add_argument("--only", default="", help="ids of programs, comma-separated")
    given = options.parse_args()
    if given.data is None or given.data.is_dir():
        given.data = data_root(given.data, "sandbox") / "programs.jsonl"
    if given.without and given.backend != "process":
        raise SystemExit("--without: only the process sandbox has layers to leave out")
    report, rows = Report("hostile"), Rows(given.rows)
    anyio.run(measure_layers if given.without else _measure, given, report, rows)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
