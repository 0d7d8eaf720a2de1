"""What is cancelled while a server works, asks, or is waited for."""

import os
import signal
from dataclasses import replace

import anyio
import pytest
from tests.sources.mcp.asked import AskedClient, asking_source, call, never
from tests.sources.support import PATIENT_S, WaitingListener

from toolweft.core.client import Ask
from toolweft.core.clock import SystemClock
from toolweft.core.countdown import Countdown
from toolweft.core.errors import AskRefused, SourceUnavailable
from toolweft.core.ids import ToolName
from toolweft.testing import build_call

pytestmark = [pytest.mark.process, pytest.mark.network]

MODERN, LEGACY = "2026-07-28", "2025-11-25"
EVERY_KIND = [(t, r) for t in ("stdio", "http") for r in (MODERN, LEGACY)]


async def wait_for_event(source: object, wanted: str) -> list[str]:
    """The server's events, once the wanted one is among them."""
    with anyio.fail_after(PATIENT_S):
        while True:
            events: list[str] = (await call(source, "seen", AskedClient()))["events"]
            if wanted in events:
                return events
            await anyio.sleep(0.02)


@pytest.mark.promise("ask.withdrawn")
@pytest.mark.parametrize(("transport", "revision"), EVERY_KIND)
async def test_a_call_cancelled_while_its_server_works_is_cancelled_there(
    transport: str, revision: str, listener: WaitingListener
) -> None:
    async with asking_source(transport, revision, listener) as source:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, source, "hang", AskedClient())
            await wait_for_event(source, "hang began")
            tasks.cancel_scope.cancel()
        await wait_for_event(source, "hang cancelled")


@pytest.mark.promise("ask.withdrawn")
@pytest.mark.parametrize(("transport", "revision"), EVERY_KIND)
async def test_a_call_cancelled_while_a_person_is_asked_takes_its_question_back(
    transport: str, revision: str, listener: WaitingListener
) -> None:
    async with asking_source(transport, revision, listener) as source:
        client = AskedClient(answer=never)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, source, "ask_and_tell", client)
            with anyio.fail_after(PATIENT_S):
                await client.asked.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(PATIENT_S):
            await client.taken_back.wait()
        assert client.withdrawn == client.asks
        if revision == LEGACY:
            # A server of 2026 ended its call with the question, and has nothing to cancel.
            await wait_for_event(source, "ask cancelled")
        assert (await call(source, "stay", AskedClient()))["pid"]


@pytest.mark.promise("ask.withdrawn")
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_question_whose_call_ended_is_taken_back(
    transport: str, listener: WaitingListener
) -> None:
    async with asking_source(transport, LEGACY, listener) as source:
        client = AskedClient(answer=never)
        assert await call(source, "ask_and_leave", client, {"s": 0.5}) == {"left": True}
        with anyio.fail_after(PATIENT_S):
            await client.taken_back.wait()
        assert len(client.asks) == len(client.withdrawn) == 1


@pytest.mark.promise("ask.withdrawn")
async def test_of_several_questions_one_refusal_takes_back_the_others(
    listener: WaitingListener,
) -> None:
    async def refuse_one(ask: Ask) -> dict[str, object]:
        if ask.kind == "roots":
            raise AskRefused("no roots here")
        return await never(ask)

    async with asking_source("stdio", MODERN, listener) as source:
        client = AskedClient(answer=refuse_one)
        with pytest.raises(AskRefused, match="no roots here"):
            await call(source, "ask_many", client)
        assert {ask.kind for ask in client.withdrawn} <= {"elicitation", "sampling"}
        assert len(client.withdrawn) == len(client.asks) - 1


@pytest.mark.promise("ask.serial")
async def test_an_abandoned_question_frees_the_queue(listener: WaitingListener) -> None:
    given_up = anyio.Event()

    async def give_up(ask: Ask) -> dict[str, object]:
        await given_up.wait()
        raise AskRefused("nobody answered in time")

    async with asking_source("stdio", LEGACY, listener, mode="serial") as source:
        slow, quick = AskedClient(answer=give_up), AskedClient("bob")
        found = {}

        async def use(name: str, client: AskedClient) -> None:
            found[name] = await call(source, "ask_form", client)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use, "slow", slow)
            await slow.asked.wait()
            tasks.start_soon(use, "quick", quick)
            await anyio.wait_all_tasks_blocked()
            assert quick.asks == []
            given_up.set()
        assert found["slow"]["it"]["refused"].startswith("nobody answered in time")
        assert found["quick"]["it"]["content"]["name"] == "bob"


@pytest.mark.promise("ask.serial", "ask.withdrawn")
async def test_whoever_waits_in_the_queue_waits_no_longer_than_its_own_time(
    listener: WaitingListener,
) -> None:
    answered = anyio.Event()

    async def think(ask: Ask) -> dict[str, object]:
        await answered.wait()
        return {"action": "decline"}

    async with asking_source("stdio", LEGACY, listener, mode="serial") as source:
        slow = AskedClient(answer=think)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, source, "ask_form", slow)
            await slow.asked.wait()
            countdown = Countdown(0.2, clock=SystemClock())
            made = replace(build_call("hang", client=AskedClient()), countdown=countdown)
            with anyio.CancelScope() as scope, countdown.drive(scope, anyio.current_time):
                await source.call_tool(ToolName("hang"), made)
            assert scope.cancelled_caught
            answered.set()
        # It never came to the server, and those behind it are served.
        assert (await call(source, "seen", AskedClient()))["events"] == []


@pytest.mark.promise("ask.withdrawn")
@pytest.mark.parametrize("revision", [MODERN, LEGACY])
async def test_a_server_that_dies_in_a_question_takes_it_along(
    revision: str, listener: WaitingListener
) -> None:
    async with asking_source("stdio", revision, listener) as source:
        client = AskedClient(answer=never)
        refused: list[SourceUnavailable] = []

        async def attempt() -> None:
            try:
                await call(source, "ask_form", client)
            except SourceUnavailable as exc:
                refused.append(exc)

        process_id = (await call(source, "stay", AskedClient()))["pid"]
        with anyio.fail_after(PATIENT_S):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(attempt)
                await client.asked.wait()
                os.kill(process_id, signal.SIGKILL)
        assert client.withdrawn == client.asks
        assert "broke off during 'ask_form': it was killed by SIGKILL" in refused[0].message
