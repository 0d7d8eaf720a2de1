"""Pairs of tools whose texts are nearly alike: a model cannot tell them apart, nor can a search.

Pure. Every pair of tools whose words are alike enough is found without comparing all with all:
two such tools share one of the words that make up most of each, the rare ones first. Where numpy
is installed the meanings of those pairs are compared too.

Source: Bayardo, Ma & Srikant 2007 (all pairs similarity search, prefixes of rare words).
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import log, sqrt

from toolweft.core.ids import QualifiedName, SourceName
from toolweft.core.json import JsonObject
from toolweft.core.snapshot import CatalogTool
from toolweft.search.documents import Document, build_document
from toolweft.search.words import Tokenizer

__all__ = ("NearDuplicate", "find_duplicates")

# Two tools are nearly alike where the words say so alone, or a little less with the meaning. Found
# on 42 recorded servers: below, most pairs do different things to one kind of object.
_ALIKE_WORDS = 0.85
_MAYBE_ALIKE_WORDS, _ALIKE_MEANING = 0.65, 0.93
# A thousand tools of one text are half a million pairs: what is compared and kept is bounded.
_MAX_COMPARED_PER_TOOL = 200
_MAX_LOOKED_AT = 50_000
_MAX_PAIRS = 1_000

_NO_NAMESPACE = SourceName("")

_Vector = Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class NearDuplicate:
    """Two tools that are nearly alike."""

    first: QualifiedName
    second: QualifiedName
    # Cosines in [0, 1] of the words and of the meanings; None where numpy is not installed.
    words: float
    meaning: float | None
    # Each name has a word that the other tool lacks, as in "delete_block" and "get_block".
    is_told_by_name: bool
    # Words, as stems, that only one of them holds, the rarest first.
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]

    def to_dict(self) -> JsonObject:
        """As plain JSON."""
        return {
            "first": self.first,
            "second": self.second,
            "words": self.words,
            "meaning": self.meaning,
            "is_told_by_name": self.is_told_by_name,
            "only_first": list(self.only_first),
            "only_second": list(self.only_second),
        }


def find_duplicates(tools: Sequence[CatalogTool]) -> list[NearDuplicate]:
    """The pairs that are nearly alike, the likest first; a thousand at most.

    Args:
        tools: of which none is disabled.
    """
    tokenizer = Tokenizer()
    # Without namespaces: the same tool on two servers is what nobody can tell apart.
    documents = [
        build_document(replace(tool.definition, namespace=_NO_NAMESPACE), tokenizer)
        for tool in tools
    ]
    vectors = _weigh(documents)
    likely = islice(_pairs(vectors, _MAYBE_ALIKE_WORDS), _MAX_LOOKED_AT)
    pairs = sorted(likely, key=lambda pair: (-pair[2], pair))
    meanings = _meanings(documents, [(first, second) for first, second, _ in pairs])
    found = []
    for (first, second, words), meaning in zip(pairs, meanings, strict=True):
        if words < _ALIKE_WORDS and (meaning is None or meaning < _ALIKE_MEANING):
            continue
        own = _own_words(vectors[first], vectors[second])
        names = [tokenizer.words(tools[one].definition.name) for one in (first, second)]
        told = all(set(name) & set(words_) for name, words_ in zip(names, own, strict=True))
        found.append(
            NearDuplicate(
                first=tools[first].qualified,
                second=tools[second].qualified,
                words=round(words, 3),
                meaning=meaning,
                is_told_by_name=told,
                only_first=own[0],
                only_second=own[1],
            )
        )
        if len(found) == _MAX_PAIRS:
            break
    return found


def _own_words(first: _Vector, second: _Vector) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(w for w in first if w not in second), tuple(w for w in second if w not in first)


def _weigh(documents: Sequence[Document]) -> list[_Vector]:
    """A vector of length 1 for each document; its heaviest words stand first."""
    holders = Counter(word for document in documents for word in document.words)
    rarity = {word: log(1 + len(documents) / count) for word, count in holders.items()}
    vectors: list[_Vector] = []
    for document in documents:
        weights = {
            word: impact * rarity[word]
            for word, impact in zip(document.words, document.impacts, strict=True)
        }
        length = sqrt(sum(weight * weight for weight in weights.values())) or 1.0
        ordered = sorted(weights, key=lambda word: (holders[word], word))
        vectors.append({word: weights[word] / length for word in ordered})
    return vectors


def _pairs(vectors: Sequence[_Vector], alike: float) -> Iterator[tuple[int, int, float]]:
    """Pairs of positions, the smaller first, with their cosine."""
    holders: dict[str, list[int]] = defaultdict(list)
    for second, vector in enumerate(vectors):
        prefix = _prefix(vector, alike)
        candidates: dict[int, None] = {}
        for word in prefix:
            # The nearest in the catalog: tools of one server stand together.
            candidates |= dict.fromkeys(reversed(holders[word][-_MAX_COMPARED_PER_TOOL:]))
        for first in list(candidates)[:_MAX_COMPARED_PER_TOOL]:
            cosine = _cosine(vectors[first], vector)
            if cosine >= alike:
                yield first, second, min(1.0, cosine)
        for word in prefix:
            holders[word].append(second)


def _prefix(vector: _Vector, alike: float) -> list[str]:
    """The first words, so many that the rest alone cannot make two tools alike enough."""
    rest = sum(weight * weight for weight in vector.values())
    prefix = []
    for word, weight in vector.items():
        if rest < alike * alike:
            break
        prefix.append(word)
        rest -= weight * weight
    return prefix


def _cosine(first: _Vector, second: _Vector) -> float:
    if len(second) < len(first):
        first, second = second, first
    return sum(weight * second.get(word, 0.0) for word, weight in first.items())


def _meanings(
    documents: Sequence[Document], pairs: Sequence[tuple[int, int]]
) -> list[float | None]:
    """The cosines of the meanings of some pairs."""
    try:
        # Imported where it is used: numpy may be missing.
        from toolweft.search.matrix import build_matrix
        from toolweft.search.vectors import load_vectors
    except ModuleNotFoundError as exc:
        if exc.name != "numpy":
            raise
        return [None] * len(pairs)
    numbers = {number: row for row, number in enumerate(sorted({n for p in pairs for n in p}))}
    rows = build_matrix([documents[number] for number in numbers], load_vectors()).rows(slice(None))
    return [
        round(float(rows[numbers[first]] @ rows[numbers[second]]), 3) for first, second in pairs
    ]
