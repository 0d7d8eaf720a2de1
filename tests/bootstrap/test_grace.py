"""First requests wait for servers that are starting, together for two seconds."""

import pytest

from toolweft.bootstrap.grace import GRACE_S, Grace
from toolweft.testing import FakeClock


class StartingSources:
    """Some of them hang: waiting for them takes all the time there is."""

    def __init__(self, clock: FakeClock, *, hang: bool = True) -> None:
        self._clock = clock
        self._hang = hang
        self.is_settled = False
        self.waited_s: list[float] = []

    async def settle(self, timeout_s: float) -> None:
        self.waited_s.append(timeout_s)
        if self._hang:
            self._clock.advance(timeout_s)
        else:
            self.is_settled = True


@pytest.mark.promise("gateway.grace")
async def test_requests_wait_together_and_not_one_after_the_other() -> None:
    clock = FakeClock()
    sources = StartingSources(clock)
    grace = Grace(sources, clock=clock)
    clock.advance(3_600)
    await grace.wait()
    await grace.wait()
    clock.advance(3_600)
    await grace.wait()
    assert sources.waited_s == [GRACE_S, 0, 0]


async def test_what_is_left_of_the_time_is_waited_for() -> None:
    clock = FakeClock()
    sources = StartingSources(clock, hang=False)
    grace = Grace(sources, clock=clock)
    await grace.wait()
    sources.is_settled = False
    clock.advance(0.5)
    await grace.wait()
    assert sources.waited_s == [GRACE_S, GRACE_S - 0.5]


async def test_with_every_source_known_nothing_is_waited_for() -> None:
    clock = FakeClock()
    sources = StartingSources(clock)
    sources.is_settled = True
    await Grace(sources, clock=clock).wait()
    assert sources.waited_s == []
