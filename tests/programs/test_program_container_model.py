"""The table of containers under any sequence of uses."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.programs.fakes import ANN, InProcessSession

from toolweft.core.errors import ContainerBusy, ContainerExpired
from toolweft.core.ids import ContainerId
from toolweft.core.programs import ProgramLimits
from toolweft.programs.containers import ContainerTable, LiveContainer
from toolweft.programs.options import ContainerOptions
from toolweft.testing import FakeClock

OPTIONS = ContainerOptions(idle_s=10, max_age_s=25)


class TableMachine(RuleBasedStateMachine):
    """Opens, uses and forgets containers while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = FakeClock()
        self.table = ContainerTable(clock=self.clock, options=OPTIONS)
        self.opened: list[LiveContainer] = []

    @rule()
    def open(self) -> None:
        name = ContainerId(f"c_{len(self.opened)}")
        session = InProcessSession()
        container = self.table.add(
            name, owner=ANN, session=session, backend="fake", limits=ProgramLimits()
        )
        self.opened.append(container)

    @precondition(lambda self: self.opened)
    @rule(data=st.data())
    def use(self, data: st.DataObject) -> None:
        container = data.draw(st.sampled_from(self.opened))
        was_busy = container.is_busy
        try:
            assert self.table.claim(container.id, owner=ANN) is container
            assert not was_busy
        except ContainerBusy:
            assert was_busy
        except ContainerExpired:
            assert not was_busy or container not in self.table.live

    @precondition(lambda self: self.opened)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        container = data.draw(st.sampled_from(self.opened))
        self.table.release(container)

    @rule(seconds=st.floats(0, 12))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    @rule()
    def reap(self) -> None:
        assert all(not container.is_busy for container in self.table.take_expired())

    @rule()
    def evict(self) -> None:
        idle = [c for c in self.table.live if not c.is_busy]
        evicted = self.table.take_least_recent(ANN)
        assert evicted is (min(idle, key=lambda c: c.last_active_s, default=None) and idle[0])

    @invariant()
    def what_is_shown_is_true(self) -> None:
        now = self.clock.now()
        for container in self.table.live:
            shown = self.table.describe(container)
            assert 0 <= shown.time_remaining_s(now) <= OPTIONS.idle_s
            assert (shown.status == "busy") == container.is_busy
        for container in self.opened:
            if container not in self.table.live:
                assert self.table.describe(container).status == "closed"


TestContainerTable = TableMachine.TestCase
TestContainerTable.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
