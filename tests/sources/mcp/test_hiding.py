"""A token is taken out of a stream however the stream is cut, and nothing else is touched."""

from collections.abc import AsyncIterator

import anyio
import httpx2
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sources.mcp.hiding import HidingStream

TOKENS = (b"at-aab", b"at-aabaac")


class Pieces(httpx2.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            yield piece


def hide(data: bytes) -> bytes:
    for token in sorted(TOKENS, key=len, reverse=True):
        data = data.replace(token, b"***")
    return data


def begun(data: bytes) -> int:
    ends = [n for token in TOKENS for n in range(1, len(token)) if data.endswith(token[:n])]
    return max(ends, default=0)


def pass_through(pieces: list[bytes]) -> list[bytes]:
    async def read() -> list[bytes]:
        stream = HidingStream(Pieces(pieces), hide=hide, begun=begun)
        return [piece async for piece in stream]

    return anyio.run(read)


@given(st.lists(st.sampled_from([b"at-", b"a", b"aab", b"\n\n", b"x", b"at-aabaac"]), max_size=30))
def test_no_token_comes_through_however_it_is_cut(pieces: list[bytes]) -> None:
    out = b"".join(pass_through(pieces))
    assert not any(token in out for token in TOKENS)


@given(st.lists(st.binary(max_size=20), max_size=20))
def test_what_holds_no_token_comes_through_as_it_is(pieces: list[bytes]) -> None:
    assert b"".join(pass_through(pieces)) == hide(b"".join(pieces))


def test_an_event_that_is_complete_is_not_held_up() -> None:
    event = b'data: {"a": 1}\n\n'
    assert pass_through([event, event]) == [event, event]
