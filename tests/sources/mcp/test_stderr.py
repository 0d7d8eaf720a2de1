from hypothesis import given
from hypothesis import strategies as st

from toolweft.sources.mcp.stderr import StderrRing, render_tail


@given(chunks=st.lists(st.binary(max_size=30)), limit=st.integers(1, 50))
def test_the_ring_keeps_the_last_bytes(chunks: list[bytes], limit: int) -> None:
    ring = StderrRing(limit_bytes=limit)
    for chunk in chunks:
        ring.append(chunk)
    assert ring.to_bytes() == b"".join(chunks)[-limit:]


@given(st.binary())
def test_no_control_character_but_the_newline_is_shown(text: bytes) -> None:
    shown = render_tail(text)
    assert all(char == "\n" or (char >= " " and char != "\x7f") for char in shown)
    assert len(shown) <= 1500


def test_colours_and_carriage_returns_are_left_out() -> None:
    assert render_tail(b"\x1b[31mred\x1b[0m\r\n\r\n\x1b]0;title\x07plain") == "red\nplain"


def test_only_the_last_lines_are_shown() -> None:
    assert render_tail(b"\n".join(b"%d" % n for n in range(50))).split("\n") == [
        str(n) for n in range(38, 50)
    ]


def test_secrets_are_masked_longest_first() -> None:
    shown = render_tail(b"key=abcd-efgh, abcd, ab", secrets=["abcd", "abcd-efgh", "ab"])
    assert shown == "key=***, ***, ab"
