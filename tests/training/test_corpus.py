"""Texts become bags of numbered words."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from training.corpus import Corpus, build_corpus, split_document
from training.data_sets import Catalog, Request

from toolweft.testing import build_definition

ZOO = Catalog(
    name="zoo",
    tools={
        "feed": build_definition("zoo.feed_animal", description="Give food to an animal. 喂动物"),
        "wash": build_definition("zoo.wash_animal", description="Give an animal a bath with water"),
    },
    requests={"zoo": [Request(text="the lion is hungry for food", tools=("feed",))]},
)
OWN = {
    "zoo": [Request(text="water the tiger", tools=("wash",))],
    "shop": [Request(text="buy fruit", tools=("buy",))],
}


def corpus(*meanings: list[str]) -> Corpus:
    return build_corpus({"zoo": ZOO}, OWN, meanings)


def test_a_word_is_learned_that_two_texts_hold() -> None:
    words = corpus().words
    assert {"animal", "food", "giv"} <= set(words)
    assert "bath" not in words


def test_words_of_our_own_are_learned_at_their_first_use() -> None:
    words = corpus(["panda", "bear"]).words
    assert {"tiger", "panda", "bear"} <= set(words)


def test_other_scripts_numbers_and_stop_words_are_not_learned() -> None:
    assert all(word.isascii() and word.isalpha() for word in corpus(["动物", "animal"]).words)
    assert not {"the", "for", "to"} & set(corpus().words)


def test_requests_of_a_catalog_that_is_left_out_are_left_out() -> None:
    assert [pair.group for pair in corpus().pairs] == ["zoo", "own:zoo"]
    assert "fruit" not in corpus().words


def test_a_pair_names_its_tools_by_their_rows() -> None:
    made = corpus()
    assert [pair.tools for pair in made.pairs] == [(0,), (1,)]
    assert made.catalogs == ["zoo", "zoo"]


def test_a_group_of_which_one_phrase_is_left_is_no_meaning() -> None:
    assert corpus(["动物", "animal"]).meanings == []
    assert len(corpus(["beast", "animal"]).meanings) == 1


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 9))
def test_a_split_tool_has_words_on_its_sides_that_it_holds(draw: float, seed: int) -> None:
    bag = corpus().tools[0]
    left, right = split_document(bag, draw, np.random.default_rng(seed))
    assert left.shape == right.shape == bag.words.shape
    assert (left | right).any()
