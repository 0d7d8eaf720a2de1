"""How long to wait before the next attempt. Pure."""

from dataclasses import dataclass

__all__ = ("Backoff", "Patience")


@dataclass(frozen=True, slots=True, kw_only=True)
class Backoff:
    """Doubling delays with jitter."""

    initial_s: float
    max_s: float

    def delay_s(self, failures: int, *, jitter: float) -> float:
        """The delay after so many failures in a row.

        Args:
            failures: >= 1.
            jitter: in [0, 1]; 0 halves the delay, 1 leaves it whole, so that servers which died
                together do not come back together.

        Returns:
            Between half of `initial_s` and `max_s`.
        """
        # The exponent is bounded: 2**60 times any delay is above every maximum.
        whole = min(self.max_s, self.initial_s * 2.0 ** min(failures - 1, 60))
        return whole * (0.5 + jitter / 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a server may take to start, and how soon it is tried again."""

    start_timeout_s: float
    # After a death: the server worked, so it comes back at once, then ever slower.
    again: Backoff = Backoff(initial_s=0.1, max_s=30.0)
    # While it never worked: starting it costs much and will likely fail again.
    never_ready: Backoff = Backoff(initial_s=5.0, max_s=300.0)
