"""What meaning adds to words, and what it must not take away."""

from collections.abc import Iterator
from dataclasses import replace
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolweft.core.ids import QualifiedName
from toolweft.core.snapshot import Snapshot
from toolweft.core.tools import ToolDefinition
from toolweft.search.hybrid import HybridIndex
from toolweft.search.lexical import LexicalIndex
from toolweft.search.vectors import load_vectors
from toolweft.testing import build_definition, build_snapshot

OFFICE = (
    build_definition("mail.delete_message", description="Delete an e-mail message for good"),
    build_definition("mail.send_message", description="Send an e-mail message to people"),
    build_definition("sky.get_forecast", description="Weather forecast of a city"),
    build_definition("bank.convert", description="Convert an amount from one currency to another"),
    build_definition("trips.book_hotel", description="Reserve a room in a hotel"),
    build_definition("shop.list_orders", description="Orders of a customer with their state"),
)


@pytest.fixture(scope="module")
def office() -> HybridIndex:
    return HybridIndex.of(build_snapshot(OFFICE), vectors=load_vectors())


@pytest.mark.parametrize(
    ("query", "tool"),
    [
        ("remove this mail", "mail.delete_message"),
        ("will it rain tomorrow", "sky.get_forecast"),
        ("exchange dollars into euros", "bank.convert"),
        ("accommodation for the night", "trips.book_hotel"),
        ("purchases of a client", "shop.list_orders"),
    ],
)
def test_other_words_for_the_same_need_find_the_tool(
    office: HybridIndex, query: str, tool: str
) -> None:
    assert office.search(query, limit=1)[0].qualified == tool


@pytest.mark.parametrize("tool", OFFICE, ids=lambda tool: tool.name)
def test_a_tools_own_text_finds_it_first(office: HybridIndex, tool: ToolDefinition) -> None:
    for query in (tool.description, tool.name.replace("_", " ")):
        assert office.search(query, limit=1)[0].qualified == f"{tool.namespace}.{tool.name}"


def test_of_two_alike_the_one_beside_another_that_fits_comes_first() -> None:
    tools = [
        build_definition("x1.list_orders", description="Orders of a customer"),
        build_definition("x2.list_orders", description="Orders of a customer"),
        build_definition("x2.refund", description="Give a payment back"),
    ]
    index = HybridIndex.of(build_snapshot(tools), vectors=load_vectors())

    def places(query: str) -> list[str]:
        order = [str(hit.qualified) for hit in index.search(query, limit=3)]
        return [name for name in order if name.endswith("list_orders")]

    assert places("orders of the customer") == ["x1.list_orders", "x2.list_orders"]
    query = "give the payment back, then show the orders of the customer"
    assert places(query) == ["x2.list_orders", "x1.list_orders"]


def test_a_hit_without_any_word_of_the_query_says_it_was_the_meaning(office: HybridIndex) -> None:
    hit = office.search("accommodation", limit=1)[0]
    assert hit.qualified == "trips.book_hotel"
    assert hit.matched == ("meaning",)


def test_a_request_for_two_things_finds_both(office: HybridIndex) -> None:
    query = "reserve a hotel room in Rome for me, and find out the weather forecast there"
    found = {hit.qualified for hit in office.search(query, limit=2)}
    assert found == {"trips.book_hotel", "sky.get_forecast"}


def test_a_request_of_a_foreign_field_is_weak(office: HybridIndex) -> None:
    hits = office.search("sequence the genome of a protein", limit=3)
    assert all(hit.is_weak for hit in hits)


def test_a_request_that_fits_is_not_weak(office: HybridIndex) -> None:
    first = office.search("weather forecast for the city", limit=1)[0]
    assert not first.is_weak
    assert first.confidence > 0.7


def test_a_tool_asked_for_by_name_is_certain(office: HybridIndex) -> None:
    assert office.search("book_hotel", limit=1)[0].confidence == 1.0


def test_the_beginning_of_a_name_is_likely(office: HybridIndex) -> None:
    hit = office.search("book_hot", limit=1)[0]
    assert hit.matched == ("name",)
    assert 0.7 <= hit.confidence < 1.0


CHINESE = (
    build_definition("a.one", description="查询城市天气预报"),
    build_definition("a.two", description="预订酒店房间"),
    build_definition("b.three", description="发送电子邮件"),
)


def test_one_character_of_a_chinese_word_finds_its_tool() -> None:
    index = HybridIndex.of(build_snapshot(CHINESE), vectors=load_vectors())
    assert index.search("帮我订一间房", limit=1)[0].qualified == "a.two"


def test_where_the_vocabulary_knows_nothing_words_alone_decide() -> None:
    snapshot = build_snapshot(CHINESE)
    index = HybridIndex.of(snapshot, vectors=load_vectors())
    words = LexicalIndex.of(snapshot)
    for query in ("天气预报", "我想预订酒店", "用Gmail给他发邮件", "无关的话"):
        order = [hit.qualified for hit in words.search(query, limit=5)]
        assert [hit.qualified for hit in index.search(query, limit=5)] == order


