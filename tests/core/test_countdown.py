"""What is left of a run's or a call's time, held and not."""

import math
from contextlib import AbstractContextManager
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.countdown import Countdown
from toolweft.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(monotonic_s=100.0)


def test_it_runs_down_and_is_over_at_zero(clock: FakeClock) -> None:
    countdown = Countdown(10, clock=clock)
    assert countdown.ends_s == 110
    clock.advance(9.5)
    assert (countdown.left_s(), countdown.is_over) == (0.5, False)
    clock.advance(0.5)
    assert countdown.is_over


def test_held_it_stands_still_and_says_for_how_long(clock: FakeClock) -> None:
    countdown = Countdown(10, clock=clock)
    clock.advance(4)
    with countdown.hold():
        clock.advance(1_000)
        assert (countdown.left_s(), countdown.held_s(), countdown.ends_s) == (6, 1_000, 1_110)
    clock.advance(1)
    assert (countdown.left_s(), countdown.held_s(), countdown.is_over) == (5, 1_000, False)


def test_a_part_is_over_with_the_whole_at_the_latest(clock: FakeClock) -> None:
    whole = Countdown(10, clock=clock)
    assert whole.within(3).left_s() == 3
    assert whole.within(30).left_s() == 10


def test_holding_a_part_holds_the_whole_and_not_its_other_parts(clock: FakeClock) -> None:
    whole = Countdown(10, clock=clock)
    asking, working = whole.within(5), whole.within(8)
    with asking.hold():
        clock.advance(7)
    assert (whole.left_s(), asking.left_s(), working.left_s()) == (10, 5, 1)


def test_a_hold_that_ends_with_an_error_ends(clock: FakeClock) -> None:
    countdown = Countdown(10, clock=clock)
    with pytest.raises(LookupError), countdown.hold():
        raise LookupError
    clock.advance(1)
    assert (countdown.left_s(), countdown.held_s()) == (9, 0)


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 100)), max_size=8))
def test_holds_that_overlap_count_once(spans: list[tuple[float, float]]) -> None:
    clock = FakeClock(monotonic_s=0.0)
    countdown = Countdown(1_000, clock=clock)
    moments = sorted(
        [(start, 1) for start, _ in spans] + [(start + length, -1) for start, length in spans],
        key=lambda moment: (moment[0], -moment[1]),
    )
    expected_s = 0.0
    going: list[AbstractContextManager[None]] = []
    for at, step in moments:
        passed_s = max(0.0, at - clock.monotonic_s())
        expected_s += passed_s if going else 0.0
        clock.advance(passed_s)
        if step == 1:
            going.append(countdown.hold())
            going[-1].__enter__()
        else:
            # Whichever of them ends: only their number counts.
            going.pop(0).__exit__(None, None, None)
    assert countdown.held_s() == pytest.approx(expected_s)
    assert countdown.left_s() == pytest.approx(1_000 - clock.monotonic_s() + expected_s)


def test_a_scope_it_drives_follows_every_hold(clock: FakeClock) -> None:
    whole = Countdown(10, clock=clock)
    part, scope = whole.within(60), SimpleNamespace(deadline=math.inf)
    with part.drive(scope, lambda: clock.monotonic_s() + 5):
        assert scope.deadline == 115
        with whole.hold():
            # The part goes on; what is over first is its own time now.
            assert scope.deadline == 165
            clock.advance(20)
            with part.hold():
                assert scope.deadline == math.inf
                clock.advance(3)
            assert scope.deadline == 168
        assert scope.deadline == 138
    with whole.hold():
        assert scope.deadline == 138


def test_what_is_over_is_not_held_back(clock: FakeClock) -> None:
    countdown, scope = Countdown(1, clock=clock), SimpleNamespace(deadline=math.inf)
    clock.advance(2)
    with countdown.hold(), countdown.drive(scope, clock.monotonic_s):
        assert (scope.deadline, countdown.is_over) == (101, True)
