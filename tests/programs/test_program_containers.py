"""Which containers live, whose they are, and when they are over."""

from datetime import timedelta

import anyio
import pytest
from tests.programs.fakes import ANN, BEN, InProcessBackend, InProcessSession, make_snapshot

from toolweft.core.calls import Principal
from toolweft.core.errors import (
    ContainerBusy,
    ContainerExpired,
    ContainerNotFound,
    Overloaded,
    ToolweftError,
)
from toolweft.core.ids import ContainerId, RunId
from toolweft.core.ports import SandboxOutcome
from toolweft.core.programs import ProgramError, ProgramLimits, ProgramStats
from toolweft.programs import containers, runs
from toolweft.programs.check import CheckReport
from toolweft.programs.containers import ContainerTable, LiveContainer
from toolweft.programs.handles import RunHandles
from toolweft.programs.options import ContainerOptions
from toolweft.programs.outcomes import build_outcome
from toolweft.programs.pool import ContainerPool
from toolweft.programs.runs import Run, RunTable
from toolweft.testing import CountingIds, FakeClock

OPTIONS = ContainerOptions(idle_s=10, max_age_s=25, max_live=2, queue_s=60, max_queued=2)
LIMITS = ProgramLimits()


@pytest.fixture
def table(clock: FakeClock) -> ContainerTable:
    return ContainerTable(clock=clock, options=OPTIONS)


def add(table: ContainerTable, name: str = "c_1") -> LiveContainer:
    session = InProcessSession()
    return table.add(
        ContainerId(name), owner=ANN, session=session, backend="fake/none", limits=LIMITS
    )


def test_an_idle_container_expires_at_the_very_second(
    table: ContainerTable, clock: FakeClock
) -> None:
    container = add(table)
    table.release(container)
    clock.advance(9.99)
    assert table.find(container.id, owner=ANN) is container
    clock.advance(0.01)
    with pytest.raises(ContainerExpired, match="idle too long"):
        table.find(container.id, owner=ANN)
    assert table.take_expired() == [container]
    assert len(table) == 0
    with pytest.raises(ContainerExpired, match="idle too long"):
        table.claim(container.id, owner=ANN)


def test_room_is_made_from_ones_own_containers_and_from_others_only_when_long_idle(
    clock: FakeClock,
) -> None:
    table = ContainerTable(clock=clock, options=ContainerOptions())
    session = InProcessSession()
    others = table.add(ContainerId("c_1"), owner=BEN, session=session, backend="f/n", limits=LIMITS)
    own = add(table, "c_2")
    table.release(others)
    table.release(own)
    assert table.take_least_recent(ANN) is own
    clock.advance(29)
    assert table.take_least_recent(ANN) is None
    clock.advance(1)
    assert table.take_least_recent(ANN) is others


def test_above_its_share_a_principal_s_idle_containers_are_not_kept_from_others(
    clock: FakeClock,
) -> None:
    table = ContainerTable(clock=clock, options=ContainerOptions(max_live=4))
    first, *rest = [add(table, f"c_{number}") for number in range(4)]
    table.release(first)
    assert table.take_least_recent(BEN) is first
    for container in rest:
        table.release(container)
    assert table.take_least_recent(BEN) is None


def test_a_container_whose_session_ended_while_idle_is_over(table: ContainerTable) -> None:
    container = add(table)
    table.release(container)
    container.session.is_alive = False  # type: ignore[misc]  # the fake's own attribute
    with pytest.raises(ContainerExpired, match="broke it"):
        table.claim(container.id, owner=ANN)
    assert table.take_expired() == [container]


def test_too_many_known_names_stand_for_any_name(table: ContainerTable) -> None:
    container = add(table)
    container.learn(f"n{n}" for n in range(containers.MAX_KNOWN_NAMES))
    assert len(container.known) == containers.MAX_KNOWN_NAMES
    container.learn({"one_more"})
    assert container.known == {"*"}


def test_use_puts_off_idleness_but_never_age(table: ContainerTable, clock: FakeClock) -> None:
    container = add(table)
    for _ in range(3):
        table.release(container)
        clock.advance(8)
        table.claim(container.id, owner=ANN)
    table.release(container)
    assert table.describe(container).time_remaining_s(clock.now()) == 1
    clock.advance(1)
    with pytest.raises(ContainerExpired, match="maximum age"):
        table.claim(container.id, owner=ANN)


def test_a_busy_container_outlives_its_time_until_it_is_given_back(
    table: ContainerTable, clock: FakeClock
) -> None:
    container = add(table)
    clock.advance(100)
    assert table.take_expired() == []
    with pytest.raises(ContainerBusy):
        table.claim(container.id, owner=ANN)
    table.release(container)
    assert table.take_expired() == [container]


