"""Half a character in a message costs that character, not the message."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json
from tests.sources.mcp.test_depth import deep_list, listing
from tests.sources.mcp.test_http_source import answering, build
from tests.sources.support import WaitingListener, build_stdio

from toolweft.sources import SourceGroup
from toolweft.sources.mcp.halves import mend_halves

# What a program writes that cuts "a\N{GRINNING FACE}" behind its second unit of UTF-16.
CUT = r'"a\ud83d"'


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        (CUT, r'"a\ufffd"'),
        (r'"\uDE00b"', r'"\ufffdb"'),
        (r'"\ude00\ud83d\ude00\uD83D"', r'"\ufffd\ud83d\ude00\ufffd"'),
        (r'"\ud83d\ud83d\ude00"', r'"\ufffd\ud83d\ude00"'),
        (r'"\\\ud83d"', r'"\\\ufffd"'),
        (r'"\\\\ud83d\udc00"', r'"\\\\ud83d\ufffd"'),
    ],
)
def test_a_half_gives_way_to_the_replacement_character(text: str, mended: str) -> None:
    assert mend_halves(text.encode()).decode() == mended


@pytest.mark.parametrize(
    "text", [r'"\ud83d\ude00"', r'"\\ud83d"', r'"\u00e9\n"', '"é😀"', "no JSON", "\\" * 1_000]
)
def test_what_is_whole_stays_as_it_is(text: str) -> None:
    whole = text.encode()
    assert mend_halves(whole) is whole


def test_bytes_that_are_no_utf8_give_way_too() -> None:
    assert mend_halves(b'"a\xff\xed\xa0\xbd"').decode() == '"a\ufffd\ufffd\ufffd\ufffd"'


def test_a_very_long_message_goes_on_as_it_is() -> None:
    text = b'"' + b"a" * 1_100_000 + rb'\ud83d"'
    assert mend_halves(text) is text


@given(st.text(st.sampled_from('a\\"u\ud83d\ude00\udbff\udc00é😀'), max_size=12))
def test_every_text_can_be_read_afterwards(text: str) -> None:
    mended = mend_halves(json.dumps(text).encode())
    # The parser of the protocol's messages takes no halves.
    assert from_json(mended) == text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@given(st.binary(max_size=60))
def test_no_bytes_break_it(data: bytes) -> None:
    mend_halves(data).decode()


def halved_list() -> str:
    return deep_list(50).replace('"description":"', r'"description":"\ud83d')


@pytest.mark.promise("sources.halves")
@pytest.mark.process
async def test_a_server_that_cuts_its_texts_keeps_its_tools(
    listener: WaitingListener, tmp_path: Path
) -> None:
    answers = tmp_path / "answers"
    answers.write_text(halved_list(), encoding="utf-8")
    source = build_stdio(listener, "plain.py", "raw-list", str(answers))
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        assert "\ufffd[[{{" in {tool.description for tool in listener.tools("plain")}


@pytest.mark.promise("sources.halves")
@pytest.mark.network
@pytest.mark.parametrize("is_stream", [False, True])
async def test_a_distant_server_that_cuts_its_texts_keeps_its_tools(
    listener: WaitingListener, *, is_stream: bool
) -> None:
    async with answering(listing(halved_list(), is_stream=is_stream)) as url:
        source = build(listener, url)
        async with SourceGroup([source], listener=listener):
            await listener.wait_for("web", "ready")
            assert "\ufffd[[{{" in {tool.description for tool in listener.tools("web")}
