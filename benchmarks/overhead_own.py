"""Times inside one process: calls, parallel calls, containers, turns; 5,000 tools, real ledger."""

import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio

import toolweft
from benchmarks.harness import Samples, Tokenizer, kept_in
from benchmarks.synthetic import functions, timing_functions
from toolweft.core.ids import ContainerId
from toolweft.core.programs import ProgramLimits, ProgramOutcome

__all__ = ("Own", "open_own")

_CALLS = "for i in range({count}):\n    await local.{tool}(i=i)\n"
_GATHER = (
    "import asyncio\n"
    "rows = await asyncio.gather(*[local.bench_slow(i=i) for i in range({count})])\n"
    "print(len(rows))\n"
)
_CALLS_PER_SAMPLE = 300
_BACK_TO_BACK = 10
# Longer than a container stays unpaused after a run.
_IDLE_S = 0.1


@asynccontextmanager
async def open_own(scratch: Path, *, tools: int) -> AsyncIterator["Own"]:
    """A toolbox over `tools` synthetic functions, one of which only writes."""
    fast, slow = timing_functions()
    read_only = toolweft.tool(severity="read_only")
    readers = [read_only(function) for function in (*functions(tools), fast, slow)]

    @toolweft.tool(severity="write")
    async def bench_write(i: int) -> dict[str, int]:
        """Answer at once, as a tool that writes."""
        return {"i": i}

    everything = [*readers, bench_write]
    async with toolweft.open(tools=everything, overrides=kept_in(scratch)) as box:
        yield Own(box)


class Own:
    """Measures one open toolbox."""

    def __init__(self, box: toolweft.Toolbox) -> None:
        self._box = box
        # As the default, with room for the in-flight figure.
        self._limits = replace(ProgramLimits(), max_in_flight=1024, max_calls=10_000)

    async def _container(self) -> ContainerId:
        outcome = await self._run("pass", None)
        assert outcome.container is not None
        return outcome.container.id

    async def _run(self, code: str, container: ContainerId | None) -> ProgramOutcome:
        outcome = await self._box.run(code, container_id=container, limits=self._limits)
        if outcome.status != "ok":
            raise SystemExit(f"{code[:80]!r} ended {outcome.status}: {outcome.error}")
        return outcome

    async def _timed(self, code: str, container: ContainerId | None) -> float:
        start = time.perf_counter()
        await self._run(code, container)
        return time.perf_counter() - start

    async def call(self, samples: Samples, *, tool: str, repeats: int) -> None:
        """One call inside a program: a long run less an empty one, over its calls."""
        container = await self._container()
        code = _CALLS.format(count=_CALLS_PER_SAMPLE, tool=tool)
        for _ in range(repeats):
            empty = await self._timed("pass", container)
            samples.add(await self._timed(code, container) - empty, per=_CALLS_PER_SAMPLE)
        await self._box.containers.close(container)

    async def parallel(self, samples: Samples, *, count: int, repeats: int) -> None:
        """`count` calls of 50 ms in one gather."""
        container = await self._container()
        for _ in range(repeats):
            samples.add(await self._timed(_GATHER.format(count=count), container))
        await self._box.containers.close(container)

    async def fresh(self, samples: Samples, *, repeats: int) -> None:
        """The first result in a container that did not exist."""
        for _ in range(repeats):
            start = time.perf_counter()
            outcome = await self._run("1 + 1", None)
            samples.add(time.perf_counter() - start)
            assert outcome.container is not None
            await self._box.containers.close(outcome.container.id)
            await anyio.sleep(_IDLE_S)

    async def live(self, back_to_back: Samples, resumed: Samples, *, repeats: int) -> None:
        """An empty run in a live container: at once after another, and after idling."""
        container = await self._container()
        for _ in range(repeats):
            for _ in range(_BACK_TO_BACK):
                back_to_back.add(await self._timed("1 + 1", container))
            await anyio.sleep(_IDLE_S)
            resumed.add(await self._timed("1 + 1", container))
        await self._box.containers.close(container)

    async def turn(self, samples: Samples, *, repeats: int) -> None:
        """Our work around one model turn: the tool list, and an empty program's dispatch."""
        container = await self._container()
        for _ in range(repeats):
            start = time.perf_counter()
            self._box.surface()
            reply = await self._box.invoke("run_code", {"code": "pass", "container_id": container})
            samples.add(time.perf_counter() - start)
            assert not reply.is_error, reply.text
        await self._box.containers.close(container)

    async def session_calls(self, wanted: int) -> int:
        """Sequential calls made in one container before it refused, at most `wanted`."""
        container = await self._container()
        per_run = 1_000
        made = 0
        for _ in range(wanted // per_run):
            code = _CALLS.format(count=per_run, tool="bench_fast")
            outcome = await self._box.run(code, container_id=container)
            made += len(outcome.calls)
            if outcome.status != "ok":
                break
        await self._box.containers.close(container)
        return made

    async def signature(self, needs: Sequence[str], tokens: Tokenizer) -> list[int]:
        """Tokens from a need to typed signatures in context: the search call and its answer."""
        spent = []
        for need in needs:
            reply = await self._box.invoke("search_tools", {"queries": [need]})
            spent.append(tokens.count(need) + tokens.count(reply.text))
        return spent
