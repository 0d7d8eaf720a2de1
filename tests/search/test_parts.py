"""The documents an index is made of, packed for the next start and taken up again."""

import math
import struct
from array import array
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.derived import Derived
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.packed import pack_json
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import ToolDefinition, ToolExample
from toolweft.search.documents import Document, build_document
from toolweft.search.holder import IndexHolder
from toolweft.search.hybrid import HybridIndex
from toolweft.search.lexical import LexicalIndex
from toolweft.search.parts import document_key, pack_document, read_documents, unpack_document
from toolweft.search.vectors import load_vectors
from toolweft.search.words import Tokenizer
from toolweft.testing import build_catalog, build_definition, build_snapshot

OFFICE = (
    build_definition("mail.delete_message", description="Delete an e-mail message for good"),
    build_definition("mail.send_message", description="Send an e-mail. It goes to people."),
    build_definition(
        "sky.get_forecast",
        description="Weather forecast of a city 天气预报",
        parameters={"city": {"type": "string", "description": "Where", "enum": ["Oslo", "Bonn"]}},
    ),
    build_definition("bank.convert", description="Convert an amount into another currency"),
    build_definition("x.q7"),
    replace(
        build_definition("shop.list_orders", description="Orders of a customer"),
        category="sales",
        input_examples=(ToolExample(scenario="what somebody bought", input={}),),
    ),
)
QUERIES = (
    "remove this mail",
    "send_message",
    "will it rain tomorrow in Oslo",
    "天气",
    "exchange dollars, and what did the client buy",
    "sales",
    "q7",
    "nothing of the kind",
)
Make = Callable[[Snapshot, Derived | None], Any]

floats = st.floats(0, 1e6, width=32)
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"), max_size=9)
rows = st.lists(
    st.tuples(words, floats, st.integers(0, 255), floats), max_size=12, unique_by=lambda row: row[0]
)


async def keep_nowhere(derived: Derived) -> None:
    """Stands for a cache, without which nothing is noted."""


def document_of(columns: Sequence[tuple[str, float, int, float]]) -> Document:
    told, impacts, fields, emphases = zip(*columns, strict=True) if columns else ((),) * 4
    return Document(words=told, impacts=impacts, fields=bytes(fields), emphases=emphases)


def read(document: Document | None) -> tuple[Any, ...]:
    """What a document holds, its numbers as an index keeps them."""
    assert document is not None
    impacts, emphases = array("f", document.impacts), array("f", document.emphases)
    return document.words, list(impacts), document.fields, list(emphases)


def build(definition: ToolDefinition) -> Document:
    return build_document(definition, Tokenizer())


def completed(snapshot: Snapshot) -> list[ToolDefinition]:
    """The definitions as the catalog gives them to an index."""
    return [tool.definition for tool in snapshot.tools.values()]


@given(rows)
def test_a_packed_document_is_what_it_was(columns: list[tuple[str, float, int, float]]) -> None:
    document = document_of(columns)
    assert read(unpack_document(pack_document(document))) == read(document)


@pytest.mark.parametrize("tool", OFFICE, ids=lambda tool: tool.name)
def test_the_document_of_a_tool_is_what_it_was(tool: ToolDefinition) -> None:
    document = build(tool)
    assert read(unpack_document(pack_document(document))) == read(document)


@given(st.text(st.characters(), max_size=60))
def test_whatever_a_tool_says_of_itself_its_document_is_what_it_was(text: str) -> None:
    document = build(build_definition("a.tool", description=text))
    assert read(unpack_document(pack_document(document))) == read(document)


def heads() -> st.SearchStrategy[bytes]:
    """Bytes that begin as parts do, with small numbers."""
    small = st.integers(0, 9)
    return st.builds(
        lambda count, size, rest: struct.pack("<II", count, size) + rest,
        small,
        small,
        st.binary(max_size=80),
    )


def exact() -> st.SearchStrategy[bytes]:
    """Bytes that are as long as they say, whatever they hold."""
    return st.integers(0, 4).flatmap(
        lambda count: st.integers(0, 9).flatmap(
            lambda size: st.binary(min_size=size + 9 * count, max_size=size + 9 * count).map(
                lambda rest: struct.pack("<II", count, size) + rest
            )
        )
    )


