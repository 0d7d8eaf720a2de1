"""Our words to MCP types."""

import pytest
from tests.gateway.fake_toolbox import FakeReply

from toolweft.core.calls import Blob, LinkContent, TextContent
from toolweft.core.errors import Overloaded, ToolNotFound
from toolweft.gateway.wire import wire_failure, wire_reply

NEWEST = "2026-07-28"


def test_the_text_comes_before_the_other_blocks() -> None:
    reply = FakeReply(text="first", content=(TextContent("second"),))

    assert [block.text for block in wire_reply(reply, revision=NEWEST).content] == [
        "first",
        "second",
    ]


def test_a_reply_without_anything_has_one_empty_text() -> None:
    (block,) = wire_reply(FakeReply(), revision=NEWEST).content

    assert (block.type, block.text) == ("text", "")


def test_an_error_stays_an_error() -> None:
    assert wire_reply(FakeReply(text="no", is_error=True), revision=NEWEST).is_error


@pytest.mark.parametrize(
    ("media_type", "revision", "kind"),
    [
        ("image/png", "2024-11-05", "image"),
        ("audio/wav", "2024-11-05", "text"),
        ("audio/wav", "2025-03-26", "audio"),
        ("audio/wav", NEWEST, "audio"),
        ("application/pdf", "2024-11-05", "resource"),
        ("nonsense", NEWEST, "resource"),
    ],
)
def test_bytes_become_the_kind_of_content_the_client_knows(
    media_type: str, revision: str, kind: str
) -> None:
    reply = FakeReply(content=(Blob(data=b"abc", media_type=media_type),))

    (block,) = wire_reply(reply, revision=revision).content

    assert block.type == kind


def test_other_bytes_are_embedded_under_addresses_of_their_own() -> None:
    pdf = Blob(data=b"abc", media_type="application/pdf")

    first, second = wire_reply(FakeReply(content=(pdf, pdf)), revision=NEWEST).content

    assert first.resource.blob == "YWJj"
    assert first.resource.mime_type == "application/pdf"
    assert first.resource.uri != second.resource.uri


@pytest.mark.parametrize(
    ("link", "text"),
    [
        (LinkContent(uri="file:///a", name="a"), "a: file:///a"),
        (LinkContent(uri="file:///a"), "file:///a"),
    ],
)
def test_a_link_is_text_for_a_client_that_knows_no_links(link: LinkContent, text: str) -> None:
    (block,) = wire_reply(FakeReply(content=(link,)), revision="2025-03-26").content

    assert (block.type, block.text) == ("text", text)


def test_a_link_without_a_name_is_named_by_its_address() -> None:
    reply = FakeReply(content=(LinkContent(uri="file:///a", media_type="text/plain"),))

    (block,) = wire_reply(reply, revision=NEWEST).content

    assert (block.type, block.name, block.mime_type) == ("resource_link", "file:///a", "text/plain")


def test_a_failure_names_code_message_and_hint() -> None:
    with_hint = wire_failure(ToolNotFound("no 'x'", hint="did you mean 'y'?"))
    without = wire_failure(Overloaded("busy"))

    assert with_hint.content[0].text == "tool_not_found: no 'x'\nhint: did you mean 'y'?"
    assert without.content[0].text == "overloaded: busy"
    assert with_hint.is_error
