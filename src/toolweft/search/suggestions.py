"""Other words for a query that found nothing good: words that tools hold which may be found.

First a word of the query put right where it looks like a slip, then learned neighbours of its
words, then words from the names of the nearest tools. Whole words as tools spell them, never a
stem, never one that stands in the query, never one that only an invisible tool holds. Called for
weak answers alone.
"""

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import chain, islice
from string import ascii_lowercase

from toolweft.core.tools import ToolDefinition
from toolweft.search.views import View
from toolweft.search.words import STOP_WORDS, Tokenizer, query_words, spelled_in

__all__ = ("suggest_words",)

_MAX_SUGGESTIONS = 6
_MAX_QUERY_CHARACTERS = 4_000
# Words of a query that are looked at; one that asks in more than these is not short of words.
_MAX_QUERY_WORDS = 16
# A shorter word is one edit away from too many others; a longer one costs too many look-ups.
_MIN_SLIP_CHARACTERS = 4
_MAX_SLIP_CHARACTERS = 16
_MAX_SLIPS = 4
_MAX_CORRECTIONS = 2
# Neighbours of one word, so that one word does not take all the room.
_MAX_NEIGHBOURS_OF_WORD = 2
_MIN_LIKENESS = 0.5
# A shorter word says too little, beside others.
_MIN_CHARACTERS = 3
# Names that begin like a query's word: so many letters less, and so alike altogether.
_FEWER_LETTERS = 2
_MIN_ALIKE = 0.7


def suggest_words(query: str, view: View, near: Sequence[ToolDefinition]) -> tuple[str, ...]:
    """Up to six words to ask with instead, the likeliest first.

    Args:
        query: any text of any length.
        view: of the tools that may be found.
        near: such tools, nearest in meaning first.
    """
    query = query[:_MAX_QUERY_CHARACTERS]
    # Stop words too: what was said already is no new word.
    said = set(Tokenizer().words(query))
    words = query_words(query)[:_MAX_QUERY_WORDS]
    unknown = [word for word in words if not view.has(word)]
    candidates = chain(
        _corrections(query, unknown, view),
        _neighbours(words, view),
        _name_words(near),
        _names_alike(query, unknown, view),
    )
    found: dict[str, str] = {}
    for word in candidates:
        if word in said or word in found or not _is_telling(word):
            continue
        spelling = view.spelling(word)
        if spelling is not None and len(spelling) >= _MIN_CHARACTERS:
            found[word] = spelling
        if len(found) == _MAX_SUGGESTIONS:
            break
    return tuple(dict.fromkeys(found.values()))


def _is_telling(word: str) -> bool:
    return word not in STOP_WORDS and not word[:1].isdigit()


def _corrections(query: str, unknown: Sequence[str], view: View) -> Iterator[str]:
    """Words one edit away from what looks like a slip, those that more tools hold first."""
    slips = [word for word in unknown if word.isascii() and not view.knows(word)]
    for word in slips[:_MAX_SLIPS]:
        spelling = spelled_in(query, word) or word
        if _MIN_SLIP_CHARACTERS <= len(spelling) <= _MAX_SLIP_CHARACTERS:
            near = set(filter(view.has, _one_edit(word)))
            ordered = sorted(near, key=lambda other: (-view.count(other), other))
            yield from ordered[:_MAX_CORRECTIONS]


def _one_edit(word: str) -> Iterator[str]:
    """The words that one letter more, less, changed or moved by one place makes of a word.

    The first letter stays: slips there are rare, and what they give is most often another word.
    """
    for end in range(1, len(word) + 1):
        head, tail = word[:end], word[end:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in ascii_lowercase:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]


def _neighbours(words: Sequence[str], view: View) -> list[str]:
    """Words that mean what words of the query mean, the likest first."""
    near = [
        (-likeness, other)
        for word in words
        for other, likeness in view.neighbours(word)[:_MAX_NEIGHBOURS_OF_WORD]
        if likeness >= _MIN_LIKENESS
    ]
    return [other for _, other in sorted(near)]


def _name_words(near: Sequence[ToolDefinition]) -> Iterator[str]:
    """Words of tools' names: what they act on stands last, as in `list_open_issues`."""
    tokenizer = Tokenizer()
    for definition in near:
        # The first is a verb that stands in every second name.
        yield from reversed(tokenizer.words(definition.name)[1:])


def _names_alike(query: str, unknown: Sequence[str], view: View) -> Iterator[str]:
    """Words of names that begin nearly like an unknown word and look alike."""
    tokenizer = Tokenizer()
    for word in islice(unknown, _MAX_SLIPS):
        spelling = spelled_in(query, word) or word
        beginning = spelling[:-_FEWER_LETTERS]
        if not _MIN_SLIP_CHARACTERS <= len(beginning) <= _MAX_SLIP_CHARACTERS:
            continue
        alike = SequenceMatcher(b=word)
        for definition in view.names_beginning(beginning):
            for other in tokenizer.words(definition.name):
                alike.set_seq1(other)
                if alike.quick_ratio() >= _MIN_ALIKE <= alike.ratio():
                    yield other
