"""What a search tells beside its hits: weak answers, categories, why a tool stands there."""

from dataclasses import replace
from typing import Any

import pytest
from tests.programs.fakes import make_tool
from tests.toolbox.searching import open_searching

from toolweft.core.errors import AmbiguousTool, InvalidArguments, ToolNotFound
from toolweft.core.search import SearchHit, SearchResult
from toolweft.core.snapshot import CatalogTool
from toolweft.toolbox.finding import build_search_answer
from toolweft.toolbox.render import render_search
from toolweft.toolbox.render_placement import render_hit, render_placement


def categorized(tool: CatalogTool, category: str) -> CatalogTool:
    return replace(tool, definition=replace(tool.definition, category=category))


ISSUES = make_tool("github.list_issues", description="List open issues of a repository")
HOTEL = make_tool("trips.book_hotel", description="Reserve a room in a hotel")
FORECAST = categorized(make_tool("sky.forecast", description="Weather forecast"), "Weather")
RAIN = categorized(make_tool("sky.rain", description="Rain of the last day"), "weather")
MAIL = categorized(make_tool("mail.send", description="Send mail"), "Office Work")
SECRET = categorized(
    make_tool("vault.forecast", description="Secret forecast", callers=frozenset()), "Hidden"
)
DESK = (ISSUES, HOTEL, FORECAST, RAIN, MAIL, SECRET)
MISFIT = "melt the last gold bar and cast jewelry"


# ------------------------------------------------------------------------------------ weak answers


@pytest.mark.promise("search.weak")
async def test_a_weak_answer_says_so_in_one_line_and_withholds_nothing() -> None:
    async with open_searching(*DESK) as (box, _):
        answer = await box.search(MISFIT)
        reply = await box.invoke("search_tools", {"queries": MISFIT})
    (found,) = answer.queries
    assert found.is_weak
    assert [hit.qualified for hit in found.hits] == ["sky.rain"]
    lines = reply.text.splitlines()
    assert "async def rain(" in reply.text
    assert lines[-1].startswith("[none of these fits well; ")
    assert lines[-1].endswith("; sources: sky 2, github 1, mail 1, trips 1]")
    assert sum("fits well" in line for line in lines) == 1
    assert not reply.is_error


@pytest.mark.promise("learning.verdict")
@pytest.mark.parametrize("is_weak", [False, True])
async def test_a_tool_that_use_put_first_changes_nothing_in_whether_an_answer_is_weak(
    is_weak: bool,
) -> None:
    async with open_searching(*DESK) as (_, world):
        snapshot = world.holder.snapshot
    raised = SearchHit(qualified=RAIN.qualified, score=2.0, is_weak=not is_weak, uses=9)
    passed = SearchHit(qualified=FORECAST.qualified, score=1.0, is_weak=is_weak)
    result = SearchResult(hits=(raised, passed), is_weak=is_weak, suggestions=("city",))
    answer = build_search_answer(["x"], [result], snapshot=snapshot, detail="brief")
    (found,) = answer.queries
    assert (found.is_weak, bool(found.note), bool(found.suggestions), bool(answer.sources)) == (
        (is_weak,) * 4
    )


async def test_a_good_answer_says_nothing_more() -> None:
    async with open_searching(*DESK) as (box, _):
        answer = await box.search("weather forecast")
    (found,) = answer.queries
    assert (found.is_weak, found.note, found.suggestions, answer.sources) == (False, "", (), "")
    assert render_search(answer).endswith('"""Rain of the last day"""')


async def test_where_nothing_fits_other_words_and_sources_are_named() -> None:
    async with open_searching(*DESK) as (box, _):
        reply = await box.invoke("search_tools", {"queries": ["isue"]})
        answer = await box.search("isue")
    assert reply.text == (
        "no tool fits 'isue'; other words: issues; sources: sky 2, github 1, mail 1, trips 1"
    )
    assert answer.to_dict()["queries"][0] == {
        "query": "isue",
        "hits": [],
        "is_weak": True,
        "note": "no tool fits 'isue'; other words: issues",
        "suggestions": ["issues"],
        "degraded": "",
    }


async def test_the_sources_are_named_once_and_at_most_twelve() -> None:
    many = [make_tool(f"s{n:02}.t{n}") for n in range(20)]
    async with open_searching(*many) as (box, _):
        reply = await box.invoke("search_tools", {"queries": ["zzzz", "yyyy"]})
    assert reply.text.count("sources: ") == 1
    assert "s11 1, 8 more with 8 tools" in reply.text


async def test_what_could_not_be_used_is_said_in_one_line() -> None:
    async with open_searching(ISSUES) as (_, world):
        snapshot = world.holder.snapshot
    hit = SearchHit(qualified=ISSUES.qualified, score=1.0)
    result = SearchResult(hits=(hit,), degraded="the embedder does not answer")
    answer = build_search_answer(["x"], [result], snapshot=snapshot, detail="brief")
    assert render_search(answer).splitlines()[-1] == "[degraded: the embedder does not answer]"
    assert answer.to_dict()["queries"][0]["degraded"] == "the embedder does not answer"


