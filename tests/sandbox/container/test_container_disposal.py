"""Containers are removed once, and an engine that hangs holds nobody up for long."""

import anyio
import pytest

from toolweft.sandbox.container import disposal
from toolweft.sandbox.container.disposal import Disposal


class SlowEngine:
    """Takes its time to remove a container, or hangs."""

    def __init__(self, takes_s: float) -> None:
        self.takes_s = takes_s
        self.asked: list[str] = []
        self.removed: list[str] = []

    async def remove(self, container: str) -> None:
        self.asked.append(container)
        await anyio.sleep(self.takes_s)
        self.removed.append(container)


def make(engine: SlowEngine, *containers: str) -> Disposal:
    made = Disposal(engine)
    for container in containers:
        made.add(container)
    return made


async def test_a_removal_that_is_cancelled_is_ended_and_not_begun_again() -> None:
    engine = SlowEngine(0.1)
    made = make(engine, "a")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(made.discard, "a")
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    await made.discard_all()
    assert (engine.asked, engine.removed) == (["a"], ["a"])


async def test_an_engine_that_hangs_is_waited_for_until_one_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(disposal, "_CLEANUP_TIMEOUT_S", 0.2)
    engine = SlowEngine(60)
    made = make(engine, *"abcdefgh")
    with anyio.fail_after(10):
        await made.discard_all()
    assert (len(engine.asked), engine.removed) == (4, [])
