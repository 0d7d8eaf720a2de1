"""Runs end to end over an in-process sandbox."""

from dataclasses import replace

import anyio
import pytest
from tests.programs.fakes import ANN, BEN, make_tool, open_world

from toolweft.core.calls import Failure
from toolweft.core.errors import (
    ContainerBusy,
    ContainerExpired,
    ContainerNotFound,
    LedgerUnavailable,
    Overloaded,
    RunNotFound,
    SandboxError,
    SandboxUnavailable,
)
from toolweft.core.events import RunFinished, RunStarted, SearchDone
from toolweft.core.ids import ContainerId, RunId
from toolweft.core.programs import ProgramLimits
from toolweft.programs.options import ContainerOptions, ProgramOptions
from toolweft.programs.runs import MAX_KEPT_BYTES

ADD = make_tool(
    "math.add",
    parameters={"a": {"type": "integer"}, "b": {"type": "integer"}},
    required=["a", "b"],
    description="Add two numbers",
)
SLOW = make_tool("jobs.wait", description="Wait for a job")


async def test_a_program_calls_tools_and_prints() -> None:
    async with open_world(ADD) as world:
        world.road.answers["math.add"] = lambda a, b: a + b
        outcome = await world.runner.run(
            "import asyncio\n"
            "sums = await asyncio.gather(*(math.add(a=i, b=1) for i in range(3)))\n"
            "print(sums, await add(a=2, b=2))\nlen(sums)",
            principal=ANN,
        )
    assert (outcome.status, outcome.stdout, outcome.value) == ("ok", "[1, 2, 3] 4\n", 3)
    assert [(c.index, c.tool, c.status) for c in outcome.calls] == [
        (index, "math.add", "ok") for index in (1, 2, 3, 4)
    ]
    assert [c.call_id for c in outcome.calls][:2] == ["run_1:1", "run_1:2"]
    assert outcome.container is not None
    assert (outcome.container.status, outcome.container.backend) == ("idle", "fake/none")
    caller = world.road.calls[0].caller
    assert (caller.type, caller.program_id, caller.call_index) == ("programmatic", "run_1", 1)
    assert world.road.calls[0].principal == ANN


async def test_variables_stay_in_a_container() -> None:
    async with open_world(ADD) as world:
        first = await world.runner.run("x = 41", principal=ANN)
        assert first.container is not None
        second = await world.runner.run(
            "print(x + 1)", principal=ANN, container_id=first.container.id
        )
    assert second.stdout == "42\n"
    assert second.container is not None
    assert second.container.id == first.container.id


async def test_a_refused_program_opens_no_container_and_makes_no_call() -> None:
    async with open_world(ADD) as world:
        outcome = await world.runner.run("await math.add(a=1)", principal=ANN)
        assert world.backend.sessions == []
    assert outcome.status == "invalid"
    assert outcome.error is not None
    assert outcome.error.line == 1
    assert "'b'" in outcome.error.message
    assert world.road.calls == []
    assert world.ledger.events == []


async def test_a_refused_program_leaves_its_container_idle() -> None:
    async with open_world(ADD) as world:
        first = await world.runner.run("x = 1", principal=ANN)
        assert first.container is not None
        refused = await world.runner.run("def", principal=ANN, container_id=first.container.id)
        again = await world.runner.run("print(x)", principal=ANN, container_id=first.container.id)
    assert refused.status == "invalid"
    assert refused.container is not None
    assert again.stdout == "1\n"


async def test_names_of_earlier_runs_are_never_blamed() -> None:
    async with open_world(ADD) as world:
        first = await world.runner.run("class math:\n    def sub(): return 7", principal=ANN)
        assert first.container is not None
        second = await world.runner.run(
            "print(math.sub())", principal=ANN, container_id=first.container.id
        )
    assert (second.status, second.stdout) == ("ok", "7\n")


async def test_source_that_nests_too_deeply_names_the_parser_limit() -> None:
    async with open_world(ADD) as world:
        outcome = await world.runner.run("-" * 60_000 + "1", principal=ANN)
    assert (outcome.status, outcome.limit) == ("limit", "parser")


async def test_a_run_is_recorded_from_start_to_end() -> None:
    async with open_world(ADD) as world:
        await world.runner.run("raise KeyError('x')", principal=ANN)
    started, finished = world.ledger.events
    assert isinstance(started, RunStarted)
    assert started.backend == "fake/none"
    assert started.code_bytes == 19
    assert isinstance(finished, RunFinished)
    assert (finished.status, finished.error_type, finished.error_line) == ("error", "KeyError", 1)