def test_what_is_shown_of_a_container_agrees_with_its_end(
    table: ContainerTable, clock: FakeClock
) -> None:
    container = add(table)
    assert table.describe(container).status == "busy"
    table.release(container)
    clock.advance(4)
    shown = table.describe(container)
    assert (shown.status, shown.expires_at) == ("idle", clock.now() + timedelta(seconds=6))
    table.remove(container, "closed")
    assert (table.describe(container).status, shown.backend) == ("closed", "fake/none")


def test_an_ended_container_is_unknown_to_others(table: ContainerTable) -> None:
    container = add(table)
    table.remove(container, "died")
    table.remove(container, "closed")
    with pytest.raises(ContainerExpired, match="the run that broke it"):
        table.find(container.id, owner=ANN)
    with pytest.raises(ContainerNotFound):
        table.find(container.id, owner=BEN)


def test_only_so_many_ended_containers_are_remembered(table: ContainerTable) -> None:
    first = add(table, "c_first")
    table.remove(first, "closed")
    for number in range(containers.MAX_REMEMBERED):
        table.remove(add(table, f"c_{number}"), "closed")
    with pytest.raises(ContainerNotFound):
        table.find(first.id, owner=ANN)


def test_all_busy_means_none_to_evict(table: ContainerTable) -> None:
    container = add(table)
    assert table.take_least_recent(ANN) is None
    table.release(container)
    assert table.take_least_recent(ANN) is container


# ------------------------------------------------------------------------------------------ pool


@pytest.fixture
def backend() -> InProcessBackend:
    return InProcessBackend()


@pytest.fixture
def pool(backend: InProcessBackend, clock: FakeClock, ids: CountingIds) -> ContainerPool:
    return ContainerPool(backend=backend, clock=clock, ids=ids, options=OPTIONS)


async def hold(
    pool: ContainerPool,
    held: list[str],
    gate: anyio.Event,
    name: str,
    principal: Principal = ANN,
) -> None:
    try:
        async with pool.lend(None, principal=principal, limits=LIMITS):
            held.append(name)
            await gate.wait()
    except ToolweftError as exc:
        held.append(f"{name} {exc.code}")


async def settle() -> None:
    for _ in range(30):
        await anyio.lowlevel.checkpoint()


async def test_there_are_never_more_than_permitted_and_waiters_go_in_order(
    pool: ContainerPool, backend: InProcessBackend
) -> None:
    held: list[str] = []
    gates = [anyio.Event() for _ in range(4)]
    async with anyio.create_task_group() as tasks:
        for number, gate in enumerate(gates):
            tasks.start_soon(hold, pool, held, gate, str(number))
            await settle()
        assert held == ["0", "1"]
        with pytest.raises(Overloaded):
            async with pool.lend(None, principal=ANN, limits=LIMITS):
                pass
        gates[0].set()
        await settle()
        assert held == ["0", "1", "2"]
        for gate in gates:
            gate.set()
    assert held == ["0", "1", "2", "3"]
    assert sum(not session.is_closed for session in backend.sessions) == 2


async def test_a_turn_goes_to_the_first_for_whom_there_is_room(pool: ContainerPool) -> None:
    held: list[str] = []
    gate, never = anyio.Event(), anyio.Event()

    async def wait_as_ben() -> None:
        async with pool.lend(None, principal=BEN, limits=LIMITS):
            held.append("ben")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(hold, pool, held, gate, "a")
        tasks.start_soon(hold, pool, held, never, "b")
        await settle()
        # First in the queue, but what Ann used a moment ago is kept from others.
        tasks.start_soon(wait_as_ben)
        await settle()
        tasks.start_soon(hold, pool, held, never, "c")
        await settle()
        gate.set()
        await settle()
        assert held == ["a", "b", "c"]
        tasks.cancel_scope.cancel()


async def test_nobody_who_comes_later_takes_the_slot_of_a_waiter(pool: ContainerPool) -> None:
    held: list[str] = []
    gates = {name: anyio.Event() for name in "abcde"}
    async with anyio.create_task_group() as tasks:
        for name in "abcd":
            tasks.start_soon(hold, pool, held, gates[name], name)
            await settle()
        assert held == ["a", "b"]

        async def end_and_come_again() -> None:
            async with pool.lend(None, principal=ANN, limits=LIMITS):
                held.append("first")
                await gates["e"].wait()
            # Before those who were called have moved.
            await hold(pool, held, gates["e"], "last")

        gates["a"].set()
        await settle()
        assert held == ["a", "b", "c"]
        tasks.start_soon(end_and_come_again)
        await settle()
        gates["b"].set()
        gates["c"].set()
        await settle()
        assert held == ["a", "b", "c", "d", "first"]
        tasks.start_soon(hold, pool, held, gates["e"], "waits")
        await settle()
        gates["e"].set()
        await settle()
        assert held[5:] == ["waits", "last"]
        gates["d"].set()


