"""Descriptions are shown without what hides in them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.catalog.text import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_SHORT_CHARACTERS,
    clean_text,
    shorten,
)


def test_text_that_hides_nothing_is_the_same_object() -> None:
    for text in ("Lists issues.\n\tOf a repository", "Grüße, 世界 🙂"):
        assert clean_text(text) is text


@pytest.mark.parametrize(
    "hidden", ["\x1b", "\x00", "\u202e", "\u200b", "\ufeff", "\u2066", "\U000e0041"]
)
def test_control_bidi_and_zero_width_characters_are_taken_out(hidden: str) -> None:
    assert clean_text(f"a{hidden}b") == "ab"


def test_a_very_long_description_is_cut() -> None:
    assert len(clean_text("x" * 100_000)) == MAX_DESCRIPTION_CHARACTERS


@given(st.text())
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    once = clean_text(text)
    assert clean_text(once) == once
    assert not any(unicodedata.category(c) in {"Cf", "Cs"} for c in once)


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("", ""),
        ("Lists issues. And more.", "Lists issues."),
        ("\n  Lists\n  issues\n\nArgs: x", "Lists issues"),
        ("Reads a file, e.g. a log. Then ends.", "Reads a file, e.g. a log."),
        ("Uses v1.2 of the API! Yes.", "Uses v1.2 of the API!"),
        ("列出问题。然后结束。", "列出问题。"),
    ],
)
def test_the_first_sentence_is_the_short_description(text: str, short: str) -> None:
    assert shorten(text) == short


def test_a_long_sentence_is_cut_at_a_word() -> None:
    short = shorten("word " * 100)
    assert short.endswith("word…")
    assert len(short) <= MAX_SHORT_CHARACTERS


@given(st.text(max_size=400))
def test_a_short_description_is_one_short_line(text: str) -> None:
    short = shorten(text)
    assert len(short) <= MAX_SHORT_CHARACTERS
    assert len(short.splitlines()) <= 1
