"""Why a tool stands where it does for a query."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolweft.core.ids import QualifiedName
from toolweft.core.search import Placement
from toolweft.core.snapshot import Snapshot
from toolweft.search import CatalogSearcher
from toolweft.search.hybrid import HybridIndex
from toolweft.search.lexical import LexicalIndex
from toolweft.search.placement import explain_rank
from toolweft.search.vectors import load_vectors
from toolweft.search.views import ViewedIndex
from toolweft.testing import build_definition, build_snapshot

OFFICE = build_snapshot(
    [
        build_definition("billing.pay", description="Pay an invoice of a supplier"),
        build_definition("billing.remind", description="Remind a client that money is due"),
        build_definition(
            "crm.note", description="Write something down for later. Also on an invoice."
        ),
        build_definition("sky.get_forecast", description="Weather forecast of a city"),
        build_definition("odd.q7"),
    ]
)
QUERY = "settle the invoice of a supplier"


def build_hybrid(snapshot: Snapshot) -> HybridIndex:
    return HybridIndex.of(snapshot, vectors=load_vectors())


Builder = Callable[[Snapshot], ViewedIndex]


@pytest.fixture(scope="module", params=[LexicalIndex.of, build_hybrid], ids=["words", "meanings"])
def build_index(request: pytest.FixtureRequest) -> Builder:
    builder: Builder = request.param
    return builder


def place(
    index: ViewedIndex, query: str, tool: str, *, snapshot: Snapshot = OFFICE, visible: Any = None
) -> Placement:
    return explain_rank(index, query, snapshot.tools[QualifiedName(tool)], visible=visible)


def test_the_first_tool_has_nothing_to_change(build_index: Builder) -> None:
    placement = place(build_index(OFFICE), "pay an invoice", "billing.pay")
    assert (placement.rank, placement.count, placement.advice) == (1, 5, ())
    assert placement.reasons[0] == "nothing fits better"
    assert placement.hit == placement.first
    assert [(word.word, word.fields[0]) for word in placement.words] == [
        ("pay", "name"),
        ("invoice", "description"),
    ]


def test_a_missing_word_is_named_with_the_tool_that_has_it(build_index: Builder) -> None:
    placement = place(build_index(OFFICE), QUERY, "sky.get_forecast")
    assert placement.first is not None
    assert placement.first.qualified == "billing.pay"
    assert "no word of the query stands in it" in placement.reasons
    assert "'invoice' does not stand in it; it does in billing.pay" in placement.reasons
    assert any("'settle' stands in no tool" in reason for reason in placement.reasons)
    assert "'invoice'" in placement.advice[0]
    assert placement.advice[0].endswith("into its description")


def test_a_word_at_the_end_of_a_text_is_told_to_move_to_its_front(build_index: Builder) -> None:
    placement = place(build_index(OFFICE), QUERY, "crm.note")
    assert placement.rank is not None
    assert placement.rank > 1
    assert placement.advice[-1] == (
        "put 'invoice' into its name or the first sentence of its description"
    )


def test_a_tool_without_description_is_told_to_get_one(build_index: Builder) -> None:
    assert place(build_index(OFFICE), QUERY, "odd.q7").advice[0].startswith("give it a description")


def test_a_neighbour_that_stands_in_the_tool_is_named() -> None:
    (word,) = place(build_hybrid(OFFICE), "rain", "sky.get_forecast").words
    assert (word.fields, word.holders) == ((), 0)
    assert word.near in {"weather", "forecast"}


def test_a_tool_that_is_not_visible_is_told_so_and_no_more(build_index: Builder) -> None:
    visible = frozenset(OFFICE.tools) - {QualifiedName("billing.pay")}
    placement = place(build_index(OFFICE), QUERY, "billing.pay", visible=visible)
    assert placement.reasons == ("not visible to you",)
    assert (placement.rank, placement.hit, placement.words, placement.count) == (None, None, (), 4)


def test_a_disabled_tool_says_why(build_index: Builder) -> None:
    name = QualifiedName("billing.pay")
    broken = replace(OFFICE.tools[name], status="disabled", status_reason="its schema is no object")
    snapshot = replace(OFFICE, tools={**OFFICE.tools, name: broken})
    placement = place(build_index(snapshot), QUERY, name, snapshot=snapshot)
    assert placement.reasons == ("disabled: its schema is no object",)
    assert placement.rank is None


def test_a_tool_asked_for_by_its_name_says_so(build_index: Builder) -> None:
    index = build_index(OFFICE)
    exact = place(index, "get_forecast", "sky.get_forecast")
    begun = place(index, "get_fore", "sky.get_forecast")
    assert "its name is the query" in exact.reasons
    assert "its name begins with the query" in begun.reasons
    assert exact.hit is not None
    assert exact.hit.parts["name"] > exact.hit.score / 2


def test_a_tool_far_behind_has_its_exact_place() -> None:
    many = [
        build_definition(f"s.t{i:04}", description=f"list {'room ' * (i % 40)}{'x ' * (i % 7)}")
        for i in range(600)
    ]
    snapshot = build_snapshot(many)
    for builder in (LexicalIndex.of, build_hybrid):
        index = builder(snapshot)
        ranks = {place(index, "list room", t, snapshot=snapshot).rank for t in snapshot.tools}
        assert ranks == set(range(1, 601))


@pytest.mark.parametrize("query", ["", "\x00", "🙂", "(a+)+$", "天气", "\ud800", "pay " * 50_000])
def test_no_query_hurts(build_index: Builder, query: str) -> None:
    placement = place(build_index(OFFICE), query, "billing.pay")
    assert placement.count == 5
    assert placement.reasons


async def test_the_searcher_explains_the_order_it_answers_in() -> None:
    searcher = CatalogSearcher()
    (found,) = await searcher.search([QUERY], snapshot=OFFICE, limit=5, visible=None, tenant="t")
    for rank, hit in enumerate(found.hits, 1):
        placement = await searcher.explain_rank(
            QUERY, tool=hit.qualified, snapshot=OFFICE, visible=None, tenant="t"
        )
        assert (placement.rank, placement.hit) == (rank, hit)
        assert placement.to_dict()["rank"] == rank


# --------------------------------------------------------------------------- properties

words = st.sampled_from(["pay", "invoice", "room", "list", "delete", "mail", "rain", "天气", "s"])
texts = st.lists(words, max_size=5).map(" ".join)
catalogs = st.dictionaries(
    st.sampled_from([f"s{i % 3}.{name}" for i in range(3) for name in ("pay", "go", "z")]),
    texts,
    min_size=1,
    max_size=8,
)


def built(described: dict[str, str]) -> Snapshot:
    return build_snapshot([build_definition(n, description=d) for n, d in described.items()])


@settings(deadline=None)
@given(catalogs, texts)
def test_the_parts_of_a_hit_add_up_to_its_score(
    build_index: Builder, described: dict[str, str], query: str
) -> None:
    for hit in build_index(built(described)).search(query, limit=10):
        assert sum(hit.parts.values()) == pytest.approx(hit.score, abs=5e-4)
        assert hit.parts.keys() <= {"words", "meaning", "clauses", "cover", "kin", "name"}


@settings(deadline=None)
@given(catalogs, texts)
def test_a_place_is_that_of_the_search(
    build_index: Builder, described: dict[str, str], query: str
) -> None:
    snapshot = built(described)
    index = build_index(snapshot)
    order = [hit.qualified for hit in index.search(query, limit=100)]
    for name in snapshot.tools:
        placement = place(index, query, name, snapshot=snapshot)
        assert placement.rank == (order.index(name) + 1 if name in order else None)


@settings(deadline=None)
@given(catalogs, texts)
def test_invisible_tools_change_no_explanation(
    build_index: Builder, described: dict[str, str], query: str
) -> None:
    snapshot = built(described)
    shown = dict(list(snapshot.tools.items())[::2])
    alone = replace(snapshot, tools=shown)
    for name in shown:
        expected = place(build_index(alone), query, name, snapshot=alone)
        index = build_index(snapshot)
        visible = frozenset(shown)
        assert place(index, query, name, snapshot=snapshot, visible=visible) == expected
