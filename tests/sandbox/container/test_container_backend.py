"""The backend over an engine whose containers are plain processes: everything but the walls."""

import json
from dataclasses import replace

import anyio
import pytest
from tests.sandbox.container.fake_engine import FakeEngine, fake_engine

from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxError, SandboxUnavailable
from toolweft.core.ports import GuestNames, GuestReply
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.container.backend import ContainerBackend
from toolweft.sandbox.container.owner import LABEL, this_process
from toolweft.sandbox.options import EngineOptions, SandboxOptions

pytestmark = [pytest.mark.network, pytest.mark.process]

LIMITS = ProgramLimits(wall_s=20.0, active_s=10.0)
NAMES = GuestNames(functions=("echo",))


@pytest.fixture
async def engine(tmp_path):
    async with fake_engine(tmp_path) as engine:
        yield engine


async def hold(_session, _tier) -> None:
    """Nothing confines a plain process, so no dry run is asked of it."""


def backend(engine: FakeEngine, *, proof=hold, tier="auto", **changes) -> ContainerBackend:
    container = EngineOptions(engine=engine.url, **{"pool_size": 0, **changes})
    options = SandboxOptions(tier=tier, container=container)
    return ContainerBackend(options, clock=SystemClock(), warm_limits=LIMITS, proof=proof)


async def echo(call):
    return GuestReply(payload=call.arguments)


async def run(session, code, *, on_call=echo, **changes):
    limits = replace(LIMITS, **changes)
    return await session.run(code, names=NAMES, limits=limits, on_call=on_call)


async def eventually(condition) -> None:
    with anyio.fail_after(10):
        # What is waited for happens in another program; there is no event to wait for.
        while not condition():  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def test_a_program_runs_calls_and_keeps_its_variables(engine):
    async with backend(engine) as opened:
        session = await opened.open(LIMITS)
        first = await run(session, "x = await echo(n=1)\nprint('hé')\nx")
        assert (first.status, first.stdout, first.value) == ("ok", "hé\n", b'{"n":1}')
        assert (await run(session, "x['n'] + 1")).value == b"2"
        assert opened.capabilities.backend == "container"
        assert opened.capabilities.language == "CPython 3.12.1"
    assert engine.containers == {}


async def test_large_values_pass_in_both_directions(engine):
    async with backend(engine) as opened:
        session = await opened.open(LIMITS)
        text = json.dumps("x" * 3_000_000).encode()

        async def large(_call):
            return GuestReply(payload=text)

        outcome = await run(session, "await echo()", on_call=large, max_value_bytes=4_000_000)
        assert outcome.value == text


@pytest.mark.parametrize(
    ("code", "limit", "changes"),
    [
        ("while True: pass", "cpu", {"active_s": 0.05}),
        ("import asyncio\nawait asyncio.Future()", "wall", {"wall_s": 0.05}),
    ],
)
async def test_a_run_over_its_time_is_interrupted_and_the_session_lives(
    engine, code, limit, changes
):
    async with backend(engine) as opened:
        session = await opened.open(LIMITS)
        outcome = await run(session, code, **changes)
        assert (outcome.status, outcome.limit) == ("limit", limit)
        assert engine.containers[session.container].signals == ["SIGINT"]
        assert (await run(session, "1")).value == b"1"


async def test_a_run_that_ignores_the_stop_loses_its_container(engine):
    async with backend(engine) as opened:
        session = await opened.open(LIMITS)
        code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass"
        outcome = await run(session, code, wall_s=0.1)
        assert (outcome.status, outcome.limit) == ("limit", "wall")
        assert not session.is_alive
        with pytest.raises(SandboxError, match="process has ended"):
            await run(session, "1")
        await eventually(lambda: not engine.containers)


@pytest.mark.parametrize(
    ("code", "status", "limit", "said"),
    [
        ("import os\nos.kill(os.getpid(), 9)", "limit", "memory", "memory limit"),
        ("import os\nos._exit(3)", "crashed", None, "status 3"),
        ("import os\nos.abort()", "crashed", None, "SIGABRT"),
    ],
)
async def test_the_engine_tells_how_a_container_ended(engine, code, status, limit, said):
    async with backend(engine) as opened:
        session = await opened.open(LIMITS)
        outcome = await run(session, code)
        assert (outcome.status, outcome.limit) == (status, limit)
        assert said in outcome.error.message


async def test_an_idle_container_is_paused_and_wakes_for_the_next_run(engine):
    async with backend(engine) as opened:
        session = await opened.open(LIMITS)
        await run(session, "1")
        await eventually(lambda: engine.containers[session.container].state == "paused")
        assert (await run(session, "2")).value == b"2"


@pytest.mark.promise("sandbox.pristine")
async def test_a_container_of_the_pool_is_taken_by_one_session_and_replaced(engine):
    async with backend(engine, pool_size=2) as opened:
        await eventually(lambda: len(opened._pool) == 2)
        first = await opened.open(LIMITS)
        await run(first, "secret = 1")
        await first.close()
        await eventually(lambda: len(opened._pool) == 2)
        used = [first.container]
        for _ in range(3):
            session = await opened.open(LIMITS)
            assert session.container not in used
            used.append(session.container)
            assert (await run(session, "'secret' in globals()")).value == b"false"
    assert engine.containers == {}


async def test_a_session_of_another_size_gets_a_container_of_its_own(engine):
    async with backend(engine, pool_size=1) as opened:
        await eventually(lambda: len(opened._pool) == 1)
        session = await opened.open(replace(LIMITS, memory_bytes=128 * 1024 * 1024))
        assert len(opened._pool) == 1
        recipe = engine.containers[session.container].recipe
        expected = 128 * 1024 * 1024 + LIMITS.disk_bytes
        assert recipe["HostConfig"]["Memory"] == recipe["HostConfig"]["MemorySwap"] == expected


