"""The time that a run or a call has left, which stands still while it waits for a person.

Pure: it cancels nothing. Whoever makes something end with it lets it drive a cancel scope.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from typing import Protocol

from toolweft.core.clock import Clock

__all__ = ("Countdown",)


class _Scope(Protocol):
    deadline: float


class _Stretch:
    """One time of its own; a countdown is over with the first of its stretches."""

    __slots__ = ("_clock", "_ends_s", "_held_s", "_held_since_s", "followers", "holds")

    def __init__(self, left_s: float, *, clock: Clock) -> None:
        self._clock = clock
        # Without what was held.
        self._ends_s = clock.monotonic_s() + left_s
        self._held_since_s = 0.0
        self._held_s = 0.0
        self.holds = 0
        self.followers: set[Callable[[], None]] = set()

    def left_s(self) -> float:
        now_s = self._clock.monotonic_s()
        return self._ends_s + self._held_at(now_s) - now_s

    def held_s(self) -> float:
        return self._held_at(self._clock.monotonic_s())

    def due_s(self) -> float:
        left_s = self.left_s()
        return math.inf if self.holds and left_s > 0 else left_s

    def stand_still(self) -> None:
        self.holds += 1
        if self.holds == 1:
            self._held_since_s = self._clock.monotonic_s()
            self._tell()

    def go_on(self) -> None:
        self.holds -= 1
        if self.holds == 0:
            self._held_s += self._clock.monotonic_s() - self._held_since_s
            self._tell()

    def _held_at(self, now_s: float) -> float:
        return self._held_s + (now_s - self._held_since_s if self.holds else 0.0)

    def _tell(self) -> None:
        for follow in tuple(self.followers):
            follow()


class Countdown:
    """Runs from the moment it is made, unless something holds it.

    Args:
        left_s: what it starts with.
        clock: counts it.
        outer: what else ends it; see `within`.
    """

    __slots__ = ("_clock", "_own", "_stretches")

    def __init__(self, left_s: float, *, clock: Clock, outer: tuple[_Stretch, ...] = ()) -> None:
        self._clock = clock
        self._own = _Stretch(left_s, clock=clock)
        self._stretches = (self._own, *outer)

    def within(self, left_s: float) -> "Countdown":
        """One for a part of this: over with this one at the latest, and holding both."""
        return Countdown(left_s, clock=self._clock, outer=self._stretches)

    def beside(self, other: "Countdown") -> "Countdown":
        """This one, over with the other at the latest, and holding both."""
        both = copy(self)
        both._stretches = (*self._stretches, *other._stretches)  # noqa: SLF001 -- of this class
        return both

    def left_s(self) -> float:
        """Seconds until it is over, if nothing holds it from now on; 0 or less once it is over."""
        return min(stretch.left_s() for stretch in self._stretches)

    @property
    def is_over(self) -> bool:
        """Whether nothing is left."""
        return self.left_s() <= 0

    @property
    def ends_s(self) -> float:
        """When it is over, in the clock's `monotonic_s`, as of now: a hold makes it later."""
        return self._clock.monotonic_s() + self.left_s()

    def held_s(self) -> float:
        """Seconds it was held so far; those of several holds at once count once."""
        return self._own.held_s()

    @contextmanager
    def hold(self) -> Iterator[None]:
        """Let it and everything round it stand still; several may do so at once."""
        for stretch in self._stretches:
            stretch.stand_still()
        try:
            yield
        finally:
            for stretch in self._stretches:
                stretch.go_on()

    @contextmanager
    def drive(self, scope: _Scope, now: Callable[[], float]) -> Iterator[None]:
        """Let a cancel scope end with this, whatever is held meanwhile.

        Args:
            scope: its `deadline` is kept right; infinite while this is held.
            now: the time in which that deadline counts; it need not be the clock's.
        """

        def follow() -> None:
            # In this order, so that the scope never ends before this is over.
            due_s = min(stretch.due_s() for stretch in self._stretches)
            scope.deadline = now() + due_s

        for stretch in self._stretches:
            stretch.followers.add(follow)
        try:
            follow()
            yield
        finally:
            for stretch in self._stretches:
                stretch.followers.discard(follow)
