"""Other words for a query that found nothing good."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolweft.core.ids import QualifiedName
from toolweft.core.search import SearchResult
from toolweft.core.snapshot import Snapshot
from toolweft.search import CatalogSearcher
from toolweft.search.hybrid import HybridIndex
from toolweft.search.lexical import LexicalIndex
from toolweft.search.suggestions import suggest_words
from toolweft.search.vectors import load_vectors
from toolweft.search.views import ViewedIndex
from toolweft.search.words import query_words
from toolweft.testing import build_definition, build_snapshot

OFFICE = (
    build_definition("github.list_issues", description="List open issues of a repository"),
    build_definition("mail.delete_message", description="Delete an e-mail message for good"),
    build_definition("sky.get_forecast", description="Weather forecast of a city"),
    build_definition("trips.book_hotel", description="Reserve a room in a hotel"),
    build_definition(
        "crm.addCustomer", description="New record", parameters={"telephoneNumber": {}}
    ),
)
ALL = build_snapshot(OFFICE)


def build_hybrid(snapshot: Snapshot) -> HybridIndex:
    return HybridIndex.of(snapshot, vectors=load_vectors())


@pytest.fixture(scope="module", params=[LexicalIndex.of, build_hybrid], ids=["words", "meanings"])
def build_index(request: pytest.FixtureRequest) -> Callable[[Snapshot], ViewedIndex]:
    builder: Callable[[Snapshot], ViewedIndex] = request.param
    return builder


def suggest(
    index: ViewedIndex, query: str, visible: frozenset[QualifiedName] | None = None
) -> tuple[str, ...]:
    return suggest_words(query, index.view(visible), index.near_tools(query, visible=visible))


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ("isue", "issues"),
        ("forcast", "forecast"),
        ("hotle", "hotel"),
        ("telephonee", "telephone"),
        ("messsage", "message"),
        ("open isuse please", "issues"),
    ],
)
def test_a_slip_of_one_letter_is_put_right_first(
    build_index: Callable[[Snapshot], ViewedIndex], query: str, word: str
) -> None:
    assert suggest(build_index(ALL), query)[0] == word


def test_words_of_like_meaning_that_tools_hold_are_suggested() -> None:
    assert "hotel" in suggest(build_hybrid(ALL), "lodging")
    assert "delete" in suggest(build_hybrid(ALL), "erase")


def test_without_vectors_names_that_begin_and_look_alike_are_suggested() -> None:
    assert "forecast" in suggest(LexicalIndex.of(ALL), "forecasdters")


@pytest.mark.parametrize(
    "query", ["", "the", "\x00", "🙂", "(a+)+$", "天气", "\ud800", "x" * 100_000, "isue " * 30_000]
)
def test_no_query_hurts(build_index: Callable[[Snapshot], ViewedIndex], query: str) -> None:
    assert len(suggest(build_index(ALL), query)) <= 6


def test_what_is_numbers_or_has_no_whole_spelling_is_not_suggested(
    build_index: Callable[[Snapshot], ViewedIndex],
) -> None:
    index = build_index(build_snapshot([build_definition("a.b2024", description="天气预报")]))
    assert suggest(index, "2025") == ()


async def answer(query: str) -> SearchResult:
    (result,) = await CatalogSearcher().search(
        [query], snapshot=ALL, limit=5, visible=None, tenant="t"
    )
    return result


async def test_weak_answers_and_empty_ones_suggest_and_good_ones_do_not() -> None:
    empty = await answer("isue")
    assert (empty.hits, empty.suggestions[0]) == ((), "issues")
    good = await answer("weather forecast of a city")
    assert not good.hits[0].is_weak
    assert good.suggestions == ()


# --------------------------------------------------------------------------- properties

VOCABULARY = (
    *("invoice", "issue", "hotel", "weather", "delete", "message", "booking", "room", "forecast"),
    *("erase", "lodging", "rain", "billing", "isue", "hotle", "mesage", "sendMail", "天气"),
)
words = st.sampled_from(VOCABULARY)
texts = st.lists(words, max_size=5).map(" ".join)
catalogs = st.dictionaries(
    st.sampled_from([f"s{i % 3}.{name}" for i in range(4) for name in ("go", "room", "erase")]),
    texts,
    min_size=2,
    max_size=8,
)


@pytest.mark.promise("search.suggestions-visible")
@settings(deadline=None)
@given(catalogs, texts)
def test_invisible_tools_change_no_suggestion(
    build_index: Callable[[Snapshot], ViewedIndex], described: dict[str, str], query: str
) -> None:
    snapshot = build_snapshot([build_definition(n, description=d) for n, d in described.items()])
    shown = dict(list(snapshot.tools.items())[::2])
    alone = suggest(build_index(replace(snapshot, tools=shown)), query)
    assert suggest(build_index(snapshot), query, frozenset(shown)) == alone


@settings(deadline=None)
@given(catalogs, texts)
def test_every_suggestion_is_a_whole_new_word_of_a_tool(
    build_index: Callable[[Snapshot], ViewedIndex], described: dict[str, str], query: str
) -> None:
    snapshot = build_snapshot([build_definition(n, description=d) for n, d in described.items()])
    suggested = suggest(build_index(snapshot), query)
    text = " ".join(f"{name} {words}" for name, words in described.items()).lower()
    assert len(set(suggested)) == len(suggested) <= 6
    assert all(word in text for word in suggested)
    assert not set(query_words(query)) & set(query_words(" ".join(suggested)))
