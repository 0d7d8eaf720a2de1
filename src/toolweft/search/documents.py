"""What the index reads of one tool: words with weights, and the fields they stand in.

A document depends on its definition alone, never on other tools, so what an index took from it
stays right when tools come and go. Knows nothing of ranking.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from toolweft.core.json import Json, JsonSchema
from toolweft.core.tools import ToolDefinition
from toolweft.search.words import Tokenizer

__all__ = (
    "FIELDS",
    "Document",
    "Field",
    "build_document",
    "field_texts",
    "name_key",
    "named_fields",
)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a tool."""

    name: str
    # How much a word counts that stands in it: for word matching, and for the tool's vector.
    weight: float
    emphasis: float
    # Words beyond do not count for the vector, or long schemas would hide what a tool is for.
    max_emphasised: int


# Best first. Mild weights on purpose: sharp ones fit small catalogs and fail in large ones.
FIELDS = (
    Field("name", weight=3.0, emphasis=1.3, max_emphasised=12),
    Field("namespace", weight=1.0, emphasis=0.7, max_emphasised=8),
    Field("category", weight=1.0, emphasis=0.7, max_emphasised=8),
    # The first sentence, and the rest.
    Field("description", weight=1.0, emphasis=1.0, max_emphasised=40),
    Field("description", weight=1.0, emphasis=0.4, max_emphasised=60),
    Field("parameter names", weight=0.7, emphasis=0.4, max_emphasised=30),
    Field("parameter descriptions", weight=0.4, emphasis=0.3, max_emphasised=40),
    Field("enum values", weight=0.4, emphasis=0.2, max_emphasised=20),
)
# Saturation and length normalisation as in BM25. The length a document is compared with is fixed,
# so that a document's impacts stay as they are when other tools come and go.
_K1 = 0.9
_B = 0.4
_USUAL_LENGTH = 40.0

# Beyond these a tool says nothing new, and a hostile one would only fill the index.
_MAX_FIELD_CHARACTERS = 8_000
_MAX_PARAMETERS = 400
_MAX_ENUM_VALUES = 20
_MAX_SCHEMA_LEVELS = 4
_MAX_EXAMPLES = 20

_SENTENCE_END = re.compile(r"(?<=[.!?])\s|(?<=。)|\n")
# Less is an abbreviation or a heading: "e.g. ".
_MIN_SENTENCE_CHARACTERS = 25


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Document:
    """The words of one tool; the three columns have one row per distinct word."""

    words: tuple[str, ...]
    # What each word adds to a score before it is multiplied by the word's rarity.
    impacts: Sequence[float]
    # Bit i is set where the word stands in FIELDS[i].
    fields: bytes
    # How much each word counts in the tool's vector.
    emphases: Sequence[float]
    # Taken over from an earlier start: it may not be what would be made of the tool now.
    is_borrowed: bool = False


def build_document(definition: ToolDefinition, tokenizer: Tokenizer) -> Document:
    """The document of one tool."""
    weights: dict[str, float] = {}
    emphases: dict[str, float] = {}
    fields: dict[str, int] = {}
    length = 0.0
    for position, (text, field) in enumerate(zip(field_texts(definition), FIELDS, strict=True)):
        counts = Counter(tokenizer.words(text[:_MAX_FIELD_CHARACTERS]))
        if not counts:
            continue
        bit = 1 << position
        length += field.weight * counts.total()
        for word, count in counts.items():
            weights[word] = weights.get(word, 0.0) + field.weight * count
            fields[word] = fields.get(word, 0) | bit
        for word in islice(counts, field.max_emphasised):
            emphases[word] = emphases.get(word, 0.0) + field.emphasis
    dampening = _K1 * (1 - _B + _B * length / _USUAL_LENGTH)
    return Document(
        words=tuple(weights),
        impacts=tuple(w * (_K1 + 1) / (w + dampening) for w in weights.values()),
        fields=bytes(fields.values()),
        emphases=tuple(emphases.get(word, 0.0) for word in weights),
    )


def name_key(text: str) -> str:
    """What is left of a name when spelling does not count: "list_issues" is "listIssues"."""
    return "".join(filter(str.isalnum, text.casefold()))


def named_fields(bits: int) -> Iterator[str]:
    """The names of the fields whose bits are set, best first."""
    names = (field.name for position, field in enumerate(FIELDS) if bits >> position & 1)
    return iter(dict.fromkeys(names))


def field_texts(definition: ToolDefinition) -> tuple[str, ...]:
    """The text of each field, in the order of FIELDS."""
    parameters = _Parameters()
    parameters.read(definition.input_schema, level=1)
    first, rest = _first_sentence(definition.description.strip())
    scenarios = (example.scenario for example in definition.input_examples[:_MAX_EXAMPLES])
    return (
        definition.name,
        definition.namespace,
        definition.category or "",
        first,
        " ".join((rest, *scenarios)),
        " ".join(parameters.names),
        " ".join(parameters.descriptions),
        " ".join(parameters.values),
    )


def _first_sentence(text: str) -> tuple[str, str]:
    """A description's first sentence and what follows it."""
    for end in _SENTENCE_END.finditer(text, _MIN_SENTENCE_CHARACTERS):
        return text[: end.start()], text[end.end() :]
    return text, ""


class _Parameters:
    """Collects the words of an input schema, also of nested objects and of its alternatives."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.descriptions: list[str] = []
        self.values: list[str] = []

    def read(self, schema: JsonSchema, *, level: int) -> None:
        properties = schema.get("properties")
        if isinstance(properties, dict):
            for name, inner in properties.items():
                if len(self.names) >= _MAX_PARAMETERS:
                    return
                self.names.append(name)
                self._read_one(inner, level=level)

    def _read_one(self, schema: Json, *, level: int) -> None:
        if not isinstance(schema, dict):
            return
        if isinstance(description := schema.get("description"), str):
            self.descriptions.append(description)
        if isinstance(values := schema.get("enum"), list):
            self.values += [v for v in values[:_MAX_ENUM_VALUES] if isinstance(v, str)]
        if level >= _MAX_SCHEMA_LEVELS:
            return
        self.read(schema, level=level + 1)
        self._read_one(schema.get("items"), level=level + 1)
        for keyword in ("anyOf", "oneOf", "allOf"):
            if isinstance(alternatives := schema.get(keyword), list):
                for alternative in alternatives[:_MAX_ENUM_VALUES]:
                    self._read_one(alternative, level=level + 1)
