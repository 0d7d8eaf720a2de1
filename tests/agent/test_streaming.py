"""Events of work in a task of its own: whoever reads them may leave, and hears of its failure."""

from contextlib import aclosing

import anyio
import pytest

from toolweft.agent.events import AgentEvent, Emit, Notice
from toolweft.agent.streaming import stream_events
from toolweft.core.errors import ConfigError

ONE, TWO = Notice(kind="retry", text="one"), Notice(kind="retry", text="two")


async def test_events_come_while_the_work_goes_on() -> None:
    seen = anyio.Event()

    async def work(emit: Emit) -> None:
        emit(ONE)
        with anyio.fail_after(5):
            await seen.wait()
        emit(TWO)

    events: list[AgentEvent] = []
    async for event in stream_events(work):
        events.append(event)
        seen.set()
    assert events == [ONE, TWO]


async def test_a_failure_comes_after_the_last_event_and_without_a_group() -> None:
    async def work(emit: Emit) -> None:
        async with anyio.create_task_group():
            emit(ONE)
            raise ConfigError("no such model")

    events: list[AgentEvent] = []

    async def read() -> None:
        async for event in stream_events(work):
            events.append(event)

    with pytest.raises(ConfigError, match="no such model"):
        await read()
    assert events == [ONE]


@pytest.mark.parametrize("is_closed", [True, False])
async def test_whoever_leaves_ends_the_work(is_closed: bool) -> None:
    ended = anyio.Event()

    async def work(emit: Emit) -> None:
        try:
            emit(ONE)
            await anyio.sleep_forever()
        finally:
            emit(TWO)
            ended.set()

    if is_closed:
        async with aclosing(stream_events(work)) as events:  # type: ignore[type-var]
            async for _ in events:
                break
        assert ended.is_set()
    else:
        async for _ in stream_events(work):
            break
    with anyio.fail_after(5):
        await ended.wait()


async def test_a_cancelled_reader_ends_the_work() -> None:
    ended = anyio.Event()

    async def work(_emit: Emit) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    with anyio.move_on_after(0.01):
        async for _ in stream_events(work):
            pass
    assert ended.is_set()
