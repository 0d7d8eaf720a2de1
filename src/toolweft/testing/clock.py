"""Time that moves only when a test says so."""

from datetime import UTC, datetime, timedelta

__all__ = ("FakeClock",)

_START = datetime(2026, 1, 1, tzinfo=UTC)


class FakeClock:
    """A clock that stands still until `advance`; both its times move together."""

    def __init__(self, *, monotonic_s: float = 1_000.0, now: datetime = _START) -> None:
        self._monotonic_s = monotonic_s
        self._now = now

    def monotonic_s(self) -> float:
        """The fake monotonic time."""
        return self._monotonic_s

    def now(self) -> datetime:
        """The fake wall clock, in UTC."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            ValueError: `seconds` is negative; time does not run back.
        """
        if seconds < 0:
            raise ValueError(f"a clock advances by 0 or more seconds, not {seconds!r}")
        self._monotonic_s += seconds
        self._now += timedelta(seconds=seconds)
