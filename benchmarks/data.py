"""Data that lasts: a large file put and aggregated in one program; large results of tools.

    python -m benchmarks.data [--megabytes 100] [--repeats 7] [--json]

Stalls are the longest time for which a task that wants to run every millisecond had to wait: once
by the clock, which counts what other processes take, and once by the processor time of the loop's
own thread. `idle` beside them is the same machine with nothing to do. Growth is the peak of the
host's memory during the program over what it had before.
"""

import json
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio

import toolweft
from benchmarks.harness import Report, Samples, kept_in, load_tokenizer, parser
from toolweft.core.ids import ContainerId
from toolweft.core.programs import ProgramLimits, ProgramOutcome

_MIB = 1024 * 1024
_AGGREGATE = """
from collections import defaultdict
spent, seen = defaultdict(int), 0
async for rows in load({name!r}).chunks(1000):
    seen += len(rows)
    for row in rows:
        if row["status"] == "open":
            spent[row["city"]] += row["cents"]
top = sorted(spent.items(), key=lambda pair: -pair[1])[:3]
print(seen, top)
"""
_ROW_BYTES = 512
_MILLION = 1_000_000
# As dense in tokens as rows of a database are: words, numbers and references.
_NOTE = "left at the back door, ref {0:08x}-{1:06d}, signed by neighbour no {2}; call +49 {1:06d}. "


@toolweft.tool(severity="read_only")
def get_text(size_bytes: int) -> str:
    """Get one long text."""
    return "x" * size_bytes


@toolweft.tool(severity="read_only")
def list_rows(count: int) -> list[dict[str, Any]]:
    """List rows of three fields."""
    return [{"id": i, "city": "Bergen", "cents": i * 7} for i in range(count)]


def write_rows(path: Path, size_bytes: int) -> int:
    """A file of JSON lines, half a kilobyte each; how many there are."""
    count = size_bytes // _ROW_BYTES
    with path.open("w", encoding="utf-8") as file:
        for i in range(count):
            status = "open" if i % 5 == 0 else "paid"
            row = {"id": i, "city": f"city {i % 50}", "status": status, "cents": i % 10_000}
            line = json.dumps(row)
            room = _ROW_BYTES - len(line) - len(', "note": ""') - 1
            note = _NOTE.format(i * 2_654_435_761 % 2**32, i * 7_919 % _MILLION, i % 97)
            pad = (note * (room // len(note) + 1))[:room]
            file.write(f'{line[:-1]}, "note": "{pad}"}}\n')
    return count


class Stalls:
    """The longest stalls of the event loop since it was entered, in milliseconds."""

    def __init__(self) -> None:
        self.wall_ms = 0.0
        self.cpu_ms = 0.0

    async def watch(self) -> None:
        """Look every millisecond, until cancelled."""
        wall, cpu = time.perf_counter(), time.thread_time()
        while True:
            await anyio.sleep(0.001)
            now, used = time.perf_counter(), time.thread_time()
            self.wall_ms = max(self.wall_ms, (now - wall - 0.001) * 1000)
            self.cpu_ms = max(self.cpu_ms, (used - cpu) * 1000)
            wall, cpu = now, used


@asynccontextmanager
async def watched() -> AsyncIterator[Stalls]:
    """Stalls of what is awaited inside."""
    stalls = Stalls()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stalls.watch)
        yield stalls
        tasks.cancel_scope.cancel()


def memory_bytes(what: str) -> int:
    """`VmRSS` or `VmHWM` of this process."""
    status = Path("/proc/self/status").read_text("ascii")
    line = next(line for line in status.splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


async def run(box: toolweft.Toolbox, code: str, **options: Any) -> ProgramOutcome:
    """A run that has to go well."""
    outcome = await box.run(code, **options)
    if outcome.status != "ok":
        raise SystemExit(f"{code[:80]!r} ended {outcome.status}: {outcome.error}")
    return outcome


async def _large(box: toolweft.Toolbox, folder: Path, megabytes: int, report: Report) -> None:
    file = folder / "large.jsonl"
    count = write_rows(file, megabytes * 1_000_000)
    container = (await run(box, "pass")).container
    assert container is not None
    async with watched() as idle:
        await anyio.sleep(1.0)
    before = memory_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", "ascii")
    async with watched() as putting:
        start = time.perf_counter()
        await box.put("large", file)
        put_s = time.perf_counter() - start
    async with watched() as reading:
        start = time.perf_counter()
        outcome = await run(box, _AGGREGATE.format(name="large"), container_id=container.id)
        program_s = time.perf_counter() - start
    assert outcome.stdout.startswith(str(count)), outcome.stdout
    report.add("put_s", put_s)
    report.add("aggregate_s", program_s)
    report.add("host_growth_mib", (memory_bytes("VmHWM") - before) / _MIB, at_most=64)
    report.add("guest_peak_mib", outcome.stats.peak_mem_bytes / _MIB)
    report.add("put_stall_ms", putting.wall_ms, at_most=20, peers={"idle": idle.wall_ms})
    report.add("aggregate_stall_ms", reading.wall_ms, at_most=20, peers={"idle": idle.wall_ms})
    report.add("put_stall_cpu_ms", putting.cpu_ms, at_most=20)
    report.add("aggregate_stall_cpu_ms", reading.cpu_ms, at_most=20)
    await box.containers.close(container.id)


async def _tokens(box: toolweft.Toolbox, folder: Path, report: Report) -> None:
    """A file of about a million tokens; what a model reads of it."""
    tokens = load_tokenizer()
    file = folder / "small.jsonl"
    write_rows(file, 5_000_000)
    await box.put("small", file)
    code = _AGGREGATE.format(name="small")
    start = time.perf_counter()
    reply = await box.invoke("run_code", {"code": code})
    report.add("million_tokens_s", time.perf_counter() - start)
    report.add("tokens_in_file", tokens.count(file.read_text("utf-8")), at_least=_MILLION)
    report.add("tokens_back", tokens.count(reply.text), at_most=99)
    report.notes.append(f"tokens: {tokens.name}")


async def _results(box: toolweft.Toolbox, repeats: int, report: Report) -> None:
    container = (await run(box, "pass")).container
    assert container is not None
    for figure, code, bound in (
        ("result_10mib_ms", f"len(await get_text(size_bytes={10 * _MIB}))", 60),
        ("result_100k_dicts_ms", "len(await list_rows(count=100_000))", 250),
    ):
        samples = Samples()
        for _ in range(repeats):
            samples.add(await _timed(box, code, container.id))
        report.add(figure, samples.median, at_most=bound, peers={"minimum": samples.low})


async def _timed(box: toolweft.Toolbox, code: str, container: ContainerId) -> float:
    start = time.perf_counter()
    await run(box, code, container_id=container, limits=ProgramLimits())
    return time.perf_counter() - start


async def _measure(megabytes: int, repeats: int, report: Report) -> None:
    with tempfile.TemporaryDirectory(prefix="toolweft-bench-") as scratch:
        folder = Path(scratch)
        async with toolweft.open(tools=[get_text, list_rows], overrides=kept_in(folder)) as box:
            await _large(box, folder, megabytes, report)
            await _tokens(box, folder, report)
            await _results(box, repeats, report)


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--megabytes", type=int, default=100, help="size of the large file")
    options.add_argument("--repeats", type=int, default=7, help="of each timed result")
    given = options.parse_args()
    report = Report("data")
    anyio.run(_measure, given.megabytes, given.repeats, report)
    report.print(as_json=given.json)
    raise SystemExit(1 if report.missed() else 0)


if __name__ == "__main__":
    main()