async def test_a_container_of_the_pool_that_somebody_ended_is_not_handed_out(engine):
    async with backend(engine, pool_size=1) as opened:
        await eventually(lambda: len(opened._pool) == 1)
        pooled = opened._pool._ready[0]
        engine.containers[pooled.container].process.kill()
        await eventually(lambda: not pooled.is_alive)
        session = await opened.open(LIMITS)
        assert (await run(session, "5")).value == b"5"


async def test_a_cancelled_opening_leaves_no_container(engine):
    async with backend(engine) as opened:
        with anyio.CancelScope() as scope:

            async def cancel_when_started():
                await eventually(lambda: any("start" in line for line in engine.requests[-2:]))
                scope.cancel()

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(cancel_when_started)
                await opened.open(LIMITS)
        await eventually(lambda: not engine.containers)


async def test_removing_is_tried_again_where_the_engine_is_between_two_states(engine):
    async with backend(engine) as opened:
        session = await opened.open(LIMITS)
        engine.refusals["DELETE", session.container] = [
            (500, "container state improper: stopped"),
            (409, "removal is already in progress"),
        ]
        await session.close()
        await eventually(lambda: session.container not in engine.containers)


@pytest.mark.promise("sandbox.sweep")
async def test_what_a_host_that_is_gone_left_is_swept_and_nothing_else(engine):
    here = this_process()
    gone = engine.add({"Labels": {LABEL: replace(here, started="1").render()}})
    mine = engine.add({"Labels": {LABEL: here.render()}})
    elsewhere = engine.add({"Labels": {LABEL: replace(here, machine="other", pid=1).render()}})
    unknown = engine.add({"Labels": {LABEL: "?"}})
    async with backend(engine):
        assert gone not in engine.containers
    assert set(engine.containers) == {mine, elsewhere, unknown}


async def test_an_engine_that_will_not_remove_does_not_stop_the_start(engine):
    gone = engine.add({"Labels": {LABEL: replace(this_process(), started="1").render()}})
    engine.refusals["DELETE", gone] = [(500, "the disk is broken")]
    async with backend(engine) as opened:
        assert opened.capabilities.tier == "landlock"


async def test_an_image_that_is_not_there_is_named_with_what_to_do(engine):
    engine.images.clear()
    with pytest.raises(SandboxUnavailable, match=r"no image 'python:3\.13-slim'") as caught:
        async with backend(engine):
            pass
    assert "docker pull" in caught.value.hint


async def test_no_engine_is_a_refusal_with_the_address(tmp_path):
    options = EngineOptions(engine=f"unix://{tmp_path}/none.sock")
    with pytest.raises(SandboxUnavailable, match=r"none\.sock") as caught:
        async with ContainerBackend(SandboxOptions(container=options), clock=SystemClock()):
            pass
    assert "sandbox.container.engine" in caught.value.hint


async def test_an_engine_that_is_too_old_is_refused(engine):
    engine.version["ApiVersion"] = "1.24"
    with pytest.raises(SandboxUnavailable, match=r"'1\.24'"):
        async with backend(engine):
            pass


@pytest.mark.promise("sandbox.container-proven")
async def test_a_memory_limit_that_is_ignored_is_a_refusal(engine):
    engine.memory_holds = False
    with pytest.raises(SandboxUnavailable, match="memory limit does not hold"):
        async with backend(engine):
            pass
    assert engine.containers == {}


async def test_a_container_with_capabilities_is_a_refusal(engine):
    engine.survey["status"] = {**engine.survey["status"], "CapEff": "a80425fb"}
    with pytest.raises(SandboxUnavailable, match="CapEff"):
        async with backend(engine):
            pass


async def test_a_runtime_that_the_engine_ignores_is_a_refusal(engine):
    with pytest.raises(SandboxUnavailable, match="'runsc' was asked for and 'runc' is used"):
        async with backend(engine, runtime="runsc"):
            pass


async def test_inner_tiers_are_tried_in_order_and_each_outcome_is_reported(engine):
    async def only_noopen(_session, tier):
        if tier.name != "noopen":
            raise SandboxUnavailable("the kernel offers no Landlock")

    async with backend(engine, proof=only_noopen) as opened:
        assert opened.capabilities.tier == "noopen"
        assert not opened.capabilities.files
        assert [(report.tier, report.holds) for report in opened.reports] == [
            ("landlock", False),
            ("noopen", True),
        ]


async def test_a_tier_asked_for_is_never_replaced(engine):
    async def only_noopen(_session, tier):
        if tier.name != "noopen":
            raise SandboxUnavailable("the kernel offers no Landlock")

    with pytest.raises(SandboxUnavailable, match="landlock: the kernel offers no Landlock"):
        async with backend(engine, proof=only_noopen, tier="landlock"):
            pass
    assert engine.containers == {}


async def test_a_guest_that_cannot_start_says_why(engine):
    engine.survey["python"] = [3, 12, 1]
    async with backend(engine) as opened:
        opened._maker.parcel = (3).to_bytes(4, "big") + b"bad"
        with pytest.raises(SandboxUnavailable, match=r"could not be locked down: .*Error"):
            await opened.open(LIMITS)
        await eventually(lambda: not engine.containers)


async def test_after_its_end_nothing_can_be_opened(engine):
    async with backend(engine) as opened:
        pass
    with pytest.raises(SandboxUnavailable, match="not open"):
        await opened.open(LIMITS)
