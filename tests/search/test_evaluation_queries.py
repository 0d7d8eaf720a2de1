"""Queries: derived from tools, read from files, taken from use."""

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import ToolDefinition, ToolExample
from toolweft.search.documents import name_key
from toolweft.search.evaluation import (
    BadQueries,
    UsedQueries,
    choose_evenly,
    derive_queries,
    parse_queries,
    queries_of_use,
)
from toolweft.testing import build_definition, build_snapshot

MAIL = build_definition(
    "mail.sendMessage",
    description="Send an e-mail to one or more people. Attachments are given by id.",
)
BIN = build_definition("mail.delete", description="")
SNAPSHOT = build_snapshot([MAIL, BIN])


def derive(definition: ToolDefinition) -> dict[str, str]:
    tools: list[CatalogTool] = list(build_snapshot([definition]).tools.values())
    return {query.kind: query.text for query in derive_queries(tools)}


def test_a_tool_is_asked_for_by_name_topic_sentence_and_examples() -> None:
    example = ToolExample(scenario="Tell Anna that we are late", input={})
    assert derive(replace(MAIL, input_examples=(example,))) == {
        "name": "message send",
        "topic": "Send mail one more",
        "sentence": "Send an e-mail to one or more people.",
        "example": "Tell Anna that we are late",
    }


def test_a_name_of_one_word_is_no_query_since_it_would_always_be_first() -> None:
    assert derive(BIN) == {}


@given(st.from_regex(r"[a-zA-Z_]{1,30}", fullmatch=True), st.text(max_size=200).map(str.strip))
def test_no_derived_query_is_the_name_of_its_tool(name: str, description: str) -> None:
    definition = build_definition(f"x.{name}", description=description)
    for text in derive(definition).values():
        assert text
        assert name_key(text) != name_key(name)


@given(st.integers(0, 40), st.integers(1, 45))
def test_of_too_many_tools_some_of_everywhere_are_chosen(count: int, most: int) -> None:
    definitions = [build_definition(f"x.t{number:02}") for number in range(count)]
    tools = list(build_snapshot(definitions).tools.values())
    chosen = choose_evenly(tools, most=most)
    assert len(chosen) <= most
    assert chosen[:1] == tools[:1]
    if count <= most:
        assert chosen == tools
    else:
        gaps = {tools.index(b) - tools.index(a) for a, b in pairwise(chosen)}
        assert len(gaps) <= 1


def test_a_file_holds_rows_and_objects_comments_and_empty_lines() -> None:
    text = (
        "\ufeff# our own\n"
        "tell Anna\tmail.sendMessage\n"
        "\r\n"
        "get rid of it\tdelete, mail.sendMessage \r\n"
        '{"query": "write to Bob", "tools": ["sendMessage"]}\n'
        '{"query": "bin it", "relevant": "mail.delete"}'
    )
    queries = parse_queries(text, name="q.tsv", snapshot=SNAPSHOT)
    assert [(query.text, query.tools) for query in queries] == [
        ("tell Anna", ("mail.sendMessage",)),
        ("get rid of it", ("mail.delete", "mail.sendMessage")),
        ("write to Bob", ("mail.sendMessage",)),
        ("bin it", ("mail.delete",)),
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("tell Anna", "no tab and tool behind the query 'tell Anna'"),
        ("tell Anna\t , ", "no tab and tool"),
        ("\tmail.delete", "the query is empty"),
        ("tell Anna\tmail.sendMesage", "no tool named 'mail.sendMesage'"),
        ('{"query": 7, "tools": ["mail.delete"]}', "$.query is 7"),
        ('{"query": "x"}', "$.tools is missing"),
        ('{"query": "x", "tools": [1]}', "$.tools is [1]"),
        ('{"query": "x", "tools": []}', "$.tools is []"),
        ('{"query": "x"', "not JSON"),
        ('{"query": ' + "[" * 100_000, "not JSON"),
        ('{"query": "   ", "tools": ["mail.delete"]}', "the query is empty"),
    ],
)
def test_a_bad_line_is_named_with_its_place_and_value(line: str, said: str) -> None:
    with pytest.raises(BadQueries) as caught:
        parse_queries(f"fine\tmail.delete\n{line}\n", name="q.tsv", snapshot=SNAPSHOT)
    assert caught.value.message.startswith("q.tsv:2: ")
    assert said in caught.value.message
    assert caught.value.hint


def test_an_unknown_tool_offers_near_names() -> None:
    with pytest.raises(BadQueries) as caught:
        parse_queries("x\tmail.sendMesage", name="q", snapshot=SNAPSHOT)
    assert "mail.sendMessage" in (caught.value.hint or "")


def test_a_file_without_queries_says_so() -> None:
    with pytest.raises(BadQueries, match="no query"):
        parse_queries("# nothing\n\n", name="q", snapshot=SNAPSHOT)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(BadQueries):
        queries = parse_queries(text, name="q", snapshot=SNAPSHOT)
        assert queries
        assert all(query.text and query.tools for query in queries)


def test_searches_of_one_text_are_one_query_and_gone_tools_are_counted() -> None:
    pairs = [
        ("tell Anna", "mail.sendMessage"),
        ("tell Anna ", "mail.delete"),
        ("tell Anna", "mail.sendMessage"),
        ("fax it", "fax.send"),
        ("  ", "mail.delete"),
    ]
    queries, gone = queries_of_use(pairs, snapshot=SNAPSHOT)
    assert [(query.text, query.tools) for query in queries] == [
        ("tell Anna", ("mail.sendMessage", "mail.delete"))
    ]
    assert gone == 1


def test_whoever_remembers_uses_can_be_told_from_others() -> None:
    class Remembers:
        async def used_queries(self, limit: int) -> list[tuple[str, str]]:
            return [("tell Anna", "mail.sendMessage")][:limit]

    assert isinstance(Remembers(), UsedQueries)
    assert not isinstance(object(), UsedQueries)
