"""Which backend "auto" takes."""

import pytest

from toolweft.core.clock import SystemClock
from toolweft.core.errors import SandboxUnavailable
from toolweft.core.ports import IsolationReport, SandboxCapabilities
from toolweft.core.programs import ProgramLimits
from toolweft.sandbox.choice import ChosenBackend, candidates
from toolweft.sandbox.options import SandboxOptions


class Backend:
    """Holds, or does not."""

    def __init__(self, name, *, holds):
        self.name = name
        self.reports = (IsolationReport(tier=name, holds=holds, reason="" if holds else "broken"),)
        self.capabilities = SandboxCapabilities(backend=name, tier=name, language="none")
        self.opened = 0
        self.is_open = False
        self._holds = holds

    async def __aenter__(self):
        if not self._holds:
            raise SandboxUnavailable(f"{self.name} does not hold", hint="mend it")
        self.is_open = True
        return self

    async def __aexit__(self, *_):
        self.is_open = False

    async def open(self, _limits, *, environment=None):
        self.opened += 1
        return environment


def chosen(*backends):
    return ChosenBackend([lambda backend=backend: backend for backend in backends])


@pytest.mark.promise("sandbox.choice")
async def test_the_first_that_holds_is_taken_and_kept():
    first, second = Backend("a", holds=True), Backend("b", holds=True)
    async with chosen(first, second) as backend:
        assert backend.capabilities.backend == "a"
        await backend.open(ProgramLimits())
        assert [report.tier for report in backend.reports] == ["a"]
        assert not second.is_open
    assert (first.opened, first.is_open) == (1, False)
    with pytest.raises(SandboxUnavailable, match="not open"):
        await backend.open(ProgramLimits())


async def test_the_next_one_stands_in_where_the_first_does_not_hold():
    async with chosen(Backend("a", holds=False), Backend("b", holds=True)) as backend:
        assert backend.capabilities.backend == "b"
        assert [report.holds for report in backend.reports] == [False, True]


async def test_where_none_holds_every_reason_is_told():
    with pytest.raises(SandboxUnavailable, match="a does not hold; b does not hold") as caught:
        async with chosen(Backend("a", holds=False), Backend("b", holds=False)):
            pass
    assert caught.value.hint == "mend it"


@pytest.mark.parametrize(
    ("options", "count"),
    [
        (SandboxOptions(), 2),
        (SandboxOptions(backend="process"), 1),
        (SandboxOptions(backend="monty"), 1),
        (SandboxOptions(tier="ns"), 1),
    ],
)
def test_who_names_a_backend_or_a_tier_gets_no_other(options, count):
    assert len(candidates(options, clock=SystemClock())) == count


async def test_the_interpreter_runs_where_it_is_named():
    options = SandboxOptions(backend="monty")
    async with ChosenBackend(candidates(options, clock=SystemClock())) as backend:
        assert backend.capabilities.backend == "monty"
