"""Queries with known answers: derived from the tools' own texts, or kept from real use. Pure.

Derived queries are easy: they use words the tool uses. What they miss is missed for certain;
what they find says little about requests in other words.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from toolweft.core.ids import QualifiedName
from toolweft.core.snapshot import CatalogTool
from toolweft.search.documents import name_key
from toolweft.search.words import STOP_WORDS, query_words

__all__ = (
    "KINDS",
    "Kind",
    "Query",
    "UsedQueries",
    "choose_evenly",
    "derive_queries",
    "surface_words",
)

# name: the words of the name in another order. topic: the first words of the description that
# say something. sentence: its first sentence. example: the scenario of an example. given: from a
# file or from use.
Kind = Literal["name", "topic", "sentence", "example", "given"]
KINDS: tuple[Kind, ...] = ("name", "topic", "sentence", "example", "given")

_RUN = re.compile(r"[^\W_]+")
_PART = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=[\u3002\uff01\uff1f])|\n")
# Less is an abbreviation or a heading: "e.g. ".
_MIN_SENTENCE_CHARACTERS = 25
# A verb, its object, and what tells them from the next.
_TOPIC_WORDS = 4
# Of a script without spaces one run is a whole clause.
_TOPIC_CHARACTERS = 60
_MAX_EXAMPLES = 20
_MAX_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A need in words, and the tools that meet it."""

    text: str
    # At least one.
    tools: tuple[QualifiedName, ...]
    kind: Kind = "given"


@runtime_checkable
class UsedQueries(Protocol):
    """Who remembers which tool was called after which search."""

    async def used_queries(self, limit: int) -> Sequence[tuple[str, str]]:
        """The latest pairs of a query's text and the tool called after it, newest first."""
        ...


def derive_queries(tools: Iterable[CatalogTool]) -> Iterator[Query]:
    """What each tool should at least be found by, tool by tool.

    A text that is the tool's name is left out: a name that is the query always comes first.
    """
    for tool in tools:
        name = name_key(tool.definition.name)
        texts: dict[str, Kind] = {}
        for kind, text in _texts(tool):
            text = text.strip()[:_MAX_CHARACTERS]
            if query_words(text) and name_key(text) != name:
                texts.setdefault(text, kind)
        for text, kind in texts.items():
            yield Query(text=text, tools=(tool.qualified,), kind=kind)


def choose_evenly(tools: Sequence[CatalogTool], *, most: int) -> Sequence[CatalogTool]:
    """At most so many tools, spread over all; every one where they are no more.

    Args:
        tools: in a fixed order, so that the choice stays the same.
        most: >= 1.
    """
    step = max(1, -(-len(tools) // most))
    return tools[::step]


def surface_words(text: str) -> list[str]:
    """The words of a text as they are written, identifiers split: "listIssues" is list, Issues."""
    words: list[str] = []
    for run in _RUN.findall(text):
        words += _PART.findall(run) if run.isascii() else [run]
    return words


def _texts(tool: CatalogTool) -> Iterator[tuple[Kind, str]]:
    definition = tool.definition
    words = [word.lower() for word in surface_words(definition.name)]
    # Said the other way round, "issues list" is not the name itself.
    yield "name", " ".join((*words[1:], *words[:1]))
    first = _first_sentence(definition.description.strip())
    yield "topic", _topic(first)
    yield "sentence", first
    for example in definition.input_examples[:_MAX_EXAMPLES]:
        yield "example", example.scenario


def _first_sentence(text: str) -> str:
    end = _SENTENCE_END.search(text, _MIN_SENTENCE_CHARACTERS)
    return text if end is None else text[: end.start()]


def _topic(sentence: str) -> str:
    """The first words of a sentence that say something: "Lists the open issues of ..."."""
    telling = [word for word in _RUN.findall(sentence) if _is_telling(word)]
    return " ".join(telling[:_TOPIC_WORDS])[:_TOPIC_CHARACTERS]


def _is_telling(word: str) -> bool:
    # A single letter is left of "e-mail" or "S3"; a text of stop words alone has them as its words.
    is_letter = len(word) == 1 and word.isascii()
    return not is_letter and not STOP_WORDS.issuperset(query_words(word))
