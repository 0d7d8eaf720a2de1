"""A breaker stops what keeps failing, lets it be tried, and goes back."""

from collections import deque
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core import breaker as breaker_module
from toolweft.core.breaker import Breaker, BreakerOptions, BreakerState, Permit
from toolweft.testing import FakeClock

OPTIONS = BreakerOptions()


def build(clock: FakeClock, *, random: float = 0.0, **options: float) -> Breaker:
    return Breaker(
        replace(OPTIONS, **options),  # type: ignore[arg-type] # some are whole
        clock=clock,
        random=lambda: random,
    )


def enter(breaker: Breaker) -> Permit:
    permit = breaker.try_enter()
    assert permit is not None
    return permit


def fail(breaker: Breaker, times: int, *, is_hard: bool = True) -> None:
    for _ in range(times):
        enter(breaker).fail(is_hard=is_hard)


def succeed(breaker: Breaker, times: int) -> None:
    for _ in range(times):
        enter(breaker).succeed()


def test_five_in_a_row_to_whom_nobody_answered_open_it(clock: FakeClock) -> None:
    breaker = build(clock)
    fail(breaker, 4)
    assert breaker.state == "closed"

    fail(breaker, 1)

    assert breaker.state == "open"
    assert breaker.try_enter() is None
    assert breaker.retry_after_s == 5.0


@pytest.mark.promise("breaker.counted")
@pytest.mark.parametrize("between", ["success", "soft"])
def test_an_answer_in_between_ends_the_run(clock: FakeClock, between: str) -> None:
    breaker = build(clock)
    fail(breaker, 4)
    if between == "success":
        succeed(breaker, 1)
    else:
        fail(breaker, 1, is_hard=False)
    fail(breaker, 4)

    assert breaker.state == "closed"


def test_a_call_that_says_nothing_of_the_place_is_not_counted(clock: FakeClock) -> None:
    breaker = build(clock)
    for _ in range(100):
        fail(breaker, 0)
        enter(breaker).abandon()
    fail(breaker, 4)
    enter(breaker).abandon()
    assert breaker.state == "closed"

    fail(breaker, 1)

    assert breaker.state == "open"


def test_half_of_ten_in_ten_seconds_open_it(clock: FakeClock) -> None:
    breaker = build(clock)
    succeed(breaker, 5)
    fail(breaker, 4, is_hard=False)
    assert breaker.state == "closed"

    fail(breaker, 1, is_hard=False)

    assert breaker.state == "open"


def test_what_is_long_ago_does_not_count(clock: FakeClock) -> None:
    breaker = build(clock)
    fail(breaker, 9, is_hard=False)
    clock.advance(10)
    fail(breaker, 9, is_hard=False)

    assert breaker.state == "closed"


def test_a_success_never_opens_it(clock: FakeClock) -> None:
    breaker = build(clock)
    fail(breaker, 9, is_hard=False)

    succeed(breaker, 1)

    assert breaker.state == "closed"


def test_slow_answers_count_as_failures_of_the_share(clock: FakeClock) -> None:
    breaker = build(clock, slow_s=0.5)
    for _ in range(10):
        permit = enter(breaker)
        clock.advance(0.6)
        permit.succeed()

    assert breaker.state == "open"


def test_two_probes_at_once_and_three_successes_close_it(clock: FakeClock) -> None:
    breaker = build(clock)
    fail(breaker, 5)
    clock.advance(5)
    one, two = enter(breaker), enter(breaker)
    assert breaker.state == "half_open"
    assert breaker.try_enter() is None
    assert breaker.retry_after_s == 0.0

    one.succeed()
    two.succeed()
    assert breaker.state == "half_open"
    enter(breaker).succeed()

    assert breaker.state == "closed"


def test_a_probe_that_was_left_makes_room_for_another(clock: FakeClock) -> None:
    breaker = build(clock, probes=1)
    fail(breaker, 5)
    clock.advance(5)
    enter(breaker).abandon()

    succeed(breaker, 3)

    assert breaker.state == "closed"


@pytest.mark.parametrize("random", [0.0, 0.999])
def test_it_stays_open_twice_as_long_each_time_up_to_a_minute(
    clock: FakeClock, random: float
) -> None:
    breaker = build(clock, random=random)
    waits = []
    fail(breaker, 5)
    for _ in range(8):
        waits.append(breaker.retry_after_s)
        clock.advance(breaker.retry_after_s)
        fail(breaker, 1)

    jitter = 1 + 0.2 * random
    expected = [min(50.0, 5 * 2.0**number) * jitter for number in range(8)]
    assert waits == pytest.approx(expected)
    assert max(waits) <= 60
    clock.advance(60)
    succeed(breaker, 3)
    fail(breaker, 5)
    assert breaker.retry_after_s == pytest.approx(5 * jitter)


