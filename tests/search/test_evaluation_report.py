"""What an evaluation says: figures, look-alikes, and what to change."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolweft.core.ids import QualifiedName
from toolweft.core.tools import ToolDefinition
from toolweft.search.evaluation import Evaluation, Query, ToolFinding, derive_queries, evaluate
from toolweft.search.evaluation.duplicates import NearDuplicate, find_duplicates
from toolweft.search.lexical import LexicalIndex
from toolweft.testing import build_definition, build_snapshot

TEXT = {"type": "string", "description": "Which one"}
OFFICE = (
    build_definition("billing.create", description="Make a bill for work", parameters={"to": TEXT}),
    build_definition("mail.send", description="Send an invoice or letter by mail"),
    build_definition("sky.forecast", description="Weather of the next days at a place"),
)


def given_query(text: str, *tools: str) -> Query:
    return Query(text=text, tools=tuple(map(QualifiedName, tools)))


def run(
    definitions: Iterable[ToolDefinition],
    queries: Sequence[Query] | None = None,
    *,
    visible: Sequence[str] | None = None,
) -> Evaluation:
    snapshot = build_snapshot(definitions)
    return evaluate(
        list(derive_queries(snapshot.tools.values())) if queries is None else queries,
        index=LexicalIndex.of(snapshot),
        snapshot=snapshot,
        judged=sorted(snapshot.tools),
        visible=None if visible is None else frozenset(map(QualifiedName, visible)),
    )


def finding_of(found: Evaluation, tool: str) -> ToolFinding:
    [finding] = [finding for finding in found.findings if finding.tool == tool]
    return finding


def advice_of(found: Evaluation, tool: str) -> dict[str, str]:
    return {advice.code: advice.text for advice in finding_of(found, tool).advice}


def test_figures_stand_by_kind_of_query_and_for_all() -> None:
    found = run(OFFICE)
    assert list(found.means) == ["topic", "sentence"]
    assert found.overall.queries == sum(means.queries for means in found.means.values()) == 6
    assert found.overall.recall_10 == 100
    assert (found.tools, found.judged_tools) == (3, 3)


@pytest.mark.promise("search.evaluation")
def test_a_missed_request_says_which_of_its_words_the_tool_lacks() -> None:
    queries = [
        given_query("write an invoice for the garden job", "billing.create"),
        given_query("new invoice please", "billing.create"),
    ]
    found = run(OFFICE, queries)
    finding = finding_of(found, "billing.create")
    assert finding.is_undiscoverable
    assert finding.ndcg_10 == 0
    text = advice_of(found, "billing.create")["missing_words"]
    # Both requests use it, and it leads to the tool that came instead.
    assert text.startswith("2 requests use 'invoice', ")
    assert text.endswith("which neither name nor description of billing.create holds")


def test_a_request_that_is_met_needs_no_advice_about_words() -> None:
    found = run(OFFICE, [given_query("a bill for Tom", "billing.create")])
    assert found.overall.ndcg_10 == 100
    assert "billing.create" not in {finding.tool for finding in found.findings if finding.missed}


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        (build_definition("x.q7"), "no_description"),
        (build_definition("x.q7", description="Runs it"), "short_description"),
        (
            build_definition(
                "x.q7",
                description="Look a customer up by number",
                parameters={"number": {"type": "string"}},
            ),
            "undescribed_parameters",
        ),
    ],
)
def test_a_text_that_says_too_little_is_named(definition: ToolDefinition, code: str) -> None:
    assert list(advice_of(run([*OFFICE, definition]), "x.q7")) == [code]


def test_a_full_text_in_a_script_without_spaces_is_not_too_short() -> None:
    tool = build_definition("x.q7", description="查询城市天气预报")
    assert "x.q7" not in {finding.tool for finding in run([*OFFICE, tool]).findings}


def test_a_tool_without_words_of_its_own_cannot_be_asked_for() -> None:
    finding = finding_of(run([*OFFICE, build_definition("x.zap")]), "x.zap")
    assert finding.is_undiscoverable
    assert finding.ndcg_10 is None


def test_a_tool_that_no_request_is_for_is_not_called_undiscoverable() -> None:
    found = run([*OFFICE, *TWINS], [given_query("weather", "sky.forecast")])
    assert not any(finding.is_undiscoverable for finding in found.findings)


def test_a_tool_that_nobody_may_call_is_said_to_be_hidden() -> None:
    queries = [given_query("weather", "sky.forecast")]
    found = run(OFFICE, queries, visible=["mail.send", "billing.create"])
    assert "not_callable" in advice_of(found, "sky.forecast")
    assert finding_of(found, "sky.forecast").is_undiscoverable


def test_tools_crowded_out_by_likes_are_undiscoverable_and_come_first() -> None:
    crowd = [
        build_definition(f"s{number}.get", description="List the open orders of a customer")
        for number in range(12)
    ]
    found = run([*crowd, *OFFICE])
    hidden = [finding.tool for finding in found.findings if finding.is_undiscoverable]
    # Equal scores stand in name order, and ten are looked at.
    assert hidden == ["s8.get", "s9.get"] == [finding.tool for finding in found.findings[:2]]
    assert "crowded_out" in advice_of(found, hidden[0])


# -------------------------------------------------------------------------------- look-alikes

TWINS = (
    build_definition("one.convert", description="Convert an amount from one currency to another"),
    build_definition("two.convert", description="Convert an amount from one currency to another"),
)
BLOCKS = (
    build_definition("wiki.get_block", description="Get one block of a page by its id"),
    build_definition("wiki.delete_block", description="Delete one block of a page by its id"),
)


def pairs_of(definitions: Iterable[ToolDefinition]) -> list[NearDuplicate]:
    return find_duplicates(list(build_snapshot(definitions).tools.values()))


def test_two_tools_of_one_text_are_found_and_told_to_say_what_differs() -> None:
    [pair] = pairs_of([*OFFICE, *TWINS])
    assert (pair.first, pair.second) == ("one.convert", "two.convert")
    assert pair.words > 0.85
    assert not pair.is_told_by_name
    advice = advice_of(run([*OFFICE, *TWINS]), "two.convert")
    assert "one.convert" in advice["same_words"]


def test_a_tool_whose_words_all_stand_in_another_is_told_so() -> None:
    longer = replace(TWINS[0], name="convert_all", description=f"{TWINS[0].description} quickly")
    shorter = replace(TWINS[0], name="convert")
    advice = advice_of(run([*OFFICE, longer, shorter]), "one.convert")
    assert advice["same_words"] == "shares all its words with one.convert_all: say what differs"


def test_tools_whose_names_tell_them_apart_need_no_advice() -> None:
    found = run([*OFFICE, *BLOCKS])
    assert all(pair.is_told_by_name for pair in found.duplicates)
    assert not any(
        advice.code == "same_words" for finding in found.findings for advice in finding.advice
    )


def test_tools_for_different_things_are_no_duplicates() -> None:
    assert pairs_of(OFFICE) == []


WORDS = st.sampled_from(["list", "get", "order", "customer", "page", "block", "mail", "send"])
DESCRIPTIONS = st.lists(st.lists(WORDS, min_size=1, max_size=6).map(" ".join), max_size=12)


@settings(max_examples=60)
@given(DESCRIPTIONS)
def test_every_tool_pair_is_compared_once_and_equal_texts_are_all_found(
    descriptions: list[str],
) -> None:
    definitions = [
        build_definition(f"s{number}.run", description=text)
        for number, text in enumerate(descriptions)
    ]
    found = pairs_of(definitions)
    names = [(pair.first, pair.second) for pair in found]
    assert len({frozenset(pair) for pair in names}) == len(names)
    assert [pair.words for pair in found] == sorted((p.words for p in found), reverse=True)
    assert all(0 < pair.words <= 1 for pair in found)
    equal = [n for n, text in enumerate(descriptions) if descriptions.count(text) > 1]
    assert {f"s{number}.run" for number in equal} <= {name for pair in names for name in pair}


def test_many_tools_of_one_text_stay_bounded() -> None:
    same = [build_definition(f"s{n}.run", description="Do the usual thing") for n in range(400)]
    assert len(pairs_of(same)) == 1_000
