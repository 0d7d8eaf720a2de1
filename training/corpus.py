"""Texts as bags of numbered words: what the training steps draw from."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toolweft.search.documents import FIELDS, build_document
from toolweft.search.words import STOP_WORDS, Tokenizer, query_words
from training.data_sets import Catalog, Request

__all__ = ("Bag", "Corpus", "Pair", "build_corpus", "split_document")

# Rarer words are left to the character n-grams.
_MIN_USES = 2
# A meaning or a request of our own is worth more than one passing use.
_OWN_USES = 2


@dataclass(frozen=True, slots=True)
class Bag:
    """Distinct words and how much each counts."""

    words: NDArray[np.int64]
    weights: NDArray[np.float32]
    # Bits of the fields, where it is a tool's.
    fields: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Pair:
    """A request and the tools that meet it."""

    group: str
    words: NDArray[np.int64]
    tools: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Everything of one training run."""

    words: list[str]
    # How many texts hold each word.
    uses: NDArray[np.float64]
    tools: list[Bag]
    catalogs: list[str]
    pairs: list[Pair]
    meanings: list[list[NDArray[np.int64]]]


def build_corpus(
    catalogs: Mapping[str, Catalog],
    requests: Mapping[str, Sequence[Request]],
    meanings: Iterable[Sequence[str]],
) -> Corpus:
    """Number the words of all texts.

    Args:
        catalogs: tools, with the requests that came with them.
        requests: our own, by catalog; those of other catalogs are left out.
        meanings: groups of words and phrases.
    """
    tokenizer = Tokenizer()
    uses: Counter[str] = Counter()
    documents, owners, places = [], [], {}
    for catalog in catalogs.values():
        for identifier, definition in catalog.tools.items():
            places[catalog.name, identifier] = len(documents)
            document = build_document(definition, tokenizer)
            documents.append(document)
            owners.append(catalog.name)
            uses.update(document.words)
    asked = []
    for group, name, request, weight in _requests(catalogs, requests):
        words = query_words(request.text)
        uses.update(dict.fromkeys(words, weight))
        asked.append((group, words, tuple(places[name, tool] for tool in request.tools)))
    groups = [[query_words(phrase) for phrase in group] for group in meanings]
    for group_ in groups:
        uses.update({word: _OWN_USES for words in group_ for word in words})
    vocabulary = [
        word for word, count in uses.most_common() if count >= _MIN_USES and _has_meaning(word)
    ]
    numbers = {word: number for number, word in enumerate(vocabulary)}

    def numbered(words: Iterable[str]) -> NDArray[np.int64]:
        return np.array([numbers[word] for word in words if word in numbers], np.int64)

    tools = []
    for document in documents:
        rows = [i for i, word in enumerate(document.words) if word in numbers]
        tools.append(
            Bag(
                numbered(document.words),
                np.array([document.emphases[i] for i in rows], np.float32),
                np.array([document.fields[i] for i in rows], np.uint8),
            )
        )
    pairs = [Pair(group, numbered(words), rows) for group, words, rows in asked]
    return Corpus(
        words=vocabulary,
        uses=np.array([uses[word] for word in vocabulary], np.float64),
        tools=tools,
        catalogs=owners,
        pairs=[pair for pair in pairs if len(pair.words)],
        meanings=[
            kept
            for group_ in groups
            if len(kept := [a for w in group_ if len(a := numbered(w))]) > 1
        ],
    )


def _has_meaning(word: str) -> bool:
    """Whether a word is learned; other scripts are not, so that they never get half a vector."""
    return word.isascii() and not word.isdigit() and word not in STOP_WORDS


def _requests(
    catalogs: Mapping[str, Catalog], requests: Mapping[str, Sequence[Request]]
) -> Iterable[tuple[str, str, Request, int]]:
    for catalog in catalogs.values():
        for group, rows in catalog.requests.items():
            yield from ((group, catalog.name, request, 1) for request in rows)
        for request in requests.get(catalog.name, ()):
            if all(tool in catalog.tools for tool in request.tools):
                yield f"own:{catalog.name}", catalog.name, request, _OWN_USES


_NAME, _SERVER, _CATEGORY, _FIRST, _REST, _PARAMETERS, _TEXTS, _VALUES = (
    1 << position for position in range(len(FIELDS))
)
# A tool's text in two parts that should find each other: (share, bits left, bits right).
_SPLITS = (
    (0.4, _NAME, ~_NAME),
    (0.2, _FIRST, ~_FIRST),
    (0.1, _PARAMETERS | _TEXTS | _VALUES, _NAME | _SERVER | _CATEGORY | _FIRST | _REST),
    (0.1, _SERVER | _CATEGORY, _FIRST | _REST),
)


def split_document(
    bag: Bag, draw: float, random: np.random.Generator
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which words go left, and which right; by field, or a random third against the rest."""
    for share, left, right in _SPLITS:
        if draw < share:
            return (bag.fields & left) > 0, (bag.fields & (right & 0xFF)) > 0
        draw -= share
    third = random.random(len(bag.words)) < 1 / 3
    return third, ~third
