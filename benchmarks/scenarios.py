"""Three classic comparisons, direct calls against one program, through the running gateway.

Three searches that need each other, a database query with a filter, ten independent requests. What
is counted crossed the wire of `toolweft serve`; tools answer after a fixed delay. No model is
asked: its turns are the obvious ones, and its time is a stated number for each turn and each token
it writes; what it takes to read is not counted, which favours direct calls. Beside the figures
stand those that others claim for such tasks, measured elsewhere and in other ways.

    python -m benchmarks.scenarios [--scenario NAME] [--rows FILE] [--json]
"""

import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Any

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters

from benchmarks.harness import ROOT, Report, Rows, Tokenizer, load_tokenizer, parser
from benchmarks.servers.classic import SERVICES, answer, late_orders
from benchmarks.workload_tokens import Turn, billed_input, context, list_tokens

_SERVER = ROOT / "benchmarks" / "servers" / "classic.py"
# From a request to the first token, and between two tokens, of a large hosted model.
_TURN_S = 1.5
_TOKENS_PER_S = 80.0
# A conversation that began before a slow machine had the server up lists none of its tools.
_MAX_CONVERSATIONS = 5
# Of each tool; a service in the same region.
_LATENCY_S = 0.25


@dataclass(frozen=True)
class Scenario:
    """One task, worked in both ways."""

    name: str
    question: str
    # What a model writes that runs programs.
    program: str
    # What a model does that calls directly, one call a turn.
    calls: list[dict[str, Any]]
    answer: str
    # Whether a model that calls directly may make all calls in one turn.
    is_independent: bool
    # What others claim for such a task: per cent of tokens saved, times as fast.
    claimed: tuple[float, float]


def _scenarios() -> list[Scenario]:
    worst = max(SERVICES, key=lambda name: answer("service_status", {"service": name})["error_pct"])
    return [
        Scenario(
            name="sequential_searches",
            question="At which university did the founder of the Halden turbine's maker study?",
            program="""\
query = "maker of the Halden turbine"
for wanted in ("founder", "university", None):
    found = (await classic.web_search(query=query))[0]["entity"]
    query = f"{found} {wanted}"
print(found)""",
            calls=[
                {"name": "web_search", "arguments": {"query": query}}
                for query in (
                    "maker of the Halden turbine",
                    "Nordlys Kraft founder",
                    "Ingrid Vold university",
                )
            ],
            answer="University of Bergen",
            is_independent=False,
            claimed=(85, 3.3),
        ),
        Scenario(
            name="query_and_filter",
            question="Which orders of 2026-Q3 wait, are 14 or more days late and cost above 500?"
            " Ids, dearest first.",
            program="""\
orders = await classic.query_orders(quarter="2026-Q3")
late = [o for o in orders if o["status"] == "waiting" and o["days_late"] >= 14]
dear = sorted((o for o in late if o["total_cents"] > 50000), key=lambda o: -o["total_cents"])
print(", ".join(o["id"] for o in dear))""",
            calls=[{"name": "query_orders", "arguments": {"quarter": "2026-Q3"}}],
            answer=", ".join(late_orders("2026-Q3")),
            is_independent=False,
            claimed=(85, 3.3),
        ),
        Scenario(
            name="ten_requests",
            question=f"Which of these services has the highest error rate: {', '.join(SERVICES)}?",
            program=f"""\
import asyncio
names = {" ".join(SERVICES)!r}.split()
states = await asyncio.gather(*(classic.service_status(service=name) for name in names))
print(max(states, key=lambda state: state["error_pct"])["service"])""",
            calls=[{"name": "service_status", "arguments": {"service": n}} for n in SERVICES],
            answer=worst,
            is_independent=True,
            claimed=(88, 10),
        ),
    ]


@dataclass
class Course:
    """How one way of working went."""

    turns: list[Turn] = field(default_factory=list)
    # Spent in the gateway and in tools, on this machine.
    tools_s: float = 0.0

    @property
    def round_trips(self) -> int:
        """Requests to the model."""
        return len(self.turns)

    @property
    def seconds(self) -> float:
        """Measured time of tools, and the stated time of the model."""
        written = sum(turn[1] for turn in self.turns)
        return self.tools_s + self.round_trips * _TURN_S + written / _TOKENS_PER_S


