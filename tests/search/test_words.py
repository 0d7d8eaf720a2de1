"""Text becomes words that meet where people mean the same."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from toolweft.search.stemming import stem
from toolweft.search.words import Tokenizer, query_words, spelled_in


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("list_issues", ["list", "issu"]),
        ("getHTTPResponse2", ["get", "http", "respons", "2"]),
        ("parseURLs", ["pars", "url"]),
        ("resource-group.name", ["resourc", "group", "nam"]),
        ("\uff26\uff35\uff2c\uff2c width", ["full", "width"]),
        ("Résumé", ["resum"]),
        ("查询天气", ["查询", "询天", "天气", "查", "询", "天", "气"]),
        ("天", ["天"]),
        ("v2天气x", ["v2", "天气", "天", "气", "x"]),
        ("カード", ["カー", "ード"]),
        ("Ελληνικά", ["ελληνικα"]),
        ("🙂 \x00 .*[a-", ["a"]),
        ("", []),
    ],
)
def test_identifiers_and_scripts_are_split(text: str, words: list[str]) -> None:
    assert Tokenizer().words(text) == words


@pytest.mark.parametrize(
    "family",
    [
        "create creates created creating creation",
        "query queries",
        "delete deletes deleted deleting deletion",
        "run runs running",
        "match matches matched matching",
        "translate translates translation translator",
        "box boxes",
        "issue issues",
        "pay pays",
    ],
)
def test_forms_of_one_word_share_a_stem(family: str) -> None:
    assert len(set(map(stem, family.split()))) == 1


@pytest.mark.parametrize("word", ["king", "red", "bus", "class", "this", "user", "s3", "id"])
def test_words_that_only_look_inflected_stay(word: str) -> None:
    assert stem(word) == word or stem(word) + "e" == word


@given(st.text(max_size=60))
def test_words_are_the_same_in_tools_and_queries(text: str) -> None:
    assert set(query_words(text)) <= set(Tokenizer().words(text))


@given(st.from_regex(r"[a-z]{1,20}", fullmatch=True))
def test_a_stem_is_a_beginning_but_for_a_y(word: str) -> None:
    found = stem(word)
    assert found
    assert word.startswith((found, found[:-1]))


@pytest.mark.parametrize(
    ("text", "word", "spelled"),
    [
        ("listOpenIssues", "issu", "issues"),
        ("LIST_ISSUES", "issu", "issues"),
        ("the flies", "fly", "flies"),
        ("a tissue, an issue", "issu", "issue"),
        ("Öl prüfen", "prufen", "prüfen"),
        ("天气预报", "天气", None),
        ("nothing", "issu", None),
    ],
)
def test_what_stands_for_a_word_is_found_as_it_is_spelled(
    text: str, word: str, spelled: str | None
) -> None:
    assert spelled_in(text, word) == spelled


@given(st.text(max_size=60))
@example("0ß")
def test_a_spelling_counts_as_the_word_it_was_found_for(text: str) -> None:
    for word in query_words(text):
        spelling = spelled_in(text, word)
        assert spelling is None or query_words(spelling) == [word]


def test_stop_words_are_left_out_of_queries() -> None:
    assert query_words("please give me the list of all of the issues") == ["giv", "list", "issu"]


def test_characters_that_only_bind_a_chinese_sentence_are_left_out_of_queries() -> None:
    assert query_words("请查天气吗") == ["请查", "查天", "天气", "气吗", "查", "天", "气"]


def test_a_query_of_stop_words_alone_keeps_them() -> None:
    assert query_words("who am I") == ["who", "am", "i"]


def test_each_word_of_a_query_counts_once() -> None:
    assert query_words("issue Issues ISSUE") == ["issu"]


def test_a_word_without_end_is_cut() -> None:
    (word,) = Tokenizer().words("x" * 100_000)
    assert len(word) == 40
