"""Bytes to lines."""

from hypothesis import given
from hypothesis import strategies as st

from toolweft.gateway.lines import LineSplitter


def split(chunks: list[bytes], *, max_line_bytes: int) -> list[bytes | None]:
    splitter = LineSplitter(max_line_bytes=max_line_bytes)
    return [line for chunk in chunks for line in splitter.feed(chunk)]


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    chunks = []
    for size in sizes:
        chunks.append(data[:size])
        data = data[size:]
    return [*chunks, data]


@given(
    st.lists(st.binary(max_size=20).map(lambda b: b.replace(b"\n", b"x"))),
    st.lists(st.integers(0, 9)),
)
def test_lines_come_out_as_they_went_in_however_they_are_cut(
    lines: list[bytes], sizes: list[int]
) -> None:
    data = b"".join(line + b"\n" for line in lines)

    assert split(cut(data, sizes), max_line_bytes=12) == [
        line if len(line) <= 12 else None for line in lines if len(line) > 12 or line.strip()
    ]


def test_a_line_above_the_cap_is_dropped_and_the_next_one_kept() -> None:
    assert split([b"1234", b"5678", b"9", b"\nab\n"], max_line_bytes=5) == [None, b"ab"]


def test_a_line_at_the_cap_is_kept() -> None:
    assert split([b"12345\n"], max_line_bytes=5) == [b"12345"]


def test_a_line_without_end_is_not_given() -> None:
    assert split([b"abc"], max_line_bytes=5) == []
