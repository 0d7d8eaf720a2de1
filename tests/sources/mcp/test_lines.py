import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from toolweft.sources.mcp.lines import LineBuffer, OversizedLine, find_response_id


def feed_all(buffer: LineBuffer, text: bytes, cuts: list[int]) -> list[bytes | OversizedLine]:
    lines: list[bytes | OversizedLine] = []
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    for start, end in pairwise(places):
        lines += buffer.feed(text[start:end])
    return lines


@given(
    lines=st.lists(st.binary(max_size=40).map(lambda b: b.replace(b"\n", b"")), max_size=8),
    cuts=st.lists(st.integers(min_value=0), max_size=12),
)
def test_lines_come_out_whole_however_the_bytes_are_cut(
    lines: list[bytes], cuts: list[int]
) -> None:
    text = b"".join(line + b"\n" for line in lines)
    assert feed_all(LineBuffer(max_line_bytes=100), text, cuts) == lines


@given(size=st.integers(min_value=0, max_value=3000), cuts=st.lists(st.integers(0), max_size=9))
def test_a_line_above_the_cap_keeps_its_two_ends_and_spoils_no_other(
    size: int, cuts: list[int]
) -> None:
    long = b"[" + b"x" * size + b"]"
    first, last = feed_all(LineBuffer(max_line_bytes=1000), long + b"\nnext\n", cuts)
    if len(long) <= 1000:
        assert first == long
    else:
        assert isinstance(first, OversizedLine)
        assert first.size_bytes == len(long)
        assert long.startswith(first.head)
        assert long.endswith(first.tail)
        assert first.head
    assert last == b"next"


def test_an_unfinished_line_waits_for_its_end() -> None:
    buffer = LineBuffer(max_line_bytes=10)
    assert buffer.feed(b"one") == []
    assert buffer.feed(b" two\nthr") == [b"one two"]


@given(
    request_id=st.one_of(st.integers(0, 10**12), st.text("abc-123", min_size=1, max_size=20)),
    is_last=st.booleans(),
    spaced=st.booleans(),
)
def test_the_id_of_a_response_is_found_before_and_after_its_result(
    request_id: int | str, is_last: bool, spaced: bool
) -> None:
    result = {"id": 99, "content": ["x" * 600]}
    envelope = {"jsonrpc": "2.0", "id": request_id}
    message = {"result": result, **envelope} if is_last else {**envelope, "result": result}
    text = json.dumps(message, separators=None if spaced else (",", ":")).encode()
    assert find_response_id(text[:256], text[-256:]) == request_id


def test_no_id_is_made_up_where_there_is_none() -> None:
    assert find_response_id(b'{"result":{"id":7,', b'"id":7}}') is None
    assert find_response_id(b"hello", b"hello") is None
