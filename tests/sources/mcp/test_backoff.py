from hypothesis import given
from hypothesis import strategies as st

from toolweft.sources.mcp.backoff import Backoff


@given(
    failures=st.integers(1, 10_000),
    jitter=st.floats(0, 1),
    initial_s=st.floats(0.001, 10),
    factor=st.floats(1, 1000),
)
def test_a_delay_stays_between_half_the_first_and_the_greatest(
    failures: int, jitter: float, initial_s: float, factor: float
) -> None:
    backoff = Backoff(initial_s=initial_s, max_s=initial_s * factor)
    delay_s = backoff.delay_s(failures, jitter=jitter)
    assert initial_s / 2 <= delay_s <= initial_s * factor


def test_delays_double() -> None:
    backoff = Backoff(initial_s=0.1, max_s=30.0)
    assert [round(backoff.delay_s(n, jitter=1.0), 6) for n in (1, 2, 3, 4, 40)] == [
        0.1,
        0.2,
        0.4,
        0.8,
        30.0,
    ]