@pytest.mark.parametrize(
    "query",
    [
        "delete the message " * 50_000,
        "and then, also. " * 10_000,
        "weather\x00\x1b[31m\ud800 forecast 🙂",
        "(a+)+$ weather",
        "天气 weather " * 500,
        " ".join(f"word{i}" for i in range(5_000)),
    ],
)
def test_hostile_queries_are_bounded(office: HybridIndex, query: str) -> None:
    hits = office.search(query, limit=5)
    assert len(hits) <= 5
    assert all(0 <= hit.confidence <= 1 for hit in hits)


def test_no_tools_and_tools_without_text() -> None:
    vectors = load_vectors()
    assert HybridIndex.of(build_snapshot([]), vectors=vectors).search("weather", limit=3) == []
    bare = HybridIndex.of(build_snapshot([build_definition("x.q7")]), vectors=vectors)
    assert len(bare) == 1
    assert bare.search("the weather", limit=3) == []


def test_two_newer_indexes_of_one_older_do_not_disturb_each_other() -> None:
    vectors = load_vectors()
    first = build_snapshot(OFFICE[:3])
    index = HybridIndex.of(first, vectors=vectors).updated(_later(first, OFFICE[:4]))
    one = index.updated(_later(first, OFFICE[:5]))
    other = index.updated(_later(first, (*OFFICE[:4], OFFICE[5])))
    for updated, tools in ((one, OFFICE[:5]), (other, (*OFFICE[:4], OFFICE[5]))):
        fresh = HybridIndex.of(build_snapshot(tools), vectors=vectors)
        for query in ("accommodation", "purchases of a client", "exchange dollars"):
            assert updated.search(query, limit=9) == fresh.search(query, limit=9)


def test_the_parts_of_a_request_are_found_in_a_large_catalog() -> None:
    many = [build_definition(f"s{i % 9}.t{i}", description=f"List room {i}") for i in range(1_500)]
    index = HybridIndex.of(build_snapshot([*many, *OFFICE]), vectors=load_vectors())
    query = "show the weather forecast, and convert the amount into my currency"
    found = {hit.qualified for hit in index.search(query, limit=4)}
    assert {"sky.get_forecast", "bank.convert"} <= found


def test_more_clauses_than_are_told_apart(office: HybridIndex) -> None:
    query = ", ".join(f"{word} something else" for word in ("send", "delete", "book", "list") * 4)
    hits = office.search(query, limit=5)
    assert len(hits) >= 3


class CountedNames(frozenset[QualifiedName]):
    """Visible tools, and how often they were walked over."""

    walks = 0

    def __iter__(self) -> Iterator[QualifiedName]:
        self.walks += 1
        return super().__iter__()


def test_the_same_visible_tools_in_another_set_are_not_looked_at_again(office: HybridIndex) -> None:
    names = ("sky.get_forecast", "trips.book_hotel")
    first, again = (CountedNames(map(QualifiedName, names)) for _ in range(2))
    hits = office.search("weather", limit=5, visible=first)

    assert first.walks == 1
    assert office.search("weather", limit=5, visible=again) == hits
    assert again.walks == 0


def test_the_visible_tools_asked_for_last_stay_known_beside_many_others() -> None:
    definitions = [build_definition(f"many.tool_{n}", description="Weather") for n in range(60)]
    index = HybridIndex.of(build_snapshot(definitions), vectors=load_vectors())
    names = [QualifiedName(f"many.tool_{n}") for n in range(60)]
    kept = CountedNames(names[:2])
    for name in names[2:]:
        index.search("weather", limit=5, visible=kept)
        index.search("weather", limit=5, visible=frozenset([name]))

    assert kept.walks == 1


def test_more_catalogs_of_visible_tools_than_are_remembered(office: HybridIndex) -> None:
    for round_ in range(40):
        names = frozenset({QualifiedName("sky.get_forecast"), QualifiedName(f"no.tool{round_}")})
        hits = office.search("weather message", limit=5, visible=names)
        assert [hit.qualified for hit in hits] == ["sky.get_forecast"]


words = st.sampled_from(["delete", "remove", "weather", "mail", "hotel", "order", "list", "send"])
texts = st.lists(words, max_size=6).map(" ".join)
tools = st.dictionaries(st.sampled_from([f"s{i % 3}.t{i}" for i in range(12)]), texts, max_size=12)


@settings(max_examples=50)
@given(st.lists(tools, min_size=2, max_size=5), st.lists(texts, min_size=1, max_size=3))
def test_an_index_moved_on_answers_like_a_new_one(
    stages: list[dict[str, str]], queries: list[str]
) -> None:
    vectors = load_vectors()
    index = HybridIndex.of(build_snapshot([]), vectors=vectors)
    snapshot = build_snapshot([])
    for stage in stages:
        definitions = [build_definition(name, description=text) for name, text in stage.items()]
        snapshot = _later(snapshot, definitions)
        index = index.updated(snapshot)
        fresh = HybridIndex.of(snapshot, vectors=vectors)
        for query in queries:
            assert index.search(query, limit=20) == fresh.search(query, limit=20)


def _later(old: Snapshot, definitions: object) -> Snapshot:
    """A later snapshot in which tools that stayed are the same objects."""
    new = build_snapshot(definitions)  # type: ignore[arg-type]  # lists and tuples alike
    kept = {
        name: old.tools[name]
        if name in old.tools and old.tools[name].definition == tool.definition
        else tool
        for name, tool in new.tools.items()
    }
    return replace(new, version=old.version + 1, tools=MappingProxyType(kept))
