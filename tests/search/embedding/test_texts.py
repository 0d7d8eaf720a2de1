"""What an embedder reads of a tool."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.search.embedding.texts import build_text, split_batches, text_key
from toolweft.testing import build_definition


def test_names_are_words_and_parameters_are_named() -> None:
    definition = build_definition(
        "gitHub.listOpenIssues2",
        description="List  the issues\nof a repository.",
        parameters={"repoName": {"type": "string"}, "per_page": {"type": "integer"}},
    )
    assert build_text(definition) == (
        "list open issues 2\ngit hub\nList the issues of a repository.\n"
        "parameters: repo name, per page"
    )


def test_a_name_in_another_script_stays() -> None:
    assert build_text(build_definition("天气.查询")).startswith("查询\n天气")


def test_a_long_description_is_cut() -> None:
    definition = build_definition("a.b", description="word " * 100_000)
    assert len(build_text(definition)) <= 2_000


@pytest.mark.parametrize("properties", [[], None, "no"])
def test_a_strange_schema_is_no_reason_to_fail(properties: object) -> None:
    definition = replace(build_definition("a.b"), input_schema={"properties": properties})
    assert build_text(definition) == "b\na"


@given(st.text(), st.text())
def test_keys_are_equal_exactly_where_texts_are(one: str, other: str) -> None:
    assert (text_key(one) == text_key(other)) == (one == other)


def test_a_lone_surrogate_has_a_key() -> None:
    assert len(text_key("\ud800")) == 64


@given(st.lists(st.text(max_size=30)), st.integers(1, 5), st.integers(1, 50))
def test_batches_hold_every_text_in_order_within_both_bounds(
    texts: list[str], most: int, characters: int
) -> None:
    batches = list(split_batches(texts, most=most, characters=characters))
    assert [text for batch in batches for text in batch] == texts
    for batch in batches:
        assert 1 <= len(batch) <= most
        assert len(batch) == 1 or sum(map(len, batch)) <= characters
