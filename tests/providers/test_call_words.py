"""Names and ids of calls, in forms that vendors take."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.providers.call_words import ANY_START, LETTER_START, CallIds, clean_id, clean_name


@pytest.mark.parametrize("form", [ANY_START, LETTER_START])
@given(name=st.text(max_size=140))
def test_every_name_fits_and_one_that_fits_stays(form: object, name: str) -> None:
    assert form in {ANY_START, LETTER_START}
    pattern = ANY_START if form is ANY_START else LETTER_START
    clean = clean_name(name, pattern)

    assert pattern.fullmatch(clean)
    assert clean_name(clean, pattern) == clean
    assert (clean == name) is bool(pattern.fullmatch(name))


@given(first=st.text(max_size=140), second=st.text(max_size=140))
def test_different_words_stay_different(first: str, second: str) -> None:
    same = first == second
    assert (clean_name(first) == clean_name(second)) is same
    assert (clean_id(first) == clean_id(second)) is same


def test_a_name_that_begins_with_a_digit_is_mended_where_a_letter_is_needed() -> None:
    assert clean_name("3d") == "3d"
    assert clean_name("3d", LETTER_START).startswith("_3d_")


@given(st.lists(st.text(alphabet="a_2/", max_size=4), max_size=12))
def test_no_id_goes_out_twice_and_results_follow_the_latest_call(given_ids: list[str]) -> None:
    ids = CallIds()
    out = [(call_id, ids.name_call(call_id), ids.name_result(call_id)) for call_id in given_ids]

    assert len({sent for _, sent, _ in out}) == len(out)
    assert all(sent == result for _, sent, result in out)
