"""When to stop asking somebody who fails, and when to ask again. Pure: it neither waits nor asks.

Knows neither what is asked nor why it failed: whoever asks gets a permit before, and says on it how
it ended. One breaker stands before one place: a model, a server, a tool.

    closed ──too many failures──▶ open ──after a while──▶ half_open ──successes──▶ closed
                                   ▲                          │
                                   └────────── a failure ─────┘
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from toolweft.core.clock import Clock

__all__ = ("Breaker", "BreakerOptions", "BreakerState", "Permit")

BreakerState: TypeAlias = Literal["closed", "open", "half_open"]

# Added to each time of being open, at most, so that clients that failed together do not return
# together.
_JITTER: Final = 0.2
# Calls that the window keeps; with more of them the share of failures is that of the latest.
_MAX_COUNTED: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerOptions:
    """When a breaker opens and closes."""

    # Opens where at least `failure_share` of at least `min_calls` ended so in the last `window_s`,
    window_s: float = 10.0
    min_calls: int = 10
    failure_share: float = 0.5
    # or after so many failures in a row that say that nobody is there.
    max_run: int = 5
    # Doubled each time that it opens again without having been closed.
    open_s: float = 5.0
    max_open_s: float = 60.0
    # Half open: so many at once, and closed after so many successes.
    probes: int = 2
    successes: int = 3
    # What takes longer counts as a failure of the share; None: nothing does.
    slow_s: float | None = None


class Breaker:
    """Lets calls through until too many fail, then refuses them for a while."""

    def __init__(
        self, options: BreakerOptions, *, clock: Clock, random: Callable[[], float]
    ) -> None:
        self._options = options
        self._clock = clock
        self._random = random
        self._state: BreakerState = "closed"
        # Changes with the state: what was let through before says nothing of the present.
        self._generation = 0
        # Moment and outcome, oldest first.
        self._ended: deque[tuple[float, bool]] = deque()
        # How many of them failed.
        self._failed = 0
        self._run = 0
        self._opened = 0
        self._opens_again_s = 0.0
        self._probing = 0
        self._succeeded = 0

    @property
    def state(self) -> BreakerState:
        """What it is at this moment."""
        if self._state == "open" and self._clock.monotonic_s() >= self._opens_again_s:
            self._move("half_open")
        return self._state

    @property
    def retry_after_s(self) -> float:
        """How long to wait before a call may be let through; 0 while it is not open."""
        if self.state != "open":
            return 0.0
        return self._opens_again_s - self._clock.monotonic_s()

    def try_enter(self) -> "Permit | None":
        """Leave for one call; None where it is refused. Exactly one outcome is told on each."""
        state = self.state
        if state == "open" or (state == "half_open" and self._probing >= self._options.probes):
            return None
        if state == "half_open":
            self._probing += 1
        return Permit(self, generation=self._generation, started_s=self._clock.monotonic_s())

    def end_call(
        self, outcome: "Outcome", *, generation: int, started_s: float, is_hard: bool
    ) -> None:
        """Take what became of one call; permits alone use it."""
        if generation != self._generation:
            return
        if self._state == "half_open":
            self._probing -= 1
        if outcome == "abandoned":
            return
        now_s = self._clock.monotonic_s()
        slow_s = self._options.slow_s
        is_slow = slow_s is not None and now_s - started_s > slow_s
        has_failed = outcome == "failed" or is_slow
        if self._state == "half_open":
            self._end_probe(has_failed=has_failed)
        else:
            self._count(has_failed=has_failed, is_hard=outcome == "failed" and is_hard, now_s=now_s)

    def _end_probe(self, *, has_failed: bool) -> None:
        if has_failed:
            self._move("open")
            return
        self._succeeded += 1
        if self._succeeded >= self._options.successes:
            self._move("closed")

    def _count(self, *, has_failed: bool, is_hard: bool, now_s: float) -> None:
        options = self._options
        self._run = self._run + 1 if is_hard else 0
        ended = self._ended
        ended.append((now_s, has_failed))
        self._failed += has_failed
        while len(ended) > _MAX_COUNTED or ended[0][0] <= now_s - options.window_s:
            _, had_failed = ended.popleft()
            self._failed -= had_failed
        is_full = len(ended) >= options.min_calls
        is_failing = is_full and self._failed >= options.failure_share * len(ended)
        if self._run >= options.max_run or (has_failed and is_failing):
            self._move("open")

    def _move(self, state: BreakerState) -> None:
        self._state = state
        self._generation += 1
        self._probing = self._succeeded = self._run = self._failed = 0
        self._ended.clear()
        if state == "closed":
            self._opened = 0
        elif state == "open":
            options = self._options
            longest_s = options.max_open_s / (1 + _JITTER)
            span_s = min(longest_s, options.open_s * 2.0**self._opened)
            # Once it is the longest, more would change nothing but overflow.
            self._opened += span_s < longest_s
            self._opens_again_s = self._clock.monotonic_s() + span_s * (
                1 + _JITTER * self._random()
            )


Outcome: TypeAlias = Literal["succeeded", "failed", "abandoned"]


class Permit:
    """Leave for one call. Of what is told on it the first counts."""

    def __init__(self, breaker: Breaker, *, generation: int, started_s: float) -> None:
        self._breaker: Breaker | None = breaker
        self._generation = generation
        self._started_s = started_s

    def succeed(self) -> None:
        """It answered."""
        self._end("succeeded")

    def fail(self, *, is_hard: bool) -> None:
        """It failed.

        Args:
            is_hard: nobody answered, or nobody that could do its work: what runs in a row open the
                breaker, however few they are.
        """
        self._end("failed", is_hard=is_hard)

    def abandon(self) -> None:
        """It ended in a way that says nothing of the place: cancelled, or refused for its words."""
        self._end("abandoned")

    def _end(self, outcome: Outcome, *, is_hard: bool = False) -> None:
        breaker, self._breaker = self._breaker, None
        if breaker is not None:
            breaker.end_call(
                outcome,
                generation=self._generation,
                started_s=self._started_s,
                is_hard=is_hard,
            )
