"""A request for several things falls into its parts."""

import pytest

from toolweft.search.clauses import split_clauses


@pytest.mark.parametrize(
    ("query", "clauses"),
    [
        ("convert 5 dollars to euros", []),
        (
            "book a flight to Rome and find a hotel, then tell my boss",
            ["book a flight to Rome", "find a hotel", "tell my boss"],
        ),
        (
            "查询明天北京的天气预报\uff0c然后预订酒店房间吧",
            ["查询明天北京的天气预报", "然后预订酒店房间吧"],
        ),
        ("understand the android handbook", []),
        ("", []),
    ],
)
def test_clauses_end_at_punctuation_and_joining_words(query: str, clauses: list[str]) -> None:
    assert split_clauses(query) == clauses


def test_very_many_clauses_are_cut() -> None:
    assert len(split_clauses("find this thing now. " * 500)) == 24
