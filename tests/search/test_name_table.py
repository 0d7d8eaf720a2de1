from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from toolweft.search.name_table import NameTable

ROWS = st.sets(st.tuples(st.text("ab", max_size=3), st.integers(0, 2**32 - 1)), max_size=130)


@given(ROWS, ROWS, st.data())
def test_a_changed_table_is_as_if_made_of_the_rows_that_are_left_and_came(
    rows: set[tuple[str, int]], come: set[tuple[str, int]], data: st.DataObject
) -> None:
    gone = data.draw(st.sets(st.sampled_from(sorted(rows)))) if rows else set()
    table = NameTable(sorted(rows))
    changed = table.changed(sorted(gone), sorted(come - rows))

    assert list(changed) == sorted((rows - gone) | (come - rows))
    assert list(table) == sorted(rows)


def test_a_table_is_a_sorted_sequence_of_rows() -> None:
    table = NameTable([("a", 3), ("b", 1), ("b", 2)])

    assert len(table) == 3
    assert bisect_left(table, ("b", 0)) == 1
    assert table[1] == ("b", 1)
    assert table[1:] == (("b", 1), ("b", 2))
