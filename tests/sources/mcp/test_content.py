import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.calls import MISSING, Blob, LinkContent, RawResult, TextContent
from toolweft.sources.mcp.content import explain_cut, read_result, read_ttl

TEXT = {"type": "text", "text": "hello"}


def test_structured_content_is_kept_beside_the_text() -> None:
    assert read_result({"content": [TEXT], "structuredContent": {"a": None}}) == RawResult(
        structured={"a": None}, content=(TextContent("hello"),)
    )


def test_a_failed_result_says_so() -> None:
    assert read_result({"content": [TEXT], "isError": True}).is_error


def test_null_beside_text_is_no_structured_content() -> None:
    assert read_result({"content": [TEXT], "structuredContent": None}).structured is MISSING
    assert read_result({"content": [], "structuredContent": None}).structured is None
    assert read_result({}).structured is MISSING


@given(st.binary(max_size=50), st.sampled_from(["image", "audio"]))
def test_media_become_their_bytes(data: bytes, kind: str) -> None:
    block = {"type": kind, "data": base64.b64encode(data).decode(), "mimeType": "a/b"}
    assert read_result({"content": [block]}).content == (Blob(data=data, media_type="a/b"),)


def test_media_in_lines_become_their_bytes() -> None:
    data = bytes(range(256))
    block = {"type": "image", "data": base64.encodebytes(data).decode(), "mimeType": "a/b"}
    assert read_result({"content": [block]}).content == (Blob(data=data, media_type="a/b"),)


def test_embedded_resources_become_text_or_bytes() -> None:
    blocks = [
        {"type": "resource", "resource": {"uri": "x:1", "text": "words"}},
        {"type": "resource", "resource": {"uri": "x:2", "blob": "aGk="}},
        {"type": "resource_link", "uri": "x:3", "name": "three", "mimeType": "a/b"},
        {"type": "resource_link", "uri": "x:4"},
    ]
    assert read_result({"content": blocks}).content == (
        TextContent("words"),
        Blob(data=b"hi"),
        LinkContent(uri="x:3", name="three", media_type="a/b"),
        LinkContent(uri="x:4"),
    )


@pytest.mark.parametrize(
    "block",
    [
        {"type": "hologram", "data": "é"},
        {"type": "image", "data": "a"},
        {"type": "image", "data": "%%%%", "mimeType": "image/png"},
        {"type": "audio", "data": "YQ==\u00e9", "mimeType": "audio/wav"},
        {"type": "resource", "resource": {"uri": "x:1", "blob": "<html>"}},
        {"type": "image", "data": 7},
        {"type": "text"},
        {"type": "resource", "resource": None},
        {"type": "resource_link"},
        {"type": ["unhashable"]},
        "no block",
        None,
    ],
)
def test_a_block_that_cannot_be_read_stays_as_its_json(block: Any) -> None:
    (content,) = read_result({"content": [block]}).content
    assert isinstance(content, TextContent)


def test_content_that_is_no_list_is_none() -> None:
    assert read_result({"content": "hello"}).content == ()


@pytest.mark.parametrize(
    ("said", "ttl_s"),
    [
        (1_500, 1.5),
        (0, 0.0),
        (-1, None),
        (True, None),
        ("60", None),
        (None, None),
        (float("inf"), 366 * 24 * 3600.0),
        (1e300, 366 * 24 * 3600.0),
        (10**400, 366 * 24 * 3600.0),
        (-(10**400), None),
        (float("nan"), None),
    ],
)
def test_a_page_holds_for_a_time_that_clocks_have(said: object, ttl_s: float | None) -> None:
    assert read_ttl({"ttlMs": said}) == ttl_s


def test_a_list_that_is_cut_off_says_why() -> None:
    assert explain_cut("b", seen={"a"}) == ""
    assert explain_cut("a", seen={"a"}) == "cursor 'a' again after 2 pages"
    many = {str(number) for number in range(1000)}
    assert explain_cut("next", seen=many) == "it goes on after 1001 pages, and no more are read"
