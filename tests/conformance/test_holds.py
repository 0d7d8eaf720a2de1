"""Waiting for a person: every clock of a run stands still but that on processor time."""

import time

import anyio
import pytest
from tests.conformance.backends import OpenBackend
from tests.sandbox.process.guests import Guest

from toolweft.core.calls import Failure
from toolweft.core.ports import GuestCall, GuestReply

pytestmark = pytest.mark.process

# What a run may take, and what a person takes. A run that only calls takes a fraction of either.
WALL_S = 1.0
PERSON_S = 1.5


async def ask_a_person(call: GuestCall) -> GuestReply:
    if call.name == "t.hang":
        await anyio.sleep_forever()
    if call.name == "t.ask":
        with call.countdown.hold():
            await anyio.sleep(PERSON_S)
    return GuestReply(payload=b"7")


@pytest.mark.promise("sandbox.hold")
async def test_a_run_does_not_pay_for_the_time_of_a_person(guest: Guest):
    outcome = await guest.run("await t.ask()", on_call=ask_a_person, wall_s=WALL_S)
    assert (outcome.status, outcome.value) == ("ok", b"7")
    assert PERSON_S - 0.1 < outcome.stats.held_s < PERSON_S + WALL_S
    assert 0 < outcome.stats.active_s <= outcome.stats.wall_s < WALL_S


@pytest.mark.promise("sandbox.hold")
async def test_several_that_ask_at_once_hold_a_run_once(guest: Guest):
    code = "import asyncio\nsum(await asyncio.gather(*[t.ask() for _ in range(5)]))"
    outcome = await guest.run(code, on_call=ask_a_person, wall_s=WALL_S)
    assert (outcome.status, outcome.value) == ("ok", b"35")
    assert PERSON_S - 0.1 < outcome.stats.held_s < PERSON_S + WALL_S


@pytest.mark.promise("sandbox.hold")
async def test_what_was_left_of_a_run_is_left_after_a_hold_and_no_more(guest: Guest):
    code = "print(await t.ask())\nawait t.hang()"
    with anyio.fail_after(30):
        outcome = await guest.run(code, on_call=ask_a_person, wall_s=WALL_S)
    assert (outcome.status, outcome.limit, outcome.stdout) == ("limit", "wall", "7\n")
    assert PERSON_S - 0.1 < outcome.stats.held_s < PERSON_S + WALL_S
    assert outcome.stats.wall_s > WALL_S


async def test_a_call_that_only_takes_long_holds_nothing(guest: Guest):
    with anyio.fail_after(30):
        outcome = await guest.run("await t.hang()", on_call=ask_a_person, wall_s=0.3)
    assert (outcome.status, outcome.limit, outcome.stats.held_s) == ("limit", "wall", 0)


@pytest.mark.promise("sandbox.hold")
async def test_a_program_that_computes_while_a_person_is_asked_meets_its_limit(guest: Guest):
    held = anyio.Event()

    async def on_call(call: GuestCall) -> GuestReply:
        if call.name == "t.ask":
            with call.countdown.hold():
                held.set()
                await anyio.sleep_forever()
        await held.wait()
        return GuestReply()

    code = (
        "import asyncio\nasync def spin():\n    await echo()\n    while True: pass\n"
        "await asyncio.gather(t.ask(), spin())"
    )
    with anyio.fail_after(30):
        outcome = await guest.run(code, on_call=on_call, active_s=0.3)
    assert (outcome.status, outcome.limit) == ("limit", "cpu")
    assert outcome.stats.held_s > 0


async def test_a_run_that_is_cancelled_while_a_person_is_asked_ends(opened: OpenBackend):
    asked = anyio.Event()

    async def on_call(call: GuestCall) -> GuestReply:
        with call.countdown.hold():
            asked.set()
            await anyio.sleep_forever()
        raise AssertionError("unreachable")

    with anyio.fail_after(30):
        async with opened.guest() as guest, anyio.create_task_group() as tasks:

            async def run() -> None:
                await guest.run("await t.ask()", on_call=on_call)

            tasks.start_soon(run)
            await asked.wait()
            tasks.cancel_scope.cancel()


@pytest.mark.promise("sandbox.stop")
async def test_a_call_that_fails_as_the_run_ends_is_not_told(guest: Guest):
    """The deadline of a call is its run's: a program must not go on to answer for it."""

    async def on_call(call: GuestCall) -> GuestReply:
        # The loop stands still, so this is what notices first; then the program has time to act.
        while not call.countdown.is_over:
            time.sleep(0.001)  # noqa: ASYNC251
        if call.name == "t.block":
            time.sleep(0.3)  # noqa: ASYNC251
        return GuestReply(failure=Failure(code="timeout", message="no answer in time"))

    code = (
        "import asyncio\nasync def tell():\n    try:\n        await t.f()\n"
        "    except ToolError as e:\n        print(e, flush=True)\n"
        "await asyncio.gather(tell(), t.block())"
    )
    outcome = await guest.run(code, on_call=on_call, wall_s=0.3)
    assert (outcome.status, outcome.limit) == ("limit", "wall")
    assert "no answer" not in outcome.stdout
