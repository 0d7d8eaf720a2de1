"""Word vectors: what the file holds, and what is made of unknown words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.search.grams import hash_grams
from toolweft.search.vectors import WordVectors, load_vectors, unit
from toolweft.search.words import query_words


@pytest.fixture(scope="module")
def small() -> WordVectors:
    random = np.random.default_rng(0)
    words = ["cat", "kitten", "stock", "market", "日本"]
    rows = random.normal(size=(5, 8)).astype(np.float32)
    rows[1] = rows[0] + 0.1 * random.normal(size=8)
    return WordVectors.build(words, rows, random.normal(size=(64, 8)).astype(np.float32))


def test_the_nearest_word_comes_first(small: WordVectors) -> None:
    assert small.neighbours("cat")[0][0] == "kitten"
    assert small.neighbours("cat")[0][1] > 0.9
    assert small.neighbours("日本") == small.neighbours("unheard") == []


def test_an_unknown_word_is_guessed_from_its_characters(small: WordVectors) -> None:
    assert np.abs(small.vector("kittens")).sum() > 0
    # Those of queries are remembered.
    assert small.asked_vector("kittens") is small.asked_vector("kittens")
    assert small.asked_vector("kittens").tolist() == small.vector("kittens").tolist()
    for nothing in ("the", "天气", "77", ""):
        assert not small.vector(nothing).any()


def test_packing_loses_next_to_nothing(small: WordVectors) -> None:
    again = WordVectors.unpack(small.pack())
    for word in ("cat", "stock", "unheard"):
        assert np.allclose(again.vector(word), small.vector(word), atol=0.03)
    assert again.neighbours("cat") == small.neighbours("cat")
    assert len(again) == len(small)


def test_the_leading_axes_keep_what_is_alike_in_longer_vectors() -> None:
    random = np.random.default_rng(1)
    thin = random.normal(size=(40, 4)).astype(np.float32)
    rows = np.concatenate([thin, 0.01 * random.normal(size=(40, 8))], axis=1).astype(np.float32)
    grams = np.zeros((8, 12), np.float32)
    names = [f"w{number}" for number in range(40)]
    whole = WordVectors.build(names, rows, grams)
    short = WordVectors.build(names, rows, grams, dimensions=4)
    assert (whole.dimensions, short.dimensions) == (12, 4)
    for one, other in (("w0", "w1"), ("w2", "w3")):
        cosines = [float(unit(v.vector(one)) @ unit(v.vector(other))) for v in (whole, short)]
        assert abs(cosines[0] - cosines[1]) < 0.02
    assert whole.neighbours("w0") == short.neighbours("w0")


def test_the_shipped_vectors_know_what_words_have_to_do_with_each_other() -> None:
    vectors = load_vectors()

    def alike(one: str, other: str) -> float:
        a, b = (unit(vectors.vector(query_words(word)[0])) for word in (one, other))
        return float(a @ b)

    assert alike("delete", "remove") > 0.4 > alike("delete", "weather")
    assert alike("forecast", "weather") > alike("forecast", "playlist")
    assert vectors.dimensions == 128


def test_the_shipped_file_is_small() -> None:
    assert len(load_vectors().pack()) < 4_000_000


@given(st.text(max_size=20))
def test_any_word_has_hashed_grams_in_range(word: str) -> None:
    assert all(0 <= gram < 100 for gram in hash_grams(word, 100))