async def test_a_run_that_cannot_be_recorded_does_not_begin() -> None:
    async with open_world(ADD) as world:
        world.ledger.is_broken = True
        with pytest.raises(LedgerUnavailable):
            await world.runner.run("print(1)", principal=ANN)


async def test_an_end_that_cannot_be_recorded_does_not_lose_the_outcome() -> None:
    async with open_world(ADD) as world:

        def add(a: int, b: int) -> int:
            world.ledger.is_broken = True
            return a + b

        world.road.answers["math.add"] = add
        outcome = await world.runner.run("print(await add(a=1, b=2))", principal=ANN)
    assert outcome.stdout == "3\n"


async def test_the_program_can_search_describe_and_call_what_it_found() -> None:
    code = (
        "found = await tools.search(query='add numbers')\n"
        "name = found[0]['name']\n"
        "about = await tools.describe(name=name)\n"
        "print(about['input_schema']['required'], await tools.call(name=name, "
        "arguments={'a': 1, 'b': 2}))"
    )
    async with open_world(ADD) as world:
        world.road.answers["math.add"] = lambda a, b: a + b
        outcome = await world.runner.run(code, principal=ANN)
    assert outcome.stdout == "['a', 'b'] 3\n"
    assert [call.tool for call in outcome.calls] == ["math.add"]
    searches = [event for event in world.ledger.events if isinstance(event, SearchDone)]
    assert [(s.run_id, s.hits) for s in searches] == [("run_1", 1)]


async def test_a_failing_tool_raises_in_the_program_and_shows_in_the_calls() -> None:
    async with open_world(ADD) as world:
        world.road.answers["math.add"] = Failure(code="timeout", message="too slow")
        outcome = await world.runner.run(
            "try:\n    await add(a=1, b=2)\nexcept ToolError as e:\n    print(e)", principal=ANN
        )
    assert outcome.stdout == "timeout: too slow\n"
    assert outcome.calls[0].status == "timeout"


async def test_tokens_that_stay_outside_are_counted() -> None:
    async with open_world(ADD) as world:
        world.road.answers["math.add"] = "x" * 4_000
        outcome = await world.runner.run("print(len(await add(a=1, b=2)))", principal=ANN)
    assert 990 < outcome.stats.tokens_withheld <= 1_001


async def test_an_unknown_name_offers_tools_of_a_like_name() -> None:
    async with open_world(ADD) as world:
        outcome = await world.runner.run("print(ad)", principal=ANN)
    assert outcome.error is not None
    assert outcome.error.hint == "a tool? did you mean math.add?"


async def test_output_is_passed_on_as_it_is_printed() -> None:
    heard: list[str] = []
    async with open_world(ADD) as world:
        await world.runner.run("print(1)\nprint(2)", principal=ANN, on_output=heard.append)
    assert heard == ["1\n", "2\n"]


# ----------------------------------------------------------------------------------- containers


async def test_somebody_elses_container_reads_like_one_that_never_was() -> None:
    async with open_world(ADD) as world:
        first = await world.runner.run("x = 1", principal=ANN)
        assert first.container is not None
        foreign, unknown = first.container.id, ContainerId("c_9")
        texts = []
        for container_id in (foreign, unknown):
            with pytest.raises(ContainerNotFound) as caught:
                await world.runner.run("print(x)", principal=BEN, container_id=container_id)
            texts.append(str(caught.value).replace(container_id, "ID"))
    assert texts[0] == texts[1]


async def test_an_expired_container_is_an_error_never_a_new_one() -> None:
    async with open_world(ADD) as world:
        first = await world.runner.run("x = 1", principal=ANN)
        assert first.container is not None
        world.clock.advance(270)
        with pytest.raises(ContainerExpired, match="idle too long"):
            await world.runner.run("x", principal=ANN, container_id=first.container.id)
        assert len(world.backend.sessions) == 1


async def test_a_container_dies_with_the_run_that_broke_it() -> None:
    async with open_world(ADD) as world:
        first = await world.runner.run("# crash\nprint(1)", principal=ANN)
        assert first.container is not None
        assert first.container.status == "closed"
        with pytest.raises(ContainerExpired, match="the run that broke it"):
            await world.runner.run("1", principal=ANN, container_id=first.container.id)


async def test_a_second_run_in_a_busy_container_is_refused() -> None:
    async with open_world(SLOW) as world:
        gate = anyio.Event()
        world.road.answers["jobs.wait"] = gate.wait
        run_id = await world.runner.start("await jobs.wait()", principal=ANN)
        running = await world.runner.wait(run_id, principal=ANN, wait_s=0)
        while running.container is None:
            await anyio.lowlevel.checkpoint()
            running = await world.runner.wait(run_id, principal=ANN, wait_s=0)
        assert running.status == "running"
        with pytest.raises(ContainerBusy):
            await world.runner.run("1", principal=ANN, container_id=running.container.id)
        gate.set()
        with anyio.fail_after(5):
            assert (await world.runner.wait(run_id, principal=ANN, wait_s=60)).status == "ok"


