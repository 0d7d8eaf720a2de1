"""Who is asked what a run asks: whoever waits for it, in turn."""

from typing import Any

import anyio
import pytest

from toolweft.core.client import NOBODY, Ask
from toolweft.core.countdown import Countdown
from toolweft.core.errors import AskRefused, AskUnanswered
from toolweft.core.ids import SourceName
from toolweft.programs.asking import RunClient
from toolweft.testing import FakeClock

FORM = Ask(kind="elicitation", source=SourceName("desk"), params={"message": "Who?"})


class Asked(type(NOBODY)):  # type: ignore[misc] -- a client that refuses all but what is here
    """Answers once it may, and remembers what was taken back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.capabilities: dict[str, Any] = {"elicitation": {}}
        self.asked = anyio.Event()
        self.may_answer = anyio.Event()
        self.withdrawn = 0
        self.lines: list[str] = []

    async def ask(self, ask: Ask) -> dict[str, Any]:
        self.asked.set()
        try:
            await self.may_answer.wait()
        except anyio.get_cancelled_exc_class():
            self.withdrawn += 1
            raise
        return {"action": "accept", "content": {"name": self.name}}

    def log(self, level: str, data: Any, *, logger: str | None = None) -> None:
        self.lines.append(f"{level} {data}")


def run_client(client: Any = NOBODY, *, park_s: float = 5.0) -> tuple[RunClient, list[str]]:
    stopped: list[str] = []
    return RunClient(client, park_s=park_s, stop=stopped.append), stopped


@pytest.mark.promise("front.later")
async def test_an_ask_waits_for_somebody_and_goes_on_with_the_next() -> None:
    first, second = Asked("first"), Asked("second")
    client, stopped = run_client(first)
    answers: list[Any] = []

    async def ask() -> None:
        answers.append(await client.ask(FORM))

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.wait_all_tasks_blocked()
            assert client.is_parked
            with client.attend(first):
                await first.asked.wait()
                assert not client.is_parked
            await anyio.wait_all_tasks_blocked()
            assert client.is_parked
            assert first.withdrawn == 1
            with client.attend(second):
                second.may_answer.set()
                while not answers:
                    await anyio.lowlevel.checkpoint()

    assert answers[0]["content"] == {"name": "second"}
    assert stopped == []
    assert not client.is_parked


@pytest.mark.promise("front.clocks")
async def test_a_wait_stands_still_while_an_ask_is_open() -> None:
    clock = FakeClock()
    asked = Asked("ann")
    client, _ = run_client(asked)
    countdown = Countdown(10.0, clock=clock)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            with client.attend(asked, countdown):
                tasks.start_soon(client.ask, FORM)
                await asked.asked.wait()
                clock.advance(100.0)
                assert countdown.left_s() == 10.0
                # Whoever comes later stands still too.
                later = Countdown(10.0, clock=clock)
                with client.attend(asked, later):
                    clock.advance(100.0)
                    assert later.left_s() == 10.0
                asked.may_answer.set()
                while client._rounds.opened:
                    await anyio.lowlevel.checkpoint()
                clock.advance(4.0)
                assert countdown.left_s() == 6.0


@pytest.mark.promise("front.unanswered")
async def test_where_nobody_comes_the_run_is_stopped() -> None:
    client, stopped = run_client(Asked("ann"), park_s=0.01)

    with pytest.raises(AskUnanswered, match="nobody came to answer"):
        await client.ask(FORM)

    assert stopped == ["unanswered"]


async def test_who_cannot_be_asked_refuses_at_once() -> None:
    client, stopped = run_client()

    with client.attend(NOBODY), pytest.raises(AskRefused):
        await client.ask(FORM)

    assert client.capabilities == {}
    assert stopped == []


async def test_the_latest_of_two_who_wait_is_asked_and_hears() -> None:
    first, second = Asked("first"), Asked("second")
    for each in (first, second):
        each.may_answer.set()
    client, _ = run_client(first)

    with client.attend(first):
        with client.attend(second):
            answer = await client.ask(FORM)
            client.log("info", "a")
        client.log("info", "b")

    assert answer["content"] == {"name": "second"}
    assert (second.lines, first.lines) == (["info a"], ["info b"])
