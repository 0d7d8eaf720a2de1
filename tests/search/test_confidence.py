"""One number says how sure a search is."""

from hypothesis import given
from hypothesis import strategies as st

from toolweft.search.confidence import WEAK, rate_confidence

shares = st.floats(0, 1)


@given(st.floats(-1, 1), shares, shares)
def test_confidence_is_a_share(cosine: float, coverage: float, trust: float) -> None:
    assert 0 < rate_confidence(cosine=cosine, coverage=coverage, trust=trust) < 1


@given(st.floats(-1, 1), shares, shares)
def test_more_of_the_words_is_never_less_sure(cosine: float, coverage: float, trust: float) -> None:
    some = rate_confidence(cosine=cosine, coverage=coverage * 0.5, trust=trust)
    assert rate_confidence(cosine=cosine, coverage=coverage, trust=trust) >= some


def test_a_likeness_that_is_not_trusted_does_not_count() -> None:
    low, high = (rate_confidence(cosine=c, coverage=0.5, trust=0.0) for c in (-1.0, 1.0))
    assert low == high


def test_nothing_in_common_is_weak() -> None:
    assert rate_confidence(cosine=0.1, coverage=0.0, trust=1.0) < WEAK
    assert rate_confidence(cosine=0.7, coverage=0.8, trust=1.0) > 0.7