@pytest.mark.promise("discovery.harmless")
@given(st.binary(max_size=120) | heads() | exact())
def test_any_bytes_are_a_whole_document_or_none(part: bytes) -> None:
    document = unpack_document(part)
    if document is not None:
        columns = (document.words, document.impacts, document.fields, document.emphases)
        assert len({len(column) for column in columns}) == 1


@pytest.mark.promise("discovery.harmless")
@pytest.mark.parametrize("tool", OFFICE, ids=lambda tool: tool.name)
def test_a_part_of_another_length_is_none(tool: ToolDefinition) -> None:
    part = pack_document(build(tool))
    assert [end for end in range(len(part)) if unpack_document(part[:end]) is not None] == []
    assert unpack_document(part + b"\0") is None


@pytest.mark.promise("discovery.harmless")
@pytest.mark.parametrize("count", [1, 2**30, 2**32 - 1])
@pytest.mark.parametrize("size", [0, 1, 2**32 - 1])
def test_a_part_that_says_it_is_larger_is_none(count: int, size: int) -> None:
    assert unpack_document(struct.pack("<II", count, size) + b"a\nb") is None


KEYED = replace(OFFICE[5], definition_hash="0" * 64)


@pytest.mark.promise("discovery.derived")
@pytest.mark.parametrize(
    "change",
    [
        {"name": ToolName("list_order")},
        {"input_schema": {"type": "object", "properties": {"a": {}}}},
        {"namespace": SourceName("shops")},
        {"category": "sale"},
        {"category": None},
        {"description": "Orders of a customer."},
        {"input_examples": ()},
        {"input_examples": (ToolExample(scenario="What somebody bought", input={}),)},
        {"input_examples": KEYED.input_examples * 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_document_made_of_something_else_is_another_one(change: dict[str, Any]) -> None:
    assert document_key(replace(KEYED, **change)) != document_key(KEYED)


@pytest.mark.promise("discovery.derived")
def test_the_order_of_parameters_counts_packed_or_not() -> None:
    one = {"type": "object", "properties": {"a": {}, "b": {}}}
    other = {"type": "object", "properties": {"b": {}, "a": {}}}
    assert one == other
    for prepare in (pack_json, dict):
        keys = {document_key(replace(KEYED, input_schema=prepare(s))) for s in (one, other)}
        assert len(keys) == 2


def test_a_schema_that_is_no_json_has_a_key_all_the_same() -> None:
    for odd in (math.nan, object):
        assert document_key(replace(KEYED, input_schema={"default": odd}))


pairs = st.tuples(*[st.text(st.sampled_from("a1:2é\ud800"), max_size=4)] * 4)


@given(pairs, pairs)
def test_what_ends_one_text_and_begins_the_next_counts(
    one: tuple[str, ...], other: tuple[str, ...]
) -> None:
    def key(texts: tuple[str, ...]) -> str:
        namespace, category, description, scenario = texts
        return document_key(
            replace(
                KEYED,
                namespace=SourceName(namespace),
                category=category,
                description=description,
                input_examples=(ToolExample(scenario=scenario, input={}),),
            )
        )

    assert (key(one) == key(other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"), [(("ab", "c"), ("a", "bc")), (("1:a", ""), ("1", ":a")), (("a",), ("a", ""))]
)
def test_scenarios_cut_elsewhere_are_others(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    def key(scenarios: tuple[str, ...]) -> str:
        examples = tuple(ToolExample(scenario=text, input={}) for text in scenarios)
        return document_key(replace(KEYED, input_examples=examples))

    assert key(one) != key(other)


def with_meanings(snapshot: Snapshot, derived: Derived | None) -> HybridIndex:
    return HybridIndex.of(snapshot, vectors=load_vectors(), derived=derived)


def with_words(snapshot: Snapshot, derived: Derived | None) -> LexicalIndex:
    return LexicalIndex.of(snapshot, derived=derived)


MAKES = pytest.mark.parametrize("make", [with_meanings, with_words])


@pytest.mark.promise("discovery.derived")
@MAKES
def test_an_index_made_of_parts_answers_as_one_made_without(make: Make) -> None:
    snapshot = build_snapshot(OFFICE)
    first = Derived(save=keep_nowhere)
    make(snapshot, first)
    again = Derived(parts=first.parts, save=keep_nowhere)
    index, fresh = make(snapshot, again), make(snapshot, None)

    assert len(again.parts) == len(OFFICE)
    assert again.parts == first.parts
    for query in QUERIES:
        assert index.search(query, limit=9) == fresh.search(query, limit=9)
    assert index.search("send_message", limit=1)


def two_snapshots() -> tuple[Snapshot, Snapshot]:
    """The same tools twice, without those of one source the second time."""
    catalog = build_catalog(OFFICE)
    first = catalog.snapshot
    catalog.source_changed(first.sources[SourceName("sky")], [])
    return first, catalog.snapshot


@MAKES
def test_an_index_made_of_parts_moves_on_as_one_made_without(make: Make) -> None:
    snapshot, later = two_snapshots()
    first = Derived(save=keep_nowhere)
    make(snapshot, first)
    index = make(snapshot, Derived(parts=first.parts)).updated(later)
    fresh = make(snapshot, None).updated(later)
    assert len(index) == len(OFFICE) - 1
    for query in QUERIES:
        assert index.search(query, limit=9) == fresh.search(query, limit=9)


def test_known_parts_are_taken_as_they_are_and_no_other_tools() -> None:
    forecast, convert = completed(build_snapshot(OFFICE[2:4]))
    odd = document_of([("unheard", 1.0, 1, 1.0)])
    known = {document_key(forecast): pack_document(odd), "0" * 64: b"unused"}
    derived = Derived(parts=known, save=keep_nowhere)
    documents = read_documents([convert, forecast], derived)
    assert read(documents[0]) == read(build(convert))
    assert read(documents[1]) == read(odd)
    assert list(derived.parts) == [document_key(convert), document_key(forecast)]


@pytest.mark.promise("discovery.harmless")
@pytest.mark.parametrize("damage", [b"", b"\0", b"\xff" * 40])
def test_a_damaged_part_is_made_anew(damage: bytes) -> None:
    definitions = completed(build_snapshot(OFFICE))
    first = Derived(save=keep_nowhere)
    read_documents(definitions, first)
    damaged = {**first.parts, document_key(definitions[0]): damage}
    again = Derived(parts=damaged, save=keep_nowhere)
    documents = read_documents(definitions, again)
    assert list(map(read, documents)) == [read(build(definition)) for definition in definitions]
    assert again.parts == first.parts


async def test_parts_are_kept_and_forgotten_with_the_first_index() -> None:
    kept: list[dict[str, bytes]] = []

    async def save(derived: Derived) -> None:
        kept.append(dict(derived.parts))

    holder, snapshot = IndexHolder(Derived(save=save)), build_snapshot(OFFICE)
    await holder.index_for(snapshot)
    assert len(kept[0]) == len(OFFICE)
    await holder.index_for(replace(build_snapshot(OFFICE[:2]), version=snapshot.version + 1))
    assert len(kept) == 1


@pytest.mark.promise("discovery.harmless")
@MAKES
def test_a_part_of_other_words_does_not_stop_an_index_from_moving_on(make: Make) -> None:
    snapshot, later = two_snapshots()
    odd = pack_document(document_of([("unheard", 1.0, 1, 1.0)]))
    parts = {document_key(definition): odd for definition in completed(snapshot)}
    index = make(snapshot, Derived(parts=parts, save=keep_nowhere)).updated(later)
    assert len(index) == len(OFFICE) - 1
    assert {hit.qualified for hit in index.search("unheard", limit=9)} <= later.tools.keys()


@pytest.mark.promise("discovery.harmless")
@pytest.mark.parametrize("odd", [-1.0, 1e7, math.inf, math.nan])
def test_numbers_that_no_tool_has_are_not_taken(odd: float) -> None:
    assert unpack_document(pack_document(document_of([("a", odd, 1, 1.0)]))) is None
    assert unpack_document(pack_document(document_of([("a", 1.0, 1, odd)]))) is None


@pytest.mark.promise("discovery.harmless")
def test_a_word_that_stands_twice_is_not_taken() -> None:
    assert unpack_document(pack_document(document_of([("a", 1.0, 1, 1.0)] * 2))) is None
