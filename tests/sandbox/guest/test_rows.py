"""Pieces of bytes to rows: however the bytes are cut, the rows are the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sandbox.guest.rows import ArrayRows, BadRow, LineRows, RowReader, parse_lines

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=6,
)
CUTS = st.lists(st.integers(1, 9), max_size=60)


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    pieces = []
    for size in sizes:
        pieces.append(data[:size])
        data = data[size:]
    return [*pieces, data]


def read_all(reader: RowReader, pieces: list[bytes]) -> list[object]:
    rows = [row for piece in pieces for row in reader.feed(piece)]
    return rows + list(reader.finish())


@given(
    rows=st.lists(VALUES, max_size=8),
    sizes=CUTS,
    indent=st.sampled_from([None, 1]),
    is_ascii=st.booleans(),
)
def test_an_array_cut_anywhere_has_the_same_items(rows, sizes, indent, is_ascii) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=is_ascii)
    data = text.encode("utf-8", "surrogatepass")
    try:
        data.decode()
    except UnicodeDecodeError:
        return
    assert read_all(ArrayRows(), cut(data, sizes)) == rows


@given(lines=st.lists(st.binary(max_size=6).filter(lambda b: b"\n" not in b)), sizes=CUTS)
def test_lines_cut_anywhere_are_the_same(lines: list[bytes], sizes: list[int]) -> None:
    data = b"".join(line + b"\n" for line in lines)
    expected = [line.removesuffix(b"\r") for line in lines]
    assert read_all(LineRows(), cut(data, sizes)) == expected


def test_a_last_line_needs_no_end_and_windows_ends_are_cut_off() -> None:
    assert read_all(LineRows(), [b"a\r\nb\r", b"\nc"]) == [b"a", b"b", b"c"]
    assert read_all(LineRows(), [b"a\n\nb\n"]) == [b"a", b"", b"b"]
    assert read_all(LineRows(), []) == []


def test_an_array_may_begin_with_a_byte_order_mark() -> None:
    assert read_all(ArrayRows(), [b"\xef\xbb", b"\xbf [1, 2]\n"]) == [1, 2]


def test_a_number_goes_on_in_the_next_piece() -> None:
    assert read_all(ArrayRows(), [b"[1", b"2,3", b".5e", b"1]"]) == [12, 35.0]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'{"a": 1}', "no array"),
        (b"[1, 2", "ends in the middle, after 2 items"),
        (b"[1 2]", "'2' stands after item 0"),
        (b"[1] 2", "stands after item 0"),
        (b"[nonsense, 1, 2, 3, 4, 5, 6, 7, 8]", "item 0 is not JSON"),
        (b"[\xff\xfe]", "not UTF-8"),
        (b"", "ends in the middle"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_no_array_is_said_to_be_none(data: bytes, message: str) -> None:
    with pytest.raises(BadRow, match=message):
        read_all(ArrayRows(), [data])


def test_a_fault_is_found_where_it_is_and_not_at_the_end() -> None:
    reader = ArrayRows()
    assert list(reader.feed(b"[1, 2, ")) == [1, 2]
    with pytest.raises(BadRow, match="item 2 is not JSON"):
        list(reader.feed(b"oops" + b"," * 100))


@given(rows=st.lists(VALUES, min_size=1, max_size=8), first=st.integers(0, 5))
def test_json_lines_are_the_values_that_were_written(rows, first) -> None:
    lines = [json.dumps(row).encode() for row in rows]
    assert parse_lines(lines, first=first) == rows
    assert parse_lines([b"", *lines, b"  "], first=first) == rows


@pytest.mark.parametrize("line", [b"{", b"1, 2", b"[1]]", b"\xff", b"[" * 100_000])
def test_a_bad_line_is_named_by_its_number(line: bytes) -> None:
    with pytest.raises(BadRow, match="line 12 is not JSON"):
        parse_lines([b"1", line, b"3"], first=10)


def test_the_first_line_may_begin_with_a_byte_order_mark() -> None:
    assert parse_lines([b'\xef\xbb\xbf{"a":1}', b"2"], first=0) == [{"a": 1}, 2]