def test_what_was_let_through_before_says_nothing_of_the_probes(clock: FakeClock) -> None:
    breaker = build(clock)
    late, later = enter(breaker), enter(breaker)
    fail(breaker, 5)
    clock.advance(5)
    assert breaker.state == "half_open"

    late.fail(is_hard=True)
    later.succeed()

    assert breaker.state == "half_open"
    enter(breaker)
    enter(breaker)
    assert breaker.try_enter() is None


def test_of_a_permit_the_first_word_counts(clock: FakeClock) -> None:
    breaker = build(clock, max_run=2)
    permit = enter(breaker)
    for _ in range(5):
        permit.fail(is_hard=True)

    assert breaker.state == "closed"


class SummingBreaker(Breaker):
    """Counts the failures of its window anew at each call."""

    def _count(self, *, has_failed: bool, is_hard: bool, now_s: float) -> None:
        kept = [end for end in self._ended if end[0] > now_s - self._options.window_s]
        kept = [*kept, (now_s, has_failed)][-breaker_module._MAX_COUNTED :]
        self._ended = deque(kept)
        self._run = self._run + 1 if is_hard else 0
        failed = sum(has_failed for _, has_failed in kept)
        is_full = len(kept) >= self._options.min_calls
        is_failing = is_full and failed >= self._options.failure_share * len(kept)
        if self._run >= self._options.max_run or (has_failed and is_failing):
            self._move("open")


@given(
    st.lists(
        st.tuples(st.sampled_from(["succeed", "hard", "soft"]), st.integers(0, 40)), max_size=300
    ),
    st.integers(3, 40),
    st.sampled_from([0.3, 0.5, 0.9]),
)
def test_it_opens_when_one_that_counts_anew_at_each_call_does(
    steps: list[tuple[str, int]], most: int, share: float
) -> None:
    clock = FakeClock()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(breaker_module, "_MAX_COUNTED", most)
        options = replace(OPTIONS, min_calls=3, failure_share=share)
        pair = [
            kind(options, clock=clock, random=lambda: 0.0) for kind in (Breaker, SummingBreaker)
        ]
        for step, tenths in steps:
            clock.advance(tenths * 0.1)
            permits = [breaker.try_enter() for breaker in pair]
            for permit in permits:
                if permit is not None:
                    permit.succeed() if step == "succeed" else permit.fail(is_hard=step == "hard")
            one, other = pair
            assert (one.state, one.retry_after_s) == (other.state, other.retry_after_s)


LEGAL: set[tuple[BreakerState, BreakerState]] = {
    ("closed", "open"),
    ("open", "half_open"),
    ("half_open", "open"),
    ("half_open", "closed"),
}
STEPS = st.sampled_from(["enter", "succeed", "hard", "soft", "abandon", "wait", "wait_long"])


@pytest.mark.promise("breaker.states")
@given(st.lists(st.tuples(STEPS, st.integers(0, 9)), max_size=300))
def test_any_sequence_moves_it_as_drawn(steps: list[tuple[str, int]]) -> None:
    clock = FakeClock()
    breaker = build(clock)
    permits: list[Permit] = []
    probing: list[Permit] = []
    ends: dict[str, Callable[[Permit], None]] = {
        "succeed": Permit.succeed,
        "hard": lambda permit: permit.fail(is_hard=True),
        "soft": lambda permit: permit.fail(is_hard=False),
        "abandon": Permit.abandon,
    }
    before = breaker.state
    for step, number in steps:
        if step.startswith("wait"):
            clock.advance(number * (10 if step == "wait_long" else 0.1))
        elif step == "enter":
            permit = breaker.try_enter()
            # Refused only while it is open or both probes are out.
            if permit is None:
                assert breaker.state == "open" or len(probing) == OPTIONS.probes
            else:
                assert breaker.state != "open"
                permits.append(permit)
                probing += [permit] if breaker.state == "half_open" else []
        elif permits:
            permit = permits.pop(number % len(permits))
            ends[step](permit)
            probing = [other for other in probing if other is not permit]
        after = breaker.state
        assert after == before or (before, after) in LEGAL
        if after != before:
            probing = []
        assert len(probing) <= OPTIONS.probes
        assert (breaker.retry_after_s > 0) == (after == "open")
        assert breaker.retry_after_s <= OPTIONS.max_open_s
        before = after
