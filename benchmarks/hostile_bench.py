"""One open product in which hostile programs run, and everything the host can see of them.

A batch of programs runs at the same time, each in a container of its own. What a tool was asked
for is known for each program; files, listeners, processes and memory are one host's, so they are
looked at for the batch as a whole.
"""

import gc
import json
import os
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio

import toolweft
from benchmarks.hostile_judge import Seen
from benchmarks.hostile_world import CURRENT, CallRecord, Canaries, GrantedTools
from toolweft.bootstrap import open_app
from toolweft.config import load_settings
from toolweft.core.calls import LOCAL
from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxError
from toolweft.core.ports import (
    IsolationReport,
    SandboxBackend,
    SandboxCapabilities,
    SandboxSession,
)
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.choice import build_backend

__all__ = ("Bench", "World", "open_bench")

# How long forged frames may still cause calls after the outcome was reported.
_LATE_CALL_S = 1.3
_TIDY_S = 1.0
# An engine removes a container in the background, one with thousands of files slowly, and the
# request for it is open so long.
_ENGINE_TIDY_S = 10.0
_MAX_SHOWN_CHARACTERS = 100_000


@dataclass
class World:
    """What a bench is opened over."""

    folder: Path
    canaries: Canaries
    tools: GrantedTools
    # Names of tools that are in the catalog and not granted.
    extra: Sequence[str] = ()
    # Settings beside those of the collection: which sandbox.
    overrides: Mapping[str, str] = field(default_factory=dict)
    limits: ProgramLimits = field(default_factory=ProgramLimits)
    # In place of the one the settings name.
    sandbox: SandboxBackend | None = None


@dataclass(frozen=True)
class _Baseline:
    """The host before a batch."""

    rss_bytes: int
    descriptors: int
    processes: set[int]
    canaries: list[tuple[str, int, int]]


class _TimedBackend:
    """A backend that notes how long a program's container took to open: no part of its run."""

    def __init__(self, backend: SandboxBackend) -> None:
        self._backend = backend

    async def __aenter__(self) -> Self:
        await self._backend.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._backend.__aexit__(kind, error, traceback)

    @property
    def capabilities(self) -> SandboxCapabilities:
        return self._backend.capabilities

    @property
    def reports(self) -> Sequence[IsolationReport]:
        return self._backend.reports

    async def open(
        self, limits: ProgramLimits, *, environment: str | None = None
    ) -> SandboxSession:
        start = time.perf_counter()
        session = await self._backend.open(limits, environment=environment)
        if (record := CURRENT.get(None)) is not None:
            record.opening_s += time.perf_counter() - start
        return session