async def test_the_least_recently_used_idle_container_makes_room() -> None:
    options = ProgramOptions(containers=ContainerOptions(max_live=2))
    async with open_world(ADD, options=options) as world:
        first, second = [await world.runner.run("x = 1", principal=ANN) for _ in range(2)]
        assert first.container is not None
        assert second.container is not None
        await world.runner.run("x", principal=ANN, container_id=first.container.id)
        world.clock.advance(30)
        await world.runner.run("x = 3", principal=BEN)
        assert [s.is_closed for s in world.backend.sessions] == [False, True, False]
        with pytest.raises(ContainerExpired, match="made room"):
            await world.runner.run("x", principal=ANN, container_id=second.container.id)


async def test_with_every_container_busy_a_run_is_refused_after_its_wait() -> None:
    options = ProgramOptions(containers=ContainerOptions(max_live=1, queue_s=0))
    async with open_world(SLOW, options=options) as world:
        gate = anyio.Event()
        world.road.answers["jobs.wait"] = gate.wait
        run_id = await world.runner.start("await jobs.wait()", principal=ANN)
        while not world.road.calls:
            await anyio.lowlevel.checkpoint()
        with pytest.raises(Overloaded, match="all 1 containers"):
            await world.runner.run("1", principal=ANN)
        gate.set()
        await world.runner.wait(run_id, principal=ANN, wait_s=60)
        assert (await world.runner.run("print(1)", principal=ANN)).status == "ok"


async def test_a_queued_run_goes_on_when_a_container_becomes_free() -> None:
    options = ProgramOptions(containers=ContainerOptions(max_live=1, queue_s=60, max_queued=1))
    async with open_world(SLOW, options=options) as world:
        gate = anyio.Event()
        world.road.answers["jobs.wait"] = gate.wait
        await world.runner.start("await jobs.wait()", principal=ANN)
        while not world.road.calls:
            await anyio.lowlevel.checkpoint()
        queued = await world.runner.start("print('at last')", principal=ANN)
        for _ in range(10):
            await anyio.lowlevel.checkpoint()
        with pytest.raises(Overloaded, match="1 runs wait"):
            await world.runner.run("1", principal=ANN)
        gate.set()
        with anyio.fail_after(5):
            outcome = await world.runner.wait(queued, principal=ANN, wait_s=60)
    assert outcome.stdout == "at last\n"


async def test_a_container_that_cannot_be_made_gives_its_slot_back() -> None:
    options = ProgramOptions(containers=ContainerOptions(max_live=1))
    async with open_world(ADD, options=options) as world:
        world.backend.fault = SandboxUnavailable("no tier holds")
        with pytest.raises(SandboxUnavailable):
            await world.runner.run("1", principal=ANN)
        world.backend.fault = None
        assert (await world.runner.run("1", principal=ANN)).status == "ok"


async def test_a_fault_of_the_backend_ends_one_run_not_the_runner() -> None:
    async with open_world(ADD) as world:
        world.backend.fault = OSError("no more processes")
        with pytest.raises(SandboxError, match="OSError"):
            await world.runner.run("1", principal=ANN)
        world.backend.fault = None
        assert (await world.runner.run("1", principal=ANN)).status == "ok"


async def test_a_closed_container_is_over() -> None:
    async with open_world(ADD) as world:
        first = await world.runner.run("x = 1", principal=ANN)
        assert first.container is not None
        with pytest.raises(ContainerNotFound):
            await world.runner.close_container(first.container.id, principal=BEN)
        await world.runner.close_container(first.container.id, principal=ANN)
        with pytest.raises(ContainerExpired, match="was closed"):
            await world.runner.run("x", principal=ANN, container_id=first.container.id)


async def test_leaving_the_runner_ends_every_container_and_run() -> None:
    async with open_world(SLOW) as world:
        world.road.answers["jobs.wait"] = anyio.Event().wait
        run_id = await world.runner.start("print('on')\nawait jobs.wait()", principal=ANN)
        while not world.road.calls:
            await anyio.lowlevel.checkpoint()
    assert all(session.is_closed for session in world.backend.sessions)
    finished = world.ledger.events[-1]
    assert isinstance(finished, RunFinished)
    assert (finished.run_id, finished.status) == (run_id, "cancelled")


# ------------------------------------------------------------------------------------ start, wait


