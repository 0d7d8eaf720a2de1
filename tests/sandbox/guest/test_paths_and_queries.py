"""Parts by path, and the rows a reader gets of many."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sandbox.guest.paths import BadPath, follow, parse_path
from toolweft.sandbox.guest.queries import BadQuery, Query

DATA = {
    "items": [{"id": 1, "tags": ["a", "b"]}, {"id": 2}, {"name": "x", "tags": []}],
    "odd name": {"a.b": 3, "it's": 4},
    "ünïcode": 5,
    "to-do": 6,
}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("$", [DATA]),
        ("$.items[*].id", [1, 2]),
        ("items[*].id", [1, 2]),
        ("$['items'][0].tags[*]", ["a", "b"]),
        ("$.items[-1].name", ["x"]),
        ("$.items[0:2].id", [1, 2]),
        ("$.items[1:].name", ["x"]),
        ("$.items[:].tags[:1]", ["a"]),
        ("$.items[*].tags[:1][*]", []),
        ('$["odd name"]["it\'s"]', [4]),
        ("$['odd name']['a.b']", [3]),
        ("$['odd name'].*", [3, 4]),
        ("$.ünïcode", [5]),
        ("$.to-do", [6]),
        ("$.items[9]", []),
        ("$.items.id", []),
        ("$.missing[*].x", []),
        ("$.items[*].tags", [["a", "b"], []]),
    ],
)
def test_a_path_finds_what_is_there_and_nothing_else(path: str, found: list[object]) -> None:
    assert list(follow(DATA, parse_path(path))) == found


@pytest.mark.parametrize(
    "path", ["$..id", "$.items[?(@.id)]", "$[", "$.", "$.a b", "$.items[1,2]", "$[*" + ".a" * 60]
)
def test_what_is_not_understood_is_refused_with_its_place(path: str) -> None:
    with pytest.raises(BadPath, match="makes no sense from"):
        parse_path(path)


def ask(rows: list[object], **wanted) -> dict[str, object]:
    query = Query(**wanted)
    for index, row in enumerate(rows):
        if not query.take(index, row):
            break
    return query.answer()


@given(
    count=st.integers(0, 40),
    size=st.integers(1, 15),
    room=st.integers(10, 200),
    pattern=st.sampled_from([None, "[02468]$"]),
)
def test_following_next_reads_every_row_once(count, size, room, pattern) -> None:
    rows = [f"row {i}" for i in range(count)]
    read: list[object] = []
    start: object = 0
    while start is not None:
        answer = ask(rows, window=f"{start}:", grep=pattern, max_characters=room)
        read += answer["rows"]
        start = answer["next"]
    assert read == [row for row in rows if pattern is None or row[-1] in "02468"]
    pages: list[object] = []
    page = 1
    while True:
        answer = ask(rows, page=page, page_size=size, grep=pattern)
        assert len(answer["rows"]) <= size
        pages += answer["rows"]
        page += 1
        if answer["next"] is None:
            break
    assert pages == read


def test_a_pattern_is_sought_in_any_case_and_says_where() -> None:
    rows = [{"city": "Oslo"}, {"city": "Bergen"}, {"CITY": "oslo"}]
    assert ask(rows, grep="oslo") == {
        "start": 0,
        "next": None,
        "rows": [rows[0], rows[2]],
        "at": [0, 2],
    }


def test_one_row_that_is_too_long_alone_is_cut() -> None:
    answer = ask(["x" * 100, "y"], max_characters=10)
    assert answer["rows"] == ["x" * 10 + "…"]
    assert answer["next"] == 1
    assert len(json.dumps(ask([{"a": "x" * 100}], max_characters=10)["rows"])) < 50


@pytest.mark.parametrize(
    ("row", "given"),
    [
        ({"a": float("nan")}, '{"a":NaN}'),
        (float("inf"), "Infinity"),
        ({"a": "\ud800!"}, {"a": "?!"}),
        ("\udc80", "?"),
        ({"\ud800": [float("nan"), "é"]}, '{"?":[NaN,"é"]}'),
        ("😀", "😀"),
    ],
)
def test_what_json_does_not_know_is_given_as_nearly_as_it_can_be(row, given) -> None:
    answer = ask([row])
    assert answer["rows"] == [given]
    json.dumps(answer, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "wanted",
    [
        {"page": "2"},
        {"page": True},
        {"page": 1, "page_size": 1.5},
        {"window": 5},
        {"grep": 5},
        {"page": 0},
        {"page": 1, "window": "0:1"},
        {"window": "1"},
        {"window": "-1:"},
        {"window": "a:b"},
        {"grep": "("},
        {"page": 1, "page_size": 0},
    ],
)
def test_a_query_that_makes_no_sense_is_refused(wanted) -> None:
    with pytest.raises(BadQuery):
        Query(**wanted)
