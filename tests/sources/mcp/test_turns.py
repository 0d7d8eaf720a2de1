"""Calls side by side and one at a time, and the change between the two."""

import anyio
import pytest

from toolweft.sources.mcp.turns import CallMode, Turns


class Stage:
    """Calls that last until they are let go."""

    def __init__(self, mode: CallMode) -> None:
        self.turns = Turns(mode)
        self.inside: list[str] = []
        self.order: list[str] = []
        self.go = {name: anyio.Event() for name in "abcd"}

    async def use(self, name: str) -> None:
        async with self.turns.turn():
            self.inside.append(name)
            self.order.append(name)
            await self.go[name].wait()
            self.inside.remove(name)


async def test_calls_run_side_by_side_unless_told_otherwise() -> None:
    stage = Stage(CallMode(None))
    async with anyio.create_task_group() as tasks:
        for name in "abc":
            tasks.start_soon(stage.use, name)
        await anyio.wait_all_tasks_blocked()
        assert sorted(stage.inside) == ["a", "b", "c"]
        tasks.cancel_scope.cancel()


@pytest.mark.promise("ask.serial")
async def test_after_the_change_one_comes_after_the_other_and_after_those_before() -> None:
    mode = CallMode(None)
    stage = Stage(mode)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.use, "a")
        await anyio.wait_all_tasks_blocked()
        mode.learn(is_needed=True)
        for name in "bcd":
            tasks.start_soon(stage.use, name)
            await anyio.wait_all_tasks_blocked()
        for name in "abcd":
            assert stage.inside == [name]
            stage.go[name].set()
            await anyio.wait_all_tasks_blocked()
    assert stage.order == list("abcd")


async def test_one_that_gives_up_leaves_the_queue() -> None:
    stage = Stage(CallMode("serial"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stage.use, "a")
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0.01) as scope:
            await stage.use("b")
        assert scope.cancelled_caught
        tasks.start_soon(stage.use, "c")
        stage.go["a"].set()
        await anyio.wait_all_tasks_blocked()
        assert stage.inside == ["c"]
        stage.go["c"].set()


@pytest.mark.parametrize(("configured", "is_serial"), [("parallel", False), ("serial", True)])
def test_what_is_configured_holds_whatever_is_learned(configured: str, is_serial: bool) -> None:
    mode = CallMode(configured)
    for is_needed in (True, False, True):
        mode.learn(is_needed=is_needed)
        assert mode.is_serial is is_serial
        assert mode.is_learned is is_needed
