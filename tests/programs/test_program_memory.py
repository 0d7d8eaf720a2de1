"""A cap on what all containers hold together."""

from pathlib import Path

import anyio
import pytest
from tests.programs.fakes import ANN, BEN, InProcessSession, make_tool, open_world

from toolweft.core.errors import ContainerBusy, ContainerExpired, SandboxUnavailable
from toolweft.core.ids import ContainerId
from toolweft.core.programs import ProgramLimits
from toolweft.programs import ProgramOptions
from toolweft.programs.containers import ContainerTable, LiveContainer
from toolweft.programs.memory import MemoryKeeper, default_memory_bytes
from toolweft.programs.options import ContainerOptions
from toolweft.testing import FakeClock

MIB = 1024 * 1024
ADD = make_tool("math.add", parameters={"a": {}, "b": {}}, required=["a", "b"])
WAIT = make_tool("jobs.wait")


@pytest.fixture
def table(clock: FakeClock) -> ContainerTable:
    return ContainerTable(clock=clock, options=ContainerOptions())


def add(table: ContainerTable, name: str, mib: int, *, idle: bool = True) -> LiveContainer:
    session = InProcessSession()
    session.held_bytes = mib * MIB
    container = table.add(
        ContainerId(name), owner=ANN, session=session, backend="f/n", limits=ProgramLimits()
    )
    if idle:
        table.release(container)
    return container


def test_idle_containers_end_first_and_only_as_many_as_needed(table: ContainerTable) -> None:
    first, second, third = (add(table, f"c_{n}", 40) for n in range(3))
    busy = add(table, "c_busy", 90, idle=False)
    keeper = MemoryKeeper(table, limit_bytes=150 * MIB)
    assert keeper.enforce() == [first, second]
    assert third in table
    assert busy.session.stopped == []
    assert keeper.enforce() == []
    with pytest.raises(ContainerExpired, match="together used too much memory"):
        table.find(first.id, owner=ANN)


def test_the_largest_run_is_stopped_where_no_idle_container_helps(table: ContainerTable) -> None:
    small = add(table, "c_small", 40, idle=False)
    large = add(table, "c_large", 90, idle=False)
    empty = add(table, "c_empty", 0)
    keeper = MemoryKeeper(table, limit_bytes=100 * MIB)
    assert keeper.enforce() == []
    assert (large.session.stopped, small.session.stopped) == (["total_memory"], [])
    assert empty in table


def test_what_a_run_holds_now_counts_and_not_what_it_held(table: ContainerTable) -> None:
    container = add(table, "c_1", 10, idle=False)
    assert table.memory_bytes() == 10 * MIB
    container.session.held_bytes = 30 * MIB
    assert table.memory_bytes() == 30 * MIB
    container.session.held_bytes = 20 * MIB
    table.release(container)
    assert table.memory_bytes() == 20 * MIB


def test_without_a_cap_nothing_ends(table: ContainerTable) -> None:
    add(table, "c_1", 10_000)
    assert MemoryKeeper(table, limit_bytes=None).enforce() == []


def test_the_default_is_half_of_what_a_control_group_leaves(tmp_path: Path) -> None:
    unlimited, limited = tmp_path / "a", tmp_path / "b"
    unlimited.write_text("max\n")
    limited.write_text(f"{64 * MIB}\n")
    assert default_memory_bytes((unlimited, limited, tmp_path / "none")) == 32 * MIB
    whole = default_memory_bytes(())
    assert whole is not None
    assert whole > 32 * MIB


async def test_a_runner_ends_what_is_too_much_and_says_why() -> None:
    options = ProgramOptions(containers=ContainerOptions(memory_bytes=MIB))
    async with open_world(ADD, options=options) as world:
        first = await world.runner.run("x = 1", principal=ANN)
        assert first.container is not None
        world.backend.sessions[0].held_bytes = 2 * MIB
        with anyio.fail_after(30):
            await world.backend.sessions[0].closed.wait()
        with pytest.raises(ContainerExpired, match="memory"):
            await world.runner.run("x", principal=ANN, container_id=first.container.id)


async def test_gauges_show_what_is_going_on() -> None:
    options = ProgramOptions(containers=ContainerOptions(memory_bytes=64 * MIB))
    async with open_world(WAIT, options=options) as world:
        world.road.answers["jobs.wait"] = anyio.Event().wait
        kept = await world.runner.run("x = 1", principal=BEN)
        assert kept.container is not None
        world.backend.sessions[0].held_bytes = 3 * MIB
        await world.runner.start("await jobs.wait()", principal=ANN)
        while not world.road.calls:
            await anyio.lowlevel.checkpoint()
        assert world.runner.gauges().to_dict() == {
            "containers_busy": 1,
            "containers_idle": 1,
            "containers_opening": 0,
            "runs_waiting": 0,
            "calls_in_flight": 1,
            "memory_bytes": 3 * MIB,
            "memory_limit_bytes": 64 * MIB,
        }


async def test_a_reset_container_keeps_its_id_and_nothing_else() -> None:
    async with open_world(ADD, WAIT) as world:
        first = await world.runner.run("x = 1", principal=ANN)
        assert first.container is not None
        container_id = first.container.id
        await world.runner.reset_container(container_id, principal=ANN)
        again = await world.runner.run("x", principal=ANN, container_id=container_id)
        assert again.error is not None
        assert again.error.type == "NameError"
        assert [session.is_closed for session in world.backend.sessions] == [True, False]

        world.backend.fault = SandboxUnavailable("no more processes")
        await world.runner.run("x = 2", principal=ANN, container_id=container_id)
        with pytest.raises(SandboxUnavailable):
            await world.runner.reset_container(container_id, principal=ANN)
        kept = await world.runner.run("x", principal=ANN, container_id=container_id)
        assert kept.value == 2

        world.road.answers["jobs.wait"] = anyio.Event().wait
        await world.runner.start("await jobs.wait()", principal=ANN, container_id=container_id)
        while not world.road.calls:
            await anyio.lowlevel.checkpoint()
        with pytest.raises(ContainerBusy):
            await world.runner.reset_container(container_id, principal=ANN)


async def test_a_container_closed_while_it_is_reset_leaves_nothing_open() -> None:
    async with open_world(ADD) as world:
        first = await world.runner.run("x = 1", principal=ANN)
        assert first.container is not None
        container_id = first.container.id

        async def reset() -> None:
            with pytest.raises(ContainerExpired):
                await world.runner.reset_container(container_id, principal=ANN)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reset)
            await anyio.lowlevel.checkpoint()
            await world.runner.close_container(container_id, principal=ANN)
        assert all(session.is_closed for session in world.backend.sessions)