# -------------------------------------------------------------------------------------- categories


@pytest.mark.parametrize("spelled", ["weather", "WEATHER", " Weather "])
async def test_a_search_may_keep_to_one_category_in_any_case(spelled: str) -> None:
    async with open_searching(*DESK) as (box, _):
        answer = await box.search("send the forecast of rain by mail", category=spelled)
        both = await box.search("forecast", category=spelled, namespace="sky")
    assert {hit.qualified for hit in answer.queries[0].hits} == {"sky.forecast", "sky.rain"}
    assert both.queries[0].hits[0].qualified == "sky.forecast"


async def test_an_unknown_category_offers_near_ones_or_all_that_may_be_seen() -> None:
    async with open_searching(*DESK) as (box, _):
        near = await box.invoke("search_tools", {"queries": "x", "category": "wether"})
        far = await box.invoke("search_tools", {"queries": "x", "category": "zzz"})
        hidden = await box.invoke("search_tools", {"queries": "x", "category": "hidden"})
        with pytest.raises(InvalidArguments, match="of the category 'weather'"):
            await box.search("x", category="weather", namespace="mail")
    assert near.text == (
        "invalid_arguments: no tool is of the category 'wether'\nhint: did you mean Weather?"
    )
    assert far.text.endswith("hint: there are Weather, Office Work")
    assert "Hidden" not in hidden.text
    assert far.is_error


async def test_where_no_tool_has_a_category_the_hint_says_so() -> None:
    async with open_searching(ISSUES) as (box, _):
        with pytest.raises(InvalidArguments) as caught:
            await box.search("x", category="x" * 100_000)
    assert caught.value.hint == "no tool has one: leave category out"
    assert len(caught.value.message) < 300


# ------------------------------------------------------------------------------------ explanations


async def test_each_hit_says_why_it_was_found_only_when_asked() -> None:
    async with open_searching(*DESK) as (box, _):
        plain = await box.search("weather forecast")
        told = await box.search("weather forecast", explain=True)
    assert set(plain.queries[0].hits[0].to_dict()) == {
        *("name", "signature", "severity", "status", "score")
    }
    first = told.queries[0].hits[0].to_dict()
    assert first["matched"] == ["name", "category", "description"]
    assert first["confidence"] > 0.5
    assert sum(first["parts"].values()) == pytest.approx(first["score"], abs=5e-4)
    lines = render_search(told).splitlines()
    assert [line for line in lines if "confidence" not in line] == render_search(plain).splitlines()
    assert "; matched name, category, description; confidence " in lines[0]


def test_the_line_of_a_hit_holds_all_that_it_is_the_sum_of() -> None:
    hit: dict[str, Any] = {
        "qualified": ISSUES.qualified,
        "score": 1.32,
        "matched": ("name", "description"),
        "confidence": 0.71,
        "parts": {"words": 0.5, "meaning": 0.42, "use": 0.4},
    }
    assert render_hit(SearchHit(**hit)) == (
        "# 1.32: words 0.50, meaning 0.42, use 0.40; matched name, description; confidence 0.71"
    )
    used = render_hit(SearchHit(**hit, uses=3, is_weak=True))
    assert used.endswith("confidence 0.71 (weak); raised by 3 earlier uses for like queries")


async def test_a_tool_behind_another_is_told_what_to_change() -> None:
    async with open_searching(*DESK) as (box, _):
        placement = await box.explain_rank("weather forecast for my trip", "rain")
    text = render_placement(placement)
    assert text.startswith("sky.rain stands at 2, of 5 tools\n")
    assert "\nfirst is sky.forecast\n" in text
    assert "word 'weather', in 2 tools: category" in text
    assert "word 'trip', in 1 tool: not" in text
    assert "- 'forecast' does not stand in it; 'weather', which means nearly the same, does" in text
    assert "to stand higher: put 'forecast' and 'trip' into its description" in text


async def test_what_nobody_may_call_is_explained_as_not_visible() -> None:
    async with open_searching(*DESK) as (box, _):
        placement = await box.explain_rank("secret forecast", "vault.forecast")
    assert placement.reasons == ("not visible to you",)
    assert render_placement(placement).startswith("vault.forecast is not found, of 5 tools")


async def test_an_explanation_needs_a_query_and_one_tool() -> None:
    async with open_searching(*DESK) as (box, _):
        with pytest.raises(InvalidArguments):
            await box.explain_rank(" ", "rain")
        with pytest.raises(ToolNotFound):
            await box.explain_rank("rain", "nope")
        with pytest.raises(AmbiguousTool):
            await box.explain_rank("rain", "forecast")
