"""What a zygote may answer, whatever else comes out of the process it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sandbox.process.answers import parse_answer

KINDS = ("ready", "hello", "spawn", "reap")
GOOD = [
    ("ready", {"ready": True}),
    ("hello", {"hello": "n"}),
    ("spawn", {"pid": 7}),
    ("reap", {"status": -9, "peak_bytes": 1 << 40}),
    ("reap", {"status": 0}),
    *((kind, {"error": "no"}) for kind in KINDS),
]


@pytest.mark.parametrize(("asked", "answer"), GOOD)
def test_an_answer_to_what_was_asked_passes(asked: str, answer: dict[str, object]) -> None:
    assert parse_answer(json.dumps(answer).encode(), asked=asked, hello="n") == answer


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ("ready", b'{"ready": 1}'),
        ("ready", b'{"ready": false}'),
        ("ready", b'{"ready": true, "pid": 1}'),
        ("hello", b'{"hello": "m"}'),
        ("hello", b'{"ready": true}'),
        ("spawn", b'{"ready": true}'),
        ("spawn", b'{"pid": true}'),
        ("spawn", b'{"pid": 0}'),
        ("spawn", b'{"pid": "7"}'),
        ("spawn", b'{"pid": 4294967296}'),
        ("reap", b"{}"),
        ("reap", b'{"status": null}'),
        ("reap", b'{"status": 0, "peak_bytes": -1}'),
        *((kind, b'{"error": {}}') for kind in KINDS),
        *((kind, b'{"error": "no", "pid": 1}') for kind in KINDS),
        *((kind, b"[" * 4000) for kind in KINDS),
        *((kind, b"\xff") for kind in KINDS),
    ],
)
def test_anything_else_is_no_answer(asked: str, message: bytes) -> None:
    assert parse_answer(message, asked=asked, hello="n") is None


@given(asked=st.sampled_from(KINDS), message=st.binary())
def test_no_message_breaks_the_reader(asked: str, message: bytes) -> None:
    parse_answer(message, asked=asked, hello="n")
