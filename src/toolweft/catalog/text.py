"""Descriptions as they may be shown: what a server writes is data, not a message to a terminal."""

import re
import unicodedata

__all__ = ("MAX_DESCRIPTION_CHARACTERS", "MAX_SHORT_CHARACTERS", "clean_text", "shorten")

# The longest real description seen has 5,500; a longer one is cut, not refused.
MAX_DESCRIPTION_CHARACTERS = 16 * 1024
MAX_SHORT_CHARACTERS = 120

_KEPT_CONTROLS = "\n\t"
# Cc control, Cf format (bidi marks, zero width, soft hyphen, tags), Cs lone surrogates, Co private
# use. Joiners are needed in emoji and some scripts, yet they also hide words: they go too.
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co"})
_PLAIN = re.compile(r"[\n\t -~]*\Z")
# U+3002, U+FF01 and U+FF1F end a sentence without a space after them.
_SENTENCE_END = re.compile(r"(?<=[.!?])(?:\s|$)|(?<=[\u3002\uff01\uff1f])")
_ABBREVIATION = re.compile(r"\b(?:e\.g|i\.e|etc|vs|cf|incl|approx|no)\.\Z", re.IGNORECASE)


def clean_text(text: str) -> str:
    """The text without characters that hide, reorder or control, cut at the longest allowed."""
    text = text[:MAX_DESCRIPTION_CHARACTERS]
    if _PLAIN.match(text):
        return text
    hidden = {
        ord(character): None
        for character in set(text)
        if character not in _KEPT_CONTROLS and unicodedata.category(character) in _HIDDEN
    }
    # The very same object where nothing is hidden: the source's definition holds it already.
    return text.translate(hidden) if hidden else text


def shorten(text: str) -> str:
    """The first sentence on one line, at most 120 characters, cut at a word where it is longer."""
    # The first paragraph that has words, and no more of it than could be shown.
    head = " ".join(text.lstrip()[: 4 * MAX_SHORT_CHARACTERS].split("\n\n", 1)[0].split())
    sentence = head
    for end in _SENTENCE_END.finditer(head):
        before = head[: end.start()]
        if before and not _ABBREVIATION.search(before):
            sentence = before
            break
    if len(sentence) <= MAX_SHORT_CHARACTERS:
        return sentence
    cut = sentence[: MAX_SHORT_CHARACTERS - 1]
    at_word = cut.rsplit(" ", 1)[0]
    return f"{at_word if len(at_word) > MAX_SHORT_CHARACTERS // 2 else cut}…"
