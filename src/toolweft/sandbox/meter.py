"""What a run uses, measured by the host."""

from collections.abc import Callable

from toolweft.core.clock import Clock
from toolweft.core.countdown import Countdown
from toolweft.core.programs import ProgramStats

__all__ = ("Meter",)


class Meter:
    """Counts one run; begins when it is made.

    Args:
        clock: counts its time.
        cpu_s: processor time of whatever runs it, since any moment.
        limit_s: wall time it may take.
    """

    def __init__(self, *, clock: Clock, cpu_s: Callable[[], float], limit_s: float) -> None:
        self._clock = clock
        self._read_cpu_s = cpu_s
        self._started_s = clock.monotonic_s()
        # What the run has left of its wall time; held by calls that wait for a person.
        self.countdown = Countdown(limit_s, clock=clock)
        self._cpu_at_start_s = cpu_s()
        self._in_flight = 0
        # When the calls now in flight began to be the only thing that may be waited for.
        self._waiting_since_s = 0.0
        self._cpu_since_s = 0.0
        self._waited_s = 0.0
        self.calls = 0
        self.bytes_in = 0
        self.bytes_out = 0

    def call_started(self) -> None:
        """A call is in flight."""
        if self._in_flight == 0:
            self._waiting_since_s = self.wall_s()
            self._cpu_since_s = self._read_cpu_s()
        self._in_flight += 1

    def call_ended(self) -> None:
        """A call is answered."""
        self._in_flight -= 1
        if self._in_flight == 0:
            self._waited_s += self._waiting_now_s()

    def wall_s(self) -> float:
        """Seconds since the run began, without those in which it was held."""
        return self._clock.monotonic_s() - self._started_s - self.countdown.held_s()

    def cpu_s(self) -> float:
        """Processor seconds since the run began."""
        return self._read_cpu_s() - self._cpu_at_start_s

    def stats(self, *, peak_mem_bytes: int) -> ProgramStats:
        """Everything so far."""
        wall_s = self.wall_s()
        waited_s = self._waited_s + (self._waiting_now_s() if self._in_flight else 0.0)
        return ProgramStats(
            wall_s=wall_s,
            active_s=max(0.0, wall_s - waited_s),
            held_s=self.countdown.held_s(),
            cpu_s=self.cpu_s(),
            peak_mem_bytes=peak_mem_bytes,
            calls=self.calls,
            bytes_in=self.bytes_in,
            bytes_out=self.bytes_out,
        )

    def _waiting_now_s(self) -> float:
        # While calls are in flight the program may compute too; that time is its own.
        waited_s = self.wall_s() - self._waiting_since_s
        return max(0.0, waited_s - (self._read_cpu_s() - self._cpu_since_s))