class Bench:
    """One open product with the collection's tools, reused for every program."""

    def __init__(self, box: toolweft.Toolbox, world: World) -> None:
        self._box = box
        self._world = world

    async def judge(self, programs: Sequence[dict[str, Any]]) -> list[Seen]:
        """Run programs side by side, each in a fresh container; what the host saw of each.

        What cannot be put down to one program of several stands with the first.
        """
        self._world.canaries.contacts.clear()
        self._world.canaries.signals = 0
        baseline = self._look()
        seen: dict[int, Seen] = {}
        records = [CallRecord() for _ in programs]
        async with anyio.create_task_group() as tasks:
            for index, program in enumerate(programs):
                tasks.start_soon(self._run, index, program, records[index], seen)
        batch = [seen[index] for index in range(len(programs))]
        left = await self._left_behind(baseline, records)
        if left and len(programs) > 1:
            left = [f"one of this batch: {what}" for what in left]
        batch[0].probes += left
        gc.collect()
        growth = max(0, _rss_bytes() - baseline.rss_bytes)
        for one in batch:
            one.rss_growth_bytes = growth
            one.shares_time = len(batch) > 1
        return batch

    async def pool_works(self) -> bool:
        """Whether an ordinary program still runs right."""
        outcome = await self._box.run("print(1 + 1)", limits=self._world.limits)
        await self._close(outcome)
        return outcome.stdout == "2\n"

    async def _run(
        self, index: int, program: dict[str, Any], record: CallRecord, seen: dict[int, Seen]
    ) -> None:
        # Of this task and of whatever it starts: calls of this program find it.
        CURRENT.set(record)
        code = self._world.canaries.fill(program["code"])
        start = time.perf_counter()
        outcome = await self._box.run(code, limits=self._world.limits)
        wall_s = time.perf_counter() - start - record.opening_s
        made = len(record.calls)
        if program["category"] == "rpc":
            await anyio.sleep(_LATE_CALL_S)
        probes = [] if len(record.calls) == made else ["call after the outcome"]
        probes += [f"ungranted tool {name}" for name in record.forbidden]
        probes += [f"bad arguments for {name}" for name in self._world.tools.invalid(record)]
        await self._close(outcome)
        error = outcome.error
        seen[index] = Seen(
            status=outcome.status,
            limit=outcome.limit,
            stdout=outcome.stdout,
            value=json.dumps(outcome.value, default=str),
            error="" if error is None else f"{error.type}: {error.message}\n{error.traceback}",
            line=None if error is None else error.line,
            wall_s=wall_s,
            rss_growth_bytes=0,
            arguments=[json.dumps(given)[:_MAX_SHOWN_CHARACTERS] for _, given in record.calls],
            probes=probes,
        )

    def _look(self) -> _Baseline:
        gc.collect()
        return _Baseline(
            rss_bytes=_rss_bytes(),
            descriptors=_count_descriptors(),
            processes=_descendants(),
            canaries=self._world.canaries.state(),
        )

    async def _left_behind(self, before: _Baseline, records: Sequence[CallRecord]) -> list[str]:
        """Names of everything that should be gone or untouched and is not."""
        canaries = self._world.canaries
        has_engine = self._world.overrides.get("sandbox.backend") == "container"
        with anyio.move_on_after(_ENGINE_TIDY_S if has_engine else _TIDY_S):
            while (
                _descendants() - before.processes
                or any(record.sleeping for record in records)
                or _count_descriptors() > before.descriptors
            ):
                await anyio.sleep(0.02)
        found = [f"contact {name}" for name in canaries.contacts]
        found += ["signal"] * bool(canaries.signals)
        found += ["canary changed"] * (canaries.state() != before.canaries)
        found += [f"process {pid} alive" for pid in _descendants() - before.processes]
        found += ["tool not cancelled"] * any(record.sleeping for record in records)
        found += ["descriptors left"] * (_count_descriptors() > before.descriptors)
        return found

    async def _close(self, outcome: toolweft.ProgramOutcome) -> None:
        # A program that broke its container took it along.
        if outcome.container is not None:
            with suppress(SandboxError):
                await self._box.containers.close(outcome.container.id)


@asynccontextmanager
async def open_bench(world: World) -> AsyncIterator[Bench]:
    """The product over this world, warm."""
    tools = world.tools
    settings = load_settings(
        config=_write_config(tools.granted, world.folder),
        overrides={
            **world.overrides,
            "ledger.url": f"sqlite:///{world.folder / 'ledger.db'}",
            "calls.max_result_bytes": str(world.limits.max_result_bytes),
        },
        environ={},
        cwd=world.folder,
        home=world.folder,
    )
    specs = tools.specs(world.extra)
    backend = world.sandbox or build_backend(
        settings.sandbox, clock=SystemClock(), warm_limits=settings.programs.limits
    )
    async with open_app(settings, tools=specs, sandbox=_TimedBackend(backend)) as app:
        await app.settle()
        bench = Bench(app.toolbox_for(LOCAL), world)
        # Twice, and then a moment: the ledger's files are open before anything is counted.
        if not (await bench.pool_works() and await bench.pool_works()):
            raise SystemExit("the sandbox does not run an ordinary program")
        await anyio.sleep(_LATE_CALL_S)
        yield bench


def _write_config(granted: Sequence[str], folder: Path) -> Path:
    """Grants as a user writes them: nothing in programs but the named tools."""
    path = folder / "toolweft.toml"
    lines = ["[catalog.default_config]", 'allowed_callers = ["direct"]']
    for name in granted:
        lines += [f'[catalog.configs."{name}"]', 'allowed_callers = ["direct", "programmatic"]']
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def _rss_bytes() -> int:
    """Resident bytes of this process."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _count_descriptors() -> int:
    """Open file descriptors of this process."""
    return len(list(Path("/proc/self/fd").iterdir()))


def _descendants() -> set[int]:
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
