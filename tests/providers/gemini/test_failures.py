"""What refusals become, and events out of bytes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.errors import ContextFull
from toolweft.providers.gemini.events import EventReader
from toolweft.providers.gemini.failures import build_error


def told(status: int, name: str = "", message: str = "No.", **fields: Any) -> dict[str, Any]:
    return {"error": {"code": status, "status": name, "message": message, **fields}}


@pytest.mark.parametrize(
    ("status", "is_retryable"),
    [(400, False), (403, False), (404, False), (429, True), (500, True), (503, True), (504, True)],
)
def test_which_failures_may_pass(status: int, is_retryable: bool) -> None:
    error = build_error(told(status, "NAME"), where="gemini:x", status=status)

    assert (error.is_retryable, error.status) == (is_retryable, status)
    assert error.message == f"gemini:x: No. ({status}, NAME)"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ({"code": 503, "message": "x"}, 503),
        ({"status": "RESOURCE_EXHAUSTED"}, 429),
        ({"code": "https://x.test/errors/unavailable", "message": "x"}, 503),
        ({"code": "something_new"}, None),
    ],
)
def test_errors_within_a_stream_have_a_status_of_their_own(
    error: dict[str, Any], status: int | None
) -> None:
    assert build_error({"error": error}, where="x").status == status


def test_a_full_context_is_told_apart() -> None:
    message = "The input token count (12) exceeds the maximum number of tokens allowed (10)."

    assert isinstance(build_error(told(400, message=message), where="x", status=400), ContextFull)


@pytest.mark.parametrize("delay", [None, "soon", "nans", "-1s"])
def test_a_delay_that_is_none(delay: Any) -> None:
    info = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}

    assert build_error(told(429, details=[info]), where="x", status=429).retry_after_s is None


@pytest.mark.parametrize("body", [None, "", "<html>", [], [told(500)], {"error": "x"}, 7])
def test_any_body_makes_an_error(body: Any) -> None:
    assert build_error(body, where="x", status=500).status == 500


@given(st.integers(1, 9), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_events_are_the_same_however_their_bytes_are_cut(size: int, ending: bytes) -> None:
    separators = "\u2028\u0085\x0b".encode()
    lines = [
        b": note",
        b"event: x",
        b"data: {1}",
        b"",
        b"",
        b"data:a" + separators,
        b"data: b",
        b"",
    ]
    wire = ending.join([*lines, b"data: last"])
    reader = EventReader()

    read = [data for at in range(0, len(wire), size) for data in reader.add(wire[at : at + size])]

    assert [*read, *reader.finish()] == [b"{1}", b"a" + separators + b"\nb", b"last"]
