"""What a word's postings are packed into is what they are."""

from array import array

from hypothesis import given
from hypothesis import strategies as st

from toolweft.search.columns import WordTable, join_postings, pack_postings

ROWS = st.lists(
    st.tuples(st.integers(0, 2**31), st.floats(0, 8, width=32), st.integers(0, 255)),
    min_size=1,
    max_size=20,
    unique_by=lambda row: row[0],
).map(sorted)
Rows = list[tuple[int, float, int]]


def pack(rows: Rows) -> bytes:
    slots, impacts, fields = zip(*rows, strict=True)
    return pack_postings(slots, impacts, fields)


@given(ROWS)
def test_packed_postings_read_as_they_were_given(rows: Rows) -> None:
    found = WordTable({"word": pack(rows)})["word"]

    assert list(zip(found.slots, found.impacts, found.fields, strict=True)) == rows
    assert found.bound == max(impact for _, impact, _ in rows)
    assert [found.impact(slot) for slot, _, _ in rows] == [impact for _, impact, _ in rows]
    assert found.row(2**31 + 1) is None


@given(ROWS, ROWS)
def test_joined_postings_are_those_of_all_rows(older: Rows, newer: Rows) -> None:
    last = older[-1][0] + 1
    behind = [(slot % 2**30 + last, impact, bits) for slot, impact, bits in newer]
    behind = sorted({slot: (slot, impact, bits) for slot, impact, bits in behind}.values())

    assert join_postings(pack(older), pack(behind)) == pack([*older, *behind])


def test_a_table_weighs_little_more_than_its_columns() -> None:
    packed = pack([(1, 0.5, 1), (2, 1.5, 2)])

    assert len(packed) == array("f", (1.5,)).itemsize + 2 * 9
