"""Programs in the real sandbox: what the in-process fake cannot show."""

from types import SimpleNamespace

import pytest
from tests.programs.fakes import ANN, FakeLedger, FakeRoad, FakeSearcher, make_snapshot, make_tool

from toolweft.core.calls import Failure
from toolweft.core.clock import RandomIds, SystemClock
from toolweft.core.programs import ProgramOutcome
from toolweft.programs import ProgramOptions, ProgramRunner
from toolweft.sandbox import SandboxOptions
from toolweft.sandbox.process import ProcessBackend

pytestmark = pytest.mark.process

SNAPSHOT = make_snapshot(
    make_tool("math.add", parameters={"a": {}, "b": {}}, required=["a", "b"], description="Add"),
    make_tool("math.fail", description="Fail"),
)
PROGRAMS = {
    "gather": "import asyncio\nprint(await asyncio.gather(*(add(a=i, b=1) for i in range(3))))",
    "found": "hits = await tools.search('add', 1)\n"
    "print(await tools.call(hits[0]['name'], {'a': 20, 'b': 22}))",
    "caught": "try:\n    await math.fail()\nexcept ToolError as e:\n"
    "    print(e.code, 'no luck' in e.message)",
    "own": "math = 'my own'\nprint(math)",
    "kept": "print(math)",
    "raised": "x = 1\n\nx.y",
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def test_programs_behave_inside_as_they_do_in_the_fake() -> None:
    road = FakeRoad(SNAPSHOT)
    road.answers["math.add"] = lambda a, b: a + b
    road.answers["math.fail"] = Failure(code="tool_error", message="no luck")
    clock = SystemClock()
    outcomes: dict[str, ProgramOutcome] = {}
    async with (
        ProcessBackend(SandboxOptions(), clock=clock) as backend,
        ProgramRunner(
            backend=backend,
            road=road,
            holder=SimpleNamespace(snapshot=SNAPSHOT),
            searcher=FakeSearcher(),
            ledger=FakeLedger(),
            clock=clock,
            ids=RandomIds(),
            options=ProgramOptions(),
        ) as runner,
    ):
        container_id = None
        for name, code in PROGRAMS.items():
            outcome = await runner.run(code, principal=ANN, container_id=container_id)
            outcomes[name] = outcome
            assert outcome.container is not None
            container_id = outcome.container.id
    assert {name: o.stdout.strip() for name, o in outcomes.items()} == {
        "gather": "[1, 2, 3]",
        "found": "42",
        "caught": "tool_error True",
        "own": "my own",
        "kept": "my own",
        "raised": "",
    }
    error = outcomes["raised"].error
    assert error is not None
    assert (error.type, error.line) == ("AttributeError", 3)
    assert [call.status for call in outcomes["caught"].calls] == ["tool_error"]
