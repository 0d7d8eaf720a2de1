"""The recipe of the shipped vectors. Needs torch, which only training does."""

import numpy as np
import pytest
from training.corpus import Corpus, build_corpus
from training.data_sets import Catalog, Request, load_requests

from toolweft.testing import build_definition

torch = pytest.importorskip("torch")
pytest.importorskip("scipy")

NOUNS = ("mail", "file", "song", "hotel", "train", "photo", "order", "chart", "invoice", "river")


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    """Ten things that can each be removed or listed."""
    # As in a real run: sums are then made in one order.
    torch.set_num_threads(1)
    tools = {
        f"{verb}_{noun}": build_definition(f"s.{verb}_{noun}", description=f"{verb} the {noun}")
        for verb in ("remove", "list")
        for noun in NOUNS
    }
    requests = [Request(text=f"erase this {noun}", tools=(f"remove_{noun}",)) for noun in NOUNS]
    catalog = Catalog(name="s", tools=tools, requests={"s": requests})
    return build_corpus({"s": catalog}, {}, [["erase", "remove"], ["list", "enumerate"]])


def test_the_folds_leave_every_catalog_with_queries_out_once() -> None:
    from training.recipe import FOLDS

    names = [name for fold in FOLDS for name in fold]
    assert len(set(names)) == len(names)
    assert set(load_requests()) - set(names) == {"recorded", "distractors"}


def test_words_of_one_meaning_come_together_and_a_run_can_be_repeated(corpus: Corpus) -> None:
    from training.trainer import TrainingOptions, train

    options = TrainingOptions(dimensions=16, steps=60, grams=64)
    table, again = (train(corpus, options) for _ in range(2))
    assert (table.rows == again.rows).all()
    assert (table.grams == again.grams).all()
    rows = table.rows / np.linalg.norm(table.rows, axis=1, keepdims=True)
    erase, remove, listed = (rows[table.words.index(w)] for w in ("eras", "remov", "list"))
    assert erase @ remove > erase @ listed


def test_another_seed_gives_other_vectors_of_the_same_words(corpus: Corpus) -> None:
    from training.trainer import TrainingOptions, train

    one, other = (
        train(corpus, TrainingOptions(dimensions=8, steps=2, grams=64, seed=seed))
        for seed in (0, 1)
    )
    assert one.words == other.words
    assert (one.rows != other.rows).any()
