"""What to change in the text of a tool, so that it is found. Pure.

Advice comes from the text alone (no description, too short, parameters without any), from tools
that are nearly alike, and from requests that missed: their words that the tool does not hold.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from toolweft.core.json import JsonObject
from toolweft.core.snapshot import CatalogTool
from toolweft.search.documents import build_document
from toolweft.search.evaluation.duplicates import NearDuplicate
from toolweft.search.evaluation.queries import surface_words
from toolweft.search.words import Tokenizer, query_words

__all__ = (
    "Advice",
    "Miss",
    "advise_on_crowding",
    "advise_on_duplicate",
    "advise_on_misses",
    "advise_on_text",
)

AdviceCode = Literal[
    "no_description",
    "short_description",
    "undescribed_parameters",
    "same_words",
    "crowded_out",
    "missing_words",
    "not_callable",
]

# A name says as much; a description should say more.
_MIN_DESCRIPTION_WORDS = 4
# Of the words that requests use and a tool lacks.
_MAX_NAMED_WORDS = 3
_MIN_ASCII_CHARACTERS = 3
# Tools that came before, looked at for the words that made them come.
_MAX_BEFORE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One thing to change, or to know, about a tool."""

    code: AdviceCode
    text: str

    def to_dict(self) -> JsonObject:
        """As plain JSON."""
        return {"code": self.code, "text": self.text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """A request that did not find a tool among the first ten."""

    query: str
    # The tools that came first instead.
    before: Sequence[CatalogTool]


def advise_on_text(tool: CatalogTool, *, is_visible: bool) -> list[Advice]:
    """What a tool's own text lacks."""
    definition = tool.definition
    found = []
    if not is_visible:
        reason = tool.status_reason or tool.callers_reason
        found.append(_advice("not_callable", f"no search shows it: {reason or tool.status}"))
    words = len(Tokenizer().words(definition.description))
    if not words:
        found.append(_advice("no_description", "it has no description: say what it does"))
    elif words < _MIN_DESCRIPTION_WORDS:
        text = f"its description is shorter than {_MIN_DESCRIPTION_WORDS} words"
        found.append(_advice("short_description", f"{text}: say what it does, and to what"))
    properties = definition.input_schema.get("properties")
    if isinstance(properties, dict) and properties and not any(map(_says, properties.values())):
        found.append(_advice("undescribed_parameters", "its parameters have no descriptions"))
    return found


def advise_on_duplicate(pair: NearDuplicate, *, is_first: bool) -> Advice:
    """What one tool of a pair that is nearly alike lacks."""
    other = pair.second if is_first else pair.first
    own = pair.only_first if is_first else pair.only_second
    if own:
        text = f"nearly the same words as {other}: say when to use which"
    else:
        text = f"shares all its words with {other}: say what differs"
    return _advice("same_words", text)


def advise_on_crowding(misses: Sequence[Miss]) -> list[Advice]:
    """Who comes before a tool where its own words are asked for."""
    first = Counter(miss.before[0].qualified for miss in misses if miss.before)
    if not first:
        return []
    [(name, _)] = first.most_common(1)
    text = f"{name} and others come before it when its own words are asked for"
    return [_advice("crowded_out", f"{text}: begin with what sets it apart")]


def advise_on_misses(tool: CatalogTool, misses: Sequence[Miss]) -> list[Advice]:
    """The words of missed requests that the tool does not hold, the most telling first.

    Words that more requests use come first, then those that made other tools come before it.
    """
    tokenizer = Tokenizer()
    held = set(build_document(tool.definition, tokenizer).words)
    asked: Counter[str] = Counter()
    spelled: dict[str, str] = {}
    for miss in misses:
        spellings = _spellings(miss.query)
        lacking = [word for word in spellings if word not in held]
        asked.update(lacking)
        for word in lacking:
            spelled.setdefault(word, spellings[word])
    if not asked:
        return []
    elsewhere = _held_by(tool for miss in misses for tool in miss.before[:_MAX_BEFORE])
    ranked = sorted(asked, key=lambda word: (-asked[word], word not in elsewhere))
    listed = ", ".join(repr(spelled[word]) for word in ranked[:_MAX_NAMED_WORDS])
    which = "one request uses" if len(misses) == 1 else f"{len(misses)} requests use"
    text = f"{which} {listed}, which neither name nor description of {tool.qualified} holds"
    return [_advice("missing_words", text)]


def _advice(code: AdviceCode, text: str) -> Advice:
    return Advice(code=code, text=text)


def _says(schema: object) -> bool:
    return isinstance(schema, dict) and bool(str(schema.get("description") or "").strip())


def _held_by(tools: Iterable[CatalogTool]) -> Collection[str]:
    tokenizer = Tokenizer()
    distinct = {tool.qualified: tool for tool in tools}
    return {
        word
        for tool in distinct.values()
        for word in build_document(tool.definition, tokenizer).words
    }


def _spellings(query: str) -> dict[str, str]:
    """The words of a query as the index knows them, each with how it was written."""
    wanted = {word for word in query_words(query) if _is_telling(word)}
    spelled: dict[str, str] = {}
    for surface in surface_words(query):
        for word in query_words(surface):
            if word in wanted:
                # Of a script without spaces the pair of characters itself says more than the run.
                spelled.setdefault(word, surface if surface.isascii() else word)
    return spelled


def _is_telling(word: str) -> bool:
    if word.isdigit():
        return False
    return not word.isascii() or len(word) >= _MIN_ASCII_CHARACTERS
