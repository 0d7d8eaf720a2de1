"""Characters that are not seen: what a person does not read, a model does.

Emoji and some scripts need a few of them between the characters they join; there they are let be.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

__all__ = ("find_hidden", "show_hidden", "strip_hidden")

# Cc control, Cf format (bidirectional marks, zero width, soft hyphen, tags), Cs lone surrogates,
# Co private use, Cn what no character has yet.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
# Letters and marks that show nothing: grapheme joiner, Hangul and Khmer fillers, Mongolian
# separators, an empty Braille cell.
_BLANK: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
)
_STRANGE: Final = re.compile(r"[^\n\r\t -~]")
_ZERO_WIDTH: Final = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad\u180e")
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_JOINERS: Final = "\u200c\u200d"
# Letters and marks outside of the alphabets that never join.
_LETTERS: Final = frozenset({"Lo", "Mn", "Mc"})


def find_hidden(text: str) -> str:
    """What hides in a text, in words: "2 zero-width (U+200B)"; "" where nothing does."""
    found: dict[str, list[str]] = {}
    for match in _STRANGE.finditer(text):
        kind = _kind(match[0])
        if kind and not _is_needed(text, match.start()):
            found.setdefault(kind, []).append(match[0])
    return ", ".join(
        f"{len(characters)} {kind} ({_points(characters)})" for kind, characters in found.items()
    )


def strip_hidden(text: str) -> str:
    """The text without them, as a person reads it."""
    return _STRANGE.sub(lambda match: "" if _kind(match[0]) else match[0], text)


def show_hidden(text: str) -> str:
    r"""The text with them as `\u200b`, for people to see."""
    return _STRANGE.sub(lambda match: ascii(match[0])[1:-1] if _kind(match[0]) else match[0], text)


def _kind(character: str) -> str:
    if character in _BIDI:
        return "bidirectional"
    if character in _ZERO_WIDTH:
        return "zero-width"
    if "\U000e0000" <= character <= "\U000e007f":
        return "tag"
    if _is_selector(character):
        return "variation selector"
    if character in _BLANK:
        return "blank"
    category = unicodedata.category(character)
    return "control" if category == "Cc" else "hidden" if category in _HIDDEN else ""


def _is_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef"


def _is_needed(text: str, position: int) -> bool:
    """Whether a joiner or selector has something to join or select.

    A run of them carries data, so of two in a row the second is never needed.
    """
    character = text[position]
    before = text[position - 1] if position else " "
    after = text[position + 1] if position + 1 < len(text) else " "
    if character in "\ufe0e\ufe0f":
        # Text or emoji: of a symbol, of punctuation such as \u203c, of a digit in a keycap.
        return unicodedata.category(before) in {"So", "Sm", "Po", "Pd"} or after == "\u20e3"
    if character in _JOINERS:
        is_emoji = _is_emoji(before) and _is_emoji(after) and character == "\u200d"
        return is_emoji or all(unicodedata.category(c) in _LETTERS for c in (before, after))
    return False


def _is_emoji(character: str) -> bool:
    # Skin tones are Sk; a selector may stand before a joiner.
    return unicodedata.category(character) in {"So", "Sk"} or character in "\ufe0f\u2640\u2642"


def _points(characters: list[str]) -> str:
    return ", ".join(_names(dict.fromkeys(characters)))


def _names(characters: dict[str, None]) -> Iterator[str]:
    for number, character in enumerate(characters):
        if number == 3:
            yield "..."
            return
        yield f"U+{ord(character):04X}"
