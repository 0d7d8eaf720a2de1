"""From text to the words an index counts: split identifiers, fold case, drop endings.

Pure; the same rules for tools and queries. Called by the index alone.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache
from itertools import chain

from toolweft.search.stemming import stem

__all__ = (
    "MAX_QUERY_CHARACTERS",
    "STOP_WORDS",
    "Tokenizer",
    "query_words",
    "spelled_in",
    "split_identifier",
)

# What stands beyond in a query says nothing new, and is not kept.
MAX_QUERY_CHARACTERS = 4_000

_RUN = re.compile(r"[^\W_]+")
# "getHTTPResponse2" -> get HTTP Response 2; plural acronyms stay whole ("URLs", "IDs").
_PART = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
# Han, kana and Hangul are written without spaces: each two neighbours count as one word. A Han
# character alone means something too, and requests often have but one of the two in a tool's word.
_UNSPACED = re.compile(
    "[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]+"
)
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
# A longer run is not a word (a key, a hash, base64): its head is enough.
_MAX_WORD_CHARACTERS = 40
# As much as an index reads of a field.
_MAX_READ_CHARACTERS = 8_000

# Chinese particles, pronouns, auxiliaries, prepositions and question words of one character.
_HAN_STOP_WORDS = frozenset(
    "的地得了着著过過吗嗎呢吧啊呀么麼嘛我你您他她它们們这這那哪其是在有和与與或及跟把被给給让讓向对對从從到为為以于於"
    "也都就还還又再才很太不没沒别請请帮幫什怎谁誰几幾个個些一能会會可要想该該"
)
# Left out of queries and of vectors; compared as stems, since that is what words are.
STOP_WORDS = _HAN_STOP_WORDS | frozenset(
    map(
        stem,
        _RUN.findall("""
            a about all also am an and any are as at be been being but by can could did do does for
            from had has have having he hello her here hey hi him his how i if im in into is it its
            just ll like may me might my need of on or our out over please re s she should so some
            such t than thank that the their them then there these they this those to too us use
            using ve very want was we were what when where which while who whom why will with would
            you your
        """),
    )
)


class Tokenizer:
    """Splits text into words; remembers what it split, since tools share most of their words.

    Made for building one index and dropped with the work done.
    """

    def __init__(self) -> None:
        self._known = _Splits()

    def words(self, text: str) -> list[str]:
        """The words of a text in order, repeats kept, stop words too."""
        return list(chain.from_iterable(map(self._known.__getitem__, _runs(text))))


class _Splits(dict[str, tuple[str, ...]]):
    """Run -> words; split at the first look, so that the loop above stays out of Python."""

    def __init__(self) -> None:
        super().__init__()
        self._words: dict[str, str] = {}

    def __missing__(self, run: str) -> tuple[str, ...]:
        # One object for each word, for they live on in the index. Not interned: the table of all
        # interned texts doubles when it is full, and would outlive the index.
        words = self[run] = tuple(self._words.setdefault(word, word) for word in _split(run))
        return words


def query_words(text: str) -> list[str]:
    """The distinct words of a text, without stop words unless there is nothing else."""
    words = list(dict.fromkeys(chain.from_iterable(map(_split_remembered, _runs(text)))))
    return [word for word in words if word not in STOP_WORDS] or words


def spelled_in(text: str, word: str) -> str | None:
    """The first whole word of a text, in lower case, that an index counts as `word`.

    Args:
        text: what stands beyond 8,000 characters is not looked at.
        word: as `query_words` gives it.
    """
    for run in _runs(text[:_MAX_READ_CHARACTERS]):
        # Endings go, beginnings stay: most runs need not be split.
        if run.isascii() and word[:2] not in run.lower():
            continue
        for whole in split_identifier(run):
            # Folding may make of one word what reads as two: "0ß" is "0ss".
            spelling = whole.casefold()
            if tuple(_split(whole)) == tuple(_split(spelling)) == (word,):
                return spelling
    return None


def split_identifier(run: str) -> list[str]:
    """The words written as one, as they are: "listIssues2" is list, Issues, 2.

    Args:
        run: letters and digits; of other scripts than Latin it stays whole.
    """
    return _PART.findall(run) if run.isascii() else [run]


def _runs(text: str) -> list[str]:
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _RUN.findall(text)


# People ask with few words; no run is longer than a query may be.
@lru_cache(maxsize=4_096)
def _split_remembered(run: str) -> tuple[str, ...]:
    return tuple(_split(run))


def _split(run: str) -> Iterable[str]:
    if run.isascii():
        for part in _PART.findall(run):
            yield stem(part.lower()[:_MAX_WORD_CHARACTERS])
        return
    position = 0
    for unspaced in _UNSPACED.finditer(run):
        yield from _spaced(run[position : unspaced.start()])
        text = unspaced.group()
        yield from (text[i : i + 2] for i in range(max(1, len(text) - 1)))
        if len(text) > 1:
            yield from _HAN.findall(text)
        position = unspaced.end()
    yield from _spaced(run[position:])


def _spaced(part: str) -> Iterable[str]:
    """Words of a script with spaces; accents do not count."""
    if not part:
        return
    letters = unicodedata.normalize("NFKD", part.casefold())
    folded = "".join(c for c in letters if not unicodedata.combining(c))
    folded = folded[:_MAX_WORD_CHARACTERS]
    if folded:
        yield stem(folded) if folded.isascii() else folded
