from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.clock import Clock, IdSource
from toolweft.testing import CountingIds, FakeClock

SECONDS = st.floats(min_value=0, max_value=1e6)


def test_time_stands_still_by_itself() -> None:
    clock = FakeClock()
    assert (clock.monotonic_s(), clock.now()) == (clock.monotonic_s(), clock.now())


@given(st.lists(SECONDS, max_size=20))
def test_both_times_move_together(steps: list[float]) -> None:
    clock = FakeClock()
    started_s, started = clock.monotonic_s(), clock.now()

    for seconds in steps:
        clock.advance(seconds)

    assert clock.monotonic_s() - started_s == pytest.approx(sum(steps), abs=1e-3)
    assert (clock.now() - started) / timedelta(seconds=1) == pytest.approx(sum(steps), abs=1e-3)


def test_time_does_not_run_back() -> None:
    with pytest.raises(ValueError, match="-1"):
        FakeClock().advance(-1)


def test_the_wall_clock_is_aware() -> None:
    assert FakeClock().now().utcoffset() == timedelta(0)


def test_ids_count_for_each_prefix() -> None:
    ids = CountingIds()
    assert [ids.new("run"), ids.new("call"), ids.new("run")] == ["run_1", "call_1", "run_2"]


def test_the_fakes_fit_their_ports(clock: FakeClock, ids: CountingIds) -> None:
    as_clock: Clock = clock
    as_ids: IdSource = ids
    assert as_clock is clock
    assert as_ids is ids
