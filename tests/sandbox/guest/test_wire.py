"""Frames survive any cut; anything else is refused before it is kept."""

import contextlib
import itertools
import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sandbox.guest.wire import FrameDecoder, FrameError, FrameKind, encode_frame

ALL_KINDS = dict.fromkeys(FrameKind, (4096, 65536))
HEADER = struct.Struct(">B3sIII")

heads = st.dictionaries(
    st.text(max_size=8), st.integers() | st.text(max_size=8) | st.none(), max_size=4
)
frames = st.tuples(
    st.sampled_from(list(FrameKind)), st.integers(0, 2**32 - 1), heads, st.binary(max_size=200)
)


def decode(data: bytes) -> list[object]:
    return list(FrameDecoder(ALL_KINDS).feed(data))


@given(st.lists(frames, max_size=5), st.lists(st.integers(0, 2000), max_size=8))
def test_frames_come_back_the_same_however_the_stream_is_cut(sent, cuts):
    stream = b"".join(encode_frame(k, number=n, head=h, body=b) for k, n, h, b in sent)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    decoder = FrameDecoder(ALL_KINDS)
    received = [
        frame
        for start, end in itertools.pairwise(edges)
        for frame in decoder.feed(stream[start:end])
    ]
    assert [tuple(frame) for frame in received] == sent


def test_a_frame_split_at_any_byte_arrives_once():
    data = encode_frame(FrameKind.CALL, number=7, head={"name": "a.b", "line": 3}, body=b'{"x":1}')
    for cut in range(len(data) + 1):
        decoder = FrameDecoder(ALL_KINDS)
        first, second = decoder.feed(data[:cut]), decoder.feed(data[cut:])
        (frame,) = [*first, *second]
        assert frame.head == {"name": "a.b", "line": 3}
        assert frame.body == b'{"x":1}'


@given(st.binary(max_size=300))
def test_garbage_never_does_more_than_break_the_stream(data):
    with contextlib.suppress(FrameError):
        decode(data)


def test_an_announced_size_is_refused_before_any_of_it_is_read():
    decoder = FrameDecoder({FrameKind.CALL: (100, 100)})
    with pytest.raises(FrameError, match="more than 100"):
        decoder.feed(HEADER.pack(FrameKind.CALL, b"\0\0\0", 1, 10, 2**32 - 1))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (HEADER.pack(99, b"\0\0\0", 0, 0, 0), "kind 99"),
        (HEADER.pack(FrameKind.CALL, b"\0x\0", 0, 0, 0), "padding"),
        (b'\xff{"id": 1, "tool": "echo"}', "kind 255"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused(data, reason):
    with pytest.raises(FrameError, match=reason):
        decode(data + bytes(32))


def test_a_kind_that_is_not_expected_now_is_refused():
    decoder = FrameDecoder(ALL_KINDS)
    decoder.allow({FrameKind.READY: (0, 0)})
    with pytest.raises(FrameError, match="not expected"):
        decoder.feed(encode_frame(FrameKind.CALL))


@pytest.mark.parametrize(
    "head",
    [
        b'{"name":"a","name":"b"}',
        b'{"line":NaN}',
        b"[1]",
        b"{",
        b"\xff",
        b"[" * 4000,
    ],
)
def test_a_head_that_is_not_strict_json_is_refused(head):
    data = HEADER.pack(FrameKind.CALL, b"\0\0\0", 0, len(head), 0) + head
    with pytest.raises(FrameError, match="head"):
        decode(data)


def test_an_empty_head_costs_no_bytes():
    assert len(encode_frame(FrameKind.READY)) == HEADER.size
    assert json.loads(b"{}") == FrameDecoder(ALL_KINDS).feed(encode_frame(FrameKind.READY))[0].head
