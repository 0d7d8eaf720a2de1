"""Results that are too large to be values become handles, written piece by piece."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.calls.roads import PROGRAM, Rig

from toolweft.calls import CallOptions
from toolweft.calls.keeping import encode_pieces
from toolweft.core.calls import LOCAL, Blob, RawResult, TextContent
from toolweft.core.errors import ResultTooLarge, ToolFailed

SMALL = CallOptions(max_result_bytes=1_000, max_kept_bytes=100_000)
ROWS = [{"id": i} for i in range(500)]


async def keep(answer: Any) -> tuple[Any, bytes]:
    rig = Rig({"read": answer}, options=SMALL, keeps=True)
    result = await rig.road.call(rig.call(caller=PROGRAM))
    assert result.failure is None, result.failure
    assert result.handle is not None
    assert (result.value, result.encoded, result.content) == (None, b"", ())
    assert result.usage.bytes_out == result.handle.size_bytes
    assert (await rig.handles.find(result.handle.id, owner=LOCAL)) == result.handle
    return result.handle, rig.handles.contents[result.handle.id]


@pytest.mark.parametrize(
    ("answer", "kind", "content", "rows"),
    [
        (ROWS, "json", json.dumps(ROWS, separators=(",", ":")).encode(), 500),
        ({"result": ROWS}, "json", json.dumps(ROWS, separators=(",", ":")).encode(), 500),
        ({"a": "é" * 900}, "json", ('{"a":"' + "é" * 900 + '"}').encode(), None),
        ("line\n" * 300, "text", b"line\n" * 300, 300),
        (RawResult(content=(TextContent("[1, 2]" + " " * 1000),)), "json", None, None),
        (RawResult(content=(TextContent("é" * 900),)), "text", ("é" * 900).encode(), 1),
        (
            RawResult(content=(Blob(data=b"%PDF" * 300, media_type="application/pdf"),)),
            "binary",
            b"%PDF" * 300,
            None,
        ),
    ],
)
async def test_what_is_too_large_is_kept_as_what_it_is(
    answer: Any, kind: str, content: bytes | None, rows: int | None
) -> None:
    handle, kept = await keep(answer)
    assert (handle.kind, handle.rows) == (kind, rows)
    assert content is None or kept == content


async def test_what_fits_stays_a_value() -> None:
    rig = Rig({"read": [1, 2]}, options=SMALL, keeps=True)
    result = await rig.road.call(rig.call())
    assert (result.value, result.handle) == ([1, 2], None)
    assert rig.handles.contents == {}


@pytest.mark.parametrize(
    ("answer", "code", "message"),
    [
        ("x" * 100_001, "result_too_large", "more than 100,000 bytes"),
        ([["x" * 990]] * 200, "result_too_large", "more than 100,000 bytes"),
        (RawResult(content=(TextContent("x" * 600),) * 2), "result_too_large", "limit is 1,000"),
        (json.loads("[" * 150 + "]" * 150), "result_too_large", "nests deeper"),
        ([["x" * 990, {1, 2}]], "tool_error", "type set at"),
    ],
)
async def test_what_cannot_be_kept_fails_as_before(answer: Any, code: str, message: str) -> None:
    rig = Rig({"read": answer}, options=SMALL, keeps=True)
    result = await rig.road.call(rig.call())
    assert result.failure is not None
    assert result.failure.code == code
    assert message in result.failure.message
    assert rig.handles.contents == {}


async def test_no_room_is_a_failure_that_says_so() -> None:
    rig = Rig({"read": ROWS}, options=SMALL, keeps=True)
    rig.handles.max_bytes = 10
    result = await rig.road.call(rig.call())
    assert result.failure is not None
    assert result.failure.code == "storage"


async def test_without_a_store_it_is_too_large() -> None:
    rig = Rig({"read": ROWS}, options=SMALL)
    result = await rig.road.call(rig.call())
    assert result.failure is not None
    assert result.failure.code == "result_too_large"


LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just("x" * 70_000)
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(VALUES)
def test_pieces_together_are_the_values_json(value: Any) -> None:
    pieces = b"".join(encode_pieces(value, tool="t", max_depth=20))
    assert json.loads(pieces) == value


def test_what_json_does_not_have_is_repaired_or_refused() -> None:
    repaired = list(encode_pieces([float("nan"), "\ud800"], tool="t", max_depth=5))
    assert json.loads(b"".join(repaired)) == [None, "\ufffd"]
    large = "x" * 70_000
    with pytest.raises(ToolFailed, match="a key of type int"):
        list(encode_pieces({1: large}, tool="t", max_depth=5))
    with pytest.raises(ResultTooLarge, match="too deeply"):
        list(encode_pieces([[[large]]], tool="t", max_depth=1))


def test_shared_parts_that_unfold_without_end_are_written_only_as_far_as_wanted() -> None:
    bomb: Any = ["x" * 10_000]
    for _ in range(60):
        bomb = [bomb, bomb]
    pieces = encode_pieces(bomb, tool="t", max_depth=100)
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > 1_000_000:
            break
    assert size > 1_000_000
