"""pydantic-ai-harness code mode over the same synthetic tools; runs in an environment of its own.

    python harness_code.py --tools 5000

No model is called: a scripted one sends each program in turn. A turn's time runs from its answer
to the next request it gets, so it holds everything the agent does around a program.
Prints one JSON object of figures under the names the overhead script uses.
"""

import argparse
import asyncio
import json
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from pydantic_ai import Agent, Tool
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.toolsets import FunctionToolset
from pydantic_ai_harness import CodeMode

from synthetic import functions, timing_functions

_SEQUENTIAL = "for i in range({count}):\n    await bench_fast(i=i)\n"
_PARALLEL = "import asyncio\nawait asyncio.gather(*[bench_slow(i=i) for i in range({count})])\n"
_FEW, _MANY = 100, 500


class _Script:
    """A model that sends programs one after another and times what lies between."""

    def __init__(self, programs: list[str]) -> None:
        self._programs = iter(programs)
        self._answered: float | None = None
        self.turns: list[float] = []

    def __call__(self, messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        """Answer a request with the next program, or with the end."""
        if self._answered is not None:
            self.turns.append((time.perf_counter() - self._answered) * 1000)
        program = next(self._programs, None)
        parts = (
            [TextPart("done")] if program is None else [ToolCallPart("run_code", {"code": program})]
        )
        self._answered = time.perf_counter()
        return ModelResponse(parts=parts)


def _agent(count: int, script: _Script, **options: object) -> Agent:
    loaded = [Tool(function) for function in timing_functions()]
    deferred = [Tool(function, defer_loading=True) for function in functions(count)]
    profile = ModelProfile(supported_native_tools=frozenset())
    return Agent(
        FunctionModel(script, profile=profile),
        toolsets=[FunctionToolset([*loaded, *deferred])],
        capabilities=[CodeMode(**options)],
    )


async def _turns(count: int, programs: list[str], **options: object) -> list[float]:
    script = _Script(programs)
    agent = _agent(count, script, **options)
    await agent.run("go")
    return script.turns


async def _main(count: int) -> None:
    wide = {"max_tool_calls": 100_000, "resource_limits": {"max_suspensions": 10_000_000}}
    programs = [
        *["1"] * 6,
        *[_SEQUENTIAL.format(count=_FEW), _SEQUENTIAL.format(count=_MANY)] * 2,
        *[_PARALLEL.format(count=100)] * 3,
        *[_PARALLEL.format(count=1000)] * 3,
    ]
    turns = await _turns(count, programs, **wide)
    empty = statistics.median(turns[1:6])
    slopes = [(turns[i + 1] - turns[i]) / (_MANY - _FEW) for i in (6, 8)]
    figures = {
        "call_overhead_ms": statistics.median(slopes),
        "turn_overhead_ms": empty,
        "parallel_100_ms": statistics.median(turns[10:13]) - empty,
        "parallel_1000_ms": statistics.median(turns[13:16]) - empty,
        "session_calls": await _session_calls(),
    }
    print(json.dumps(figures))


async def _session_calls(per_program: int = 50, wanted: int = 2_000) -> int:
    """Sequential calls in one session at default limits before one is refused."""
    made = 0

    async def bench_count(i: int) -> int:
        """Count."""
        nonlocal made
        made += 1
        return i

    code = f"for i in range({per_program}):\n    await bench_count(i=i)\n"
    script = _Script([code] * (wanted // per_program))
    agent = Agent(
        FunctionModel(script), toolsets=[FunctionToolset([bench_count])], capabilities=[CodeMode()]
    )
    try:
        await agent.run("go")
    except Exception as error:
        print(f"the session ended: {error}", file=sys.stderr)
    return made


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--tools", type=int, default=5_000)
    asyncio.run(_main(arguments.parse_args().tools))