async def test_whoever_has_a_full_share_comes_after_others(
    backend: InProcessBackend, clock: FakeClock, ids: CountingIds
) -> None:
    options = ContainerOptions(max_live=4, queue_s=60)
    pool = ContainerPool(backend=backend, clock=clock, ids=ids, options=options)
    held: list[str] = []
    gates = {name: anyio.Event() for name in "abcdefg"}
    async with anyio.create_task_group() as tasks:
        for name in "abcdef":
            tasks.start_soon(hold, pool, held, gates[name], name)
            await settle()
        tasks.start_soon(hold, pool, held, gates["g"], "g", BEN)
        await settle()
        assert held == ["a", "b", "c", "d"]
        # Ann came first with two more, and has all four; idle, the fourth is not kept from Ben.
        gates["a"].set()
        await settle()
        assert held == ["a", "b", "c", "d", "g"]
        gates["b"].set()
        await settle()
        assert held == ["a", "b", "c", "d", "g", "e"]
        for gate in gates.values():
            gate.set()
    assert held[6:] == ["f"]


async def test_a_waiter_that_gives_up_leaves_its_turn_to_the_next(pool: ContainerPool) -> None:
    held: list[str] = []
    gate, never = anyio.Event(), anyio.Event()
    async with anyio.create_task_group() as tasks:
        for name in ("a", "b"):
            tasks.start_soon(hold, pool, held, gate, name)
        await settle()
        async with anyio.create_task_group() as impatient:
            impatient.start_soon(hold, pool, held, never, "c")
            tasks.start_soon(hold, pool, held, gate, "d")
            await settle()
            # Called and cancelled in the same step of the loop.
            gate.set()
            impatient.cancel_scope.cancel()
        with anyio.fail_after(5):
            while "d" not in held:
                await anyio.lowlevel.checkpoint()
    assert held[:2] == ["a", "b"]


async def test_expired_containers_are_closed_and_make_room(
    pool: ContainerPool, backend: InProcessBackend, clock: FakeClock
) -> None:
    async with pool.lend(None, principal=ANN, limits=LIMITS) as container:
        pass
    clock.advance(10)
    await pool.close_expired()
    assert backend.sessions[0].is_closed
    with pytest.raises(ContainerExpired):
        pool.find(container.id, principal=ANN)


# ----------------------------------------------------------------------------------- runs, outcome


def make_run(number: int) -> Run:
    return Run(id=RunId(f"r{number}"), principal=ANN, code="", container_id=None, limits=LIMITS)


async def test_only_so_many_finished_runs_are_kept(clock: FakeClock) -> None:
    table = RunTable(clock=clock, keep_finished_s=300)
    made = [make_run(number) for number in range(runs.MAX_KEPT + 2)]
    for run in made:
        table.add(run)
        run.finished_s = clock.monotonic_s()
        clock.advance(0.1)
    table.forget_old()
    with pytest.raises(ToolweftError, match="no run") as refused:
        table.find(made[1].id, principal=ANN)
    for told in ("after 300 s", f"more than {runs.MAX_KEPT} ", "more than 2 MiB"):
        assert told in str(refused.value.hint)
    assert table.find(made[2].id, principal=ANN) is made[2]


async def test_finished_runs_are_kept_up_to_a_size_and_the_newest_always(clock: FakeClock) -> None:
    table = RunTable(clock=clock, keep_finished_s=300)
    made = [make_run(number) for number in range(3)]
    for run in made:
        table.add(run)
        run.finished_s = clock.monotonic_s()
        run.kept_bytes = runs.MAX_KEPT_BYTES
        clock.advance(0.1)
    made[2].kept_bytes += 1
    table.forget_old()
    assert table.find(made[2].id, principal=ANN) is made[2]
    for run in made[:2]:
        with pytest.raises(ToolweftError, match="no run"):
            table.find(run.id, principal=ANN)


@pytest.mark.parametrize(
    ("raw", "value", "is_repr"),
    [
        (b"", None, False),
        (b"[1]", [1], False),
        (b"\xff{", "\ufffd{", True),
        # Nothing that no message could carry on.
        (b'{"\\ud800": ["\\udfff"]}', {"\ufffd": ["\ufffd"]}, False),
        (b"[NaN, 1e999]", "[NaN, 1e999]", True),
    ],
)
def test_the_value_of_a_guest_is_read_with_care(raw: bytes, value: object, is_repr: bool) -> None:
    outcome = build_outcome(
        RunId("r"),
        inside=SandboxOutcome(
            status="error",
            value=raw,
            error=ProgramError(type="NameError", message="name 'qqqq' is not defined"),
            stats=ProgramStats(),
        ),
        report=CheckReport(),
        records=(),
        container=None,  # type: ignore[arg-type]  # not looked at
        snapshot=make_snapshot(),
        handles=RunHandles(None, owner=ANN, max_result_bytes=100),
    )
    assert (outcome.value, outcome.value_is_repr) == (value, is_repr)
    assert outcome.error is not None
    assert outcome.error.hint is None