class Desk:
    """A client of the running gateway that counts what a model would read and write."""

    def __init__(self, client: Client, tokens: Tokenizer, tools: list[dict[str, Any]]) -> None:
        self._client = client
        self._count = tokens.count
        own = [tool for tool in tools if tool["name"].startswith("classic-")]
        instructions = tokens.count(client.instructions or "")
        self.program_surface = instructions + list_tokens(tools, tokens)
        # A client without programs would see these alone.
        self.direct_surface = list_tokens(own, tokens)
        self.has_tools = bool(own)
        self._wire_names = {tool["name"].removeprefix("classic-"): tool["name"] for tool in own}

    @classmethod
    async def open(cls, client: Client, tokens: Tokenizer) -> "Desk":
        """List the gateway's tools once, as a conversation does."""
        listed = (await client.list_tools()).tools
        shown = [t.model_dump(by_alias=True, exclude_none=True, mode="json") for t in listed]
        return cls(client, tokens, shown)

    async def work_by_program(self, scenario: Scenario) -> Course:
        """One program, then the answer; the listed tools need no search."""
        course = Course()
        written, read, text = await self._use("run_code", {"code": scenario.program}, course)
        if text.split("\n", 1)[0].strip() != scenario.answer:
            raise SystemExit(f"{scenario.name}: the program printed {text[:200]!r}")
        question, last = self._count(scenario.question), self._count(scenario.answer)
        course.turns = [(self.program_surface + question, written), (read, last)]
        return course

    async def work_directly(self, scenario: Scenario, *, in_one_turn: bool) -> Course:
        """One call a turn, or all of them in one."""
        course = Course()
        stages = [scenario.calls] if in_one_turn else [[call] for call in scenario.calls]
        entering = self.direct_surface + self._count(scenario.question)
        for stage in stages:
            used: list[tuple[int, int, str]] = []
            started = perf_counter()
            async with anyio.create_task_group() as tasks:
                for call in stage:
                    tasks.start_soon(self._call, call, used)
            course.tools_s += perf_counter() - started
            course.turns.append((entering, sum(written for written, _, _ in used)))
            entering = sum(read for _, read, _ in used)
        course.turns.append((entering, self._count(scenario.answer)))
        return course

    async def _call(self, call: dict[str, Any], used: list[tuple[int, int, str]]) -> None:
        used.append(await self._use(self._wire_names[call["name"]], call["arguments"]))

    async def _use(
        self, tool: str, arguments: dict[str, Any], course: Course | None = None
    ) -> tuple[int, int, str]:
        """Tokens written and read, and the text that came."""
        started = perf_counter()
        result = await self._client.call_tool(tool, arguments)
        if course is not None:
            course.tools_s += perf_counter() - started
        text = "\n".join(getattr(block, "text", "") for block in result.content)
        if result.is_error:
            raise SystemExit(f"{tool}: {text[:300]}")
        asked = json.dumps({"name": tool, "arguments": arguments}, separators=(",", ":"))
        return self._count(asked), self._count(text), text


def _add(
    report: Report, rows: Rows, scenario: Scenario, direct: Course, program: Course, way: str
) -> None:
    def saving(measure: Callable[[list[Turn]], int]) -> float:
        return 100 * (1 - measure(program.turns) / measure(direct.turns))

    name = scenario.name if way == "one_call_a_turn" else f"{scenario.name}_{way}"
    tokens, speed = scenario.claimed
    report.add(f"{name}_context_saving_pct", saving(context), peers={"claimed": tokens})
    report.add(f"{name}_billed_input_saving_pct", saving(billed_input))
    faster = direct.seconds / program.seconds
    report.add(f"{name}_times_as_fast", faster, peers={"claimed": speed})
    report.add(f"{name}_round_trips", program.round_trips, peers={"direct": direct.round_trips})
    rows.write(
        scenario=scenario.name,
        way=way,
        direct_turns=direct.turns,
        program_turns=program.turns,
        direct_tools_s=direct.tools_s,
        program_tools_s=program.tools_s,
        direct_s=direct.seconds,
        program_s=program.seconds,
    )


async def _measure(options: Any, report: Report) -> None:
    tokens = load_tokenizer()
    report.notes += [
        f"tokens: {tokens.name}, of what crossed the gateway's wire",
        f"simulated: a model's turn takes {_TURN_S:g} s and each token it writes"
        f" 1/{_TOKENS_PER_S:g} s; each tool answers after {_LATENCY_S:g} s",
        "direct: the three tools alone are listed; program: the gateway's whole list",
    ]
    rows = Rows(options.rows)
    chosen = [s for s in _scenarios() if options.scenario in (None, s.name)]
    with tempfile.TemporaryDirectory(prefix="toolweft-bench-") as scratch:
        config = _write_config(Path(scratch))
        parameters = StdioServerParameters(
            command=sys.executable,
            args=["-m", "toolweft", "serve", "--config", str(config)],
            env={"TOOLWEFT_LEDGER__URL": f"sqlite:///{scratch}/ledger.db"},
        )
        for _ in range(_MAX_CONVERSATIONS):
            async with Client(parameters) as client:
                desk = await Desk.open(client, tokens)
                if desk.has_tools:
                    await _work(desk, chosen, report, rows)
                    return
    raise SystemExit("the gateway lists no tool of the server")


async def _work(desk: Desk, chosen: list[Scenario], report: Report, rows: Rows) -> None:
    for scenario in chosen:
        program = await desk.work_by_program(scenario)
        direct = await desk.work_directly(scenario, in_one_turn=False)
        _add(report, rows, scenario, direct, program, "one_call_a_turn")
        if scenario.is_independent:
            direct = await desk.work_directly(scenario, in_one_turn=True)
            _add(report, rows, scenario, direct, program, "all_in_one_turn")


def _write_config(folder: Path) -> Path:
    entry = {
        "command": sys.executable,
        "args": [str(_SERVER), str(_LATENCY_S)],
        "default_config": {"allowed_callers": ["direct", "programmatic"]},
    }
    path = folder / "mcp.json"
    path.write_text(json.dumps({"mcpServers": {"classic": entry}}), "utf-8")
    return path


def main() -> None:
    """Run and print."""
    options = parser(str(__doc__).splitlines()[0])
    options.add_argument("--scenario", choices=[scenario.name for scenario in _scenarios()])
    given = options.parse_args()
    report = Report("scenarios")
    anyio.run(_measure, given, report)
    report.print(as_json=given.json)
    sys.exit(0 if not report.missed() else 1)


if __name__ == "__main__":
    main()