async def test_waiting_too_short_shows_what_was_printed_so_far() -> None:
    async with open_world(SLOW) as world:
        gate = anyio.Event()
        world.road.answers["jobs.wait"] = gate.wait
        run_id = await world.runner.start("print('half')\nawait jobs.wait()", principal=ANN)
        while not world.road.calls:
            await anyio.lowlevel.checkpoint()
        running = await world.runner.wait(run_id, principal=ANN, wait_s=0)
        assert (running.status, running.stdout) == ("running", "half\n")
        gate.set()
        done = await world.runner.wait(run_id, principal=ANN, wait_s=60)
        assert done.status == "ok"
        assert (await world.runner.wait(run_id, principal=ANN, wait_s=0)) == done


async def test_a_run_belongs_to_its_principal() -> None:
    async with open_world(ADD) as world:
        run_id = await world.runner.start("1", principal=ANN)
        for stranger, asked in ((BEN, run_id), (ANN, RunId("run_77"))):
            with pytest.raises(RunNotFound):
                await world.runner.wait(asked, principal=stranger, wait_s=0)
            with pytest.raises(RunNotFound):
                world.runner.cancel(asked, principal=stranger)


async def test_a_finished_run_is_forgotten_after_a_while() -> None:
    async with open_world(ADD) as world:
        run_id = await world.runner.start("1", principal=ANN)
        await world.runner.wait(run_id, principal=ANN, wait_s=60)
        world.clock.advance(299)
        await world.runner.wait(run_id, principal=ANN, wait_s=0)
        world.clock.advance(1)
        with pytest.raises(RunNotFound, match="run_1"):
            await world.runner.wait(run_id, principal=ANN, wait_s=0)


async def test_images_of_a_finished_run_are_kept_with_it_and_count() -> None:
    async with open_world(ADD) as world:
        code = f"Blob(data=bytes({MAX_KEPT_BYTES}), media_type='image/png')"
        first = await world.runner.start(code, principal=ANN)
        outcome = await world.runner.wait(first, principal=ANN, wait_s=5)
        assert [len(blob.data) for blob in outcome.media] == [MAX_KEPT_BYTES]
        assert outcome.value == {"media_type": "image/png", "size_bytes": MAX_KEPT_BYTES}
        world.clock.advance(1)
        second = await world.runner.start("1", principal=ANN)
        await world.runner.wait(second, principal=ANN, wait_s=5)
        with pytest.raises(RunNotFound, match="no run"):
            await world.runner.wait(first, principal=ANN, wait_s=5)


async def test_a_started_run_that_never_began_says_why() -> None:
    async with open_world(ADD) as world:
        run_id = await world.runner.start("1", principal=ANN, container_id=ContainerId("c_7"))
        with pytest.raises(ContainerNotFound):
            await world.runner.wait(run_id, principal=ANN, wait_s=60)


async def test_cancelling_a_started_run_stops_its_calls() -> None:
    async with open_world(SLOW) as world:
        world.road.answers["jobs.wait"] = anyio.Event().wait
        run_id = await world.runner.start("await jobs.wait()", principal=ANN)
        while not world.road.calls:
            await anyio.lowlevel.checkpoint()
        world.clock.advance(3)
        world.runner.cancel(run_id, principal=ANN, reason="enough")
        with anyio.fail_after(5):
            outcome = await world.runner.wait(run_id, principal=ANN, wait_s=60)
        finished = world.ledger.events[-1]
    assert outcome.status == "cancelled"
    assert outcome.error is not None
    assert outcome.error.message == "the run was stopped: enough"
    assert [call.status for call in outcome.calls] == ["cancelled"]
    assert outcome.container is not None
    assert outcome.container.status == "idle"
    assert isinstance(finished, RunFinished)
    assert (finished.stats.calls, finished.stats.wall_s) == (1, 3)


async def test_cancelling_the_caller_cancels_its_run() -> None:
    async with open_world(SLOW) as world:
        world.road.answers["jobs.wait"] = anyio.Event().wait
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda: world.runner.run("await jobs.wait()", principal=ANN))
            while not world.road.calls:
                await anyio.lowlevel.checkpoint()
            tasks.cancel_scope.cancel()
        finished = world.ledger.events[-1]
        assert isinstance(finished, RunFinished)
        assert finished.status == "cancelled"


async def test_the_limits_of_one_run_may_differ() -> None:
    limits = replace(ProgramLimits(), max_code_bytes=10)
    async with open_world(ADD) as world:
        outcome = await world.runner.run("x = 1  # more", principal=ANN, limits=limits)
    assert (outcome.status, outcome.limit) == ("limit", "parser")
    assert outcome.error is not None
    assert outcome.error.type == "ProgramTooLong"
