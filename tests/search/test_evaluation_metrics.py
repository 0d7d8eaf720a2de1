"""Metrics of one answer and of many."""

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.search.evaluation import judge, mean_of

NAMES = [f"t{number}" for number in range(30)]
found_lists = st.lists(st.sampled_from(NAMES), unique=True, max_size=20)
right_sets = st.sets(st.sampled_from(NAMES), min_size=1, max_size=12)


def test_a_right_tool_in_the_first_place_is_perfect() -> None:
    judged = judge(["a", "b"], ["a"])
    assert (judged.recall_1, judged.recall_5, judged.recall_10, judged.ndcg_10) == (1, 1, 1, 1)
    assert judged.all_10 is None


def test_a_right_tool_in_the_third_place_counts_half() -> None:
    judged = judge(["x", "y", "a"], ["a"])
    assert (judged.recall_1, judged.recall_5) == (0, 1)
    assert judged.ndcg_10 == pytest.approx(1 / log2(4))


def test_of_two_right_tools_one_is_not_all() -> None:
    judged = judge(["a", "x"], ["a", "b"])
    assert judged.all_10 == 0
    assert judged.recall_10 == 0.5
    assert judged.ndcg_10 == pytest.approx(1 / (1 + 1 / log2(3)))


def test_what_stands_behind_the_tenth_does_not_count() -> None:
    judged = judge([*"bcdefghijk", "a"], ["a"])
    assert judged.recall_10 == judged.ndcg_10 == 0


@given(found_lists, right_sets)
def test_every_number_lies_between_nothing_and_all(found: list[str], right: set[str]) -> None:
    judged = judge(found, right)
    assert 0 <= judged.recall_1 <= judged.recall_5 <= judged.recall_10 <= 1
    assert 0 <= judged.ndcg_10 <= 1 + 1e-9
    assert (judged.all_10 == 1) == (len(right) > 1 and right <= set(found[:10]))


@given(found_lists.filter(lambda found: len(found) > 1), right_sets, st.data())
def test_moving_a_right_tool_forward_never_makes_it_worse(
    found: list[str], right: set[str], data: st.DataObject
) -> None:
    place = data.draw(st.integers(1, len(found) - 1))
    before = judge(found, right)
    if found[place] in right:
        found[place - 1], found[place] = found[place], found[place - 1]
        assert judge(found, right).ndcg_10 >= before.ndcg_10 - 1e-9


def test_means_are_percents_and_all_counts_only_requests_for_several() -> None:
    means = mean_of([judge(["a"], ["a"]), judge(["x"], ["a"]), judge(["a", "b"], ["a", "b"])])
    assert means.queries == 3
    assert means.recall_10 == pytest.approx(66.67)
    assert means.all_10 == 100


def test_the_mean_of_nothing_is_nothing() -> None:
    means = mean_of([])
    assert (means.queries, means.ndcg_10, means.all_10) == (0, 0, None)
