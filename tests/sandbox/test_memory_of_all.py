"""What a session holds, and being stopped from outside for it."""

import os
import sys
from dataclasses import replace

import anyio
import pytest
from tests.sandbox.monty.guests import open_monty_guest
from tests.sandbox.process.guests import ALL_TIERS, LIMITS, MIB, open_guest

from toolweft.core.programs import ProgramError
from toolweft.sandbox.process.tiers import TIERS

pytestmark = pytest.mark.process

ERROR = ProgramError(type="LimitExceeded", message="too much together", hint="less")


@pytest.fixture(params=[*sorted(ALL_TIERS), "monty"])
async def guest(request):
    opened = (
        open_monty_guest() if request.param == "monty" else open_guest(ALL_TIERS[request.param])
    )
    async with opened as guest:
        yield guest


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process holds")
async def test_a_session_tells_what_it_holds_now(guest):
    before = guest.session.memory_bytes()
    await guest.run("x = list(range(3_000_000))\nlen(x)")
    held = guest.session.memory_bytes()
    assert held - before > 20 * MIB
    await guest.run("x = None")
    assert guest.session.memory_bytes() < held - 15 * MIB


@pytest.mark.skipif(sys.platform != "linux", reason="tiers are there on Linux only")
async def test_scratch_files_are_held_in_memory_too():
    async with open_guest(ALL_TIERS["ns"], replace(LIMITS, disk_bytes=32 * MIB)) as guest:
        outcome = await guest.run("open('/tmp/f', 'wb').write(bytes(24 * 1024 * 1024))")
        assert outcome.error is None
        assert guest.session.memory_bytes() >= 24 * MIB


async def test_a_run_is_stopped_from_outside_with_its_own_reason(guest):
    called = anyio.Event()
    outcomes = []

    async def on_call(_call):
        called.set()
        await anyio.sleep_forever()

    async def run():
        outcomes.append(await guest.run("print('on')\nawait t.f()", on_call=on_call))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await called.wait()
            guest.session.stop("total_memory", ERROR)
    (outcome,) = outcomes
    assert (outcome.status, outcome.limit, outcome.error) == ("limit", "total_memory", ERROR)
    assert outcome.stdout.rstrip() == "on"
    assert not guest.session.is_alive


async def test_a_computing_run_is_stopped_from_outside_too(guest):
    outcomes = []

    async def run():
        outcomes.append(await guest.run("print('on')\nwhile True: pass", on_output=heard))

    begun = anyio.Event()

    def heard(_text):
        begun.set()

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await begun.wait()
            guest.session.stop("total_memory", ERROR)
    assert (outcomes[0].limit, outcomes[0].error) == ("total_memory", ERROR)


async def test_without_a_run_there_is_nothing_to_stop(guest):
    guest.session.stop("total_memory", ERROR)
    assert (await guest.run("1 + 1")).value == b"2"


@pytest.mark.parametrize("tier", sorted(tier.name for tier in TIERS))
async def test_a_guest_gives_way_to_its_host(tier):
    async with open_guest(ALL_TIERS[tier]) as guest:
        own = os.getpriority(os.PRIO_PROCESS, 0)
        assert os.getpriority(os.PRIO_PROCESS, guest.session.pid) == min(19, own + 10)


async def test_an_interpreter_gives_way_to_its_host():
    async with open_monty_guest() as guest:
        assert os.getpriority(os.PRIO_PROCESS, guest.session.process_id) == 10
