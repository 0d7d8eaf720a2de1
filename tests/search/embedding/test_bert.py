"""The forward pass against the same sums written out one number at a time."""

from math import erf, exp, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.search.embedding.fakes import HEADS, HIDDEN, LAYERS, POSITIONS, WORDS, random_weights

from toolweft.search.embedding.bert import BertModel, BertShape
from toolweft.search.embedding.pooling import pool

SHAPE = BertShape(heads=HEADS, layer_norm_eps=1e-12)
MODEL = BertModel(random_weights(), SHAPE)
TEXTS = st.lists(st.integers(0, len(WORDS) + 3), min_size=1, max_size=POSITIONS)


def by_hand(tokens: list[int]) -> list[list[float]]:
    """The states of one text, in plain Python and double precision."""
    weights = {name: array.astype(float).tolist() for name, array in random_weights().items()}

    def dense(row: list[float], name: str) -> list[float]:
        pairs = zip(weights[f"{name}.weight"], weights[f"{name}.bias"], strict=True)
        return [sum(w * x for w, x in zip(line, row, strict=True)) + b for line, b in pairs]

    def norm(row: list[float], name: str) -> list[float]:
        mean = sum(row) / len(row)
        width = sqrt(sum((x - mean) ** 2 for x in row) / len(row) + 1e-12)
        pairs = zip(row, weights[f"{name}.weight"], weights[f"{name}.bias"], strict=True)
        return [(x - mean) / width * w + b for x, w, b in pairs]

    rows = []
    for place, token in enumerate(tokens):
        parts = [
            weights["embeddings.word_embeddings.weight"][token],
            weights["embeddings.position_embeddings.weight"][place],
            weights["embeddings.token_type_embeddings.weight"][0],
        ]
        rows.append(
            norm([sum(values) for values in zip(*parts, strict=True)], "embeddings.LayerNorm")
        )
    size = HIDDEN // HEADS
    for layer in range(LAYERS):
        own = f"encoder.layer.{layer}."
        asked = [
            [dense(row, f"{own}attention.self.{kind}") for row in rows]
            for kind in ("query", "key", "value")
        ]
        mixed: list[list[float]] = [[] for _ in rows]
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            for place in range(len(rows)):
                scores = [
                    sum(q * k for q, k in zip(asked[0][place][part], key[part], strict=True))
                    / sqrt(size)
                    for key in asked[1]
                ]
                shares = [exp(score) for score in scores]
                for number in range(head * size, (head + 1) * size):
                    told = zip(shares, asked[2], strict=True)
                    mixed[place].append(sum(s * v[number] for s, v in told) / sum(shares))
        for place, row in enumerate(rows):
            attended = dense(mixed[place], f"{own}attention.output.dense")
            row = [a + b for a, b in zip(row, attended, strict=True)]
            row = norm(row, f"{own}attention.output.LayerNorm")
            inner = dense(row, f"{own}intermediate.dense")
            inner = [0.5 * x * (1 + erf(x / sqrt(2))) for x in inner]
            outer = dense(inner, f"{own}output.dense")
            row = [a + b for a, b in zip(row, outer, strict=True)]
            rows[place] = norm(row, f"{own}output.LayerNorm")
    return rows


@settings(max_examples=20, deadline=None)
@given(TEXTS)
def test_the_states_are_those_written_out_by_hand(tokens: list[int]) -> None:
    states = MODEL.states(np.array([tokens]), np.ones((1, len(tokens)), np.int64))
    np.testing.assert_allclose(states[0], by_hand(tokens), atol=2e-5)


@settings(max_examples=30, deadline=None)
@given(st.lists(TEXTS, min_size=2, max_size=5))
def test_a_text_means_the_same_alone_and_beside_longer_ones(texts: list[list[int]]) -> None:
    longest = max(map(len, texts))
    ids, mask = np.zeros((2, len(texts), longest), np.int64)
    for row, tokens in enumerate(texts):
        ids[row, : len(tokens)], mask[row, : len(tokens)] = tokens, 1
    together = MODEL.states(ids, mask)
    for pooling in ("mean", "cls", "max"):
        pooled = pool(together, mask, pooling)
        for row, tokens in enumerate(texts):
            ones = np.ones((1, len(tokens)), np.int64)
            alone = pool(MODEL.states(np.array([tokens]), ones), ones, pooling)
            np.testing.assert_allclose(pooled[row], alone[0], atol=2e-5)


def test_weights_may_have_the_prefix_of_the_whole_model() -> None:
    named = {f"bert.{name}": array for name, array in random_weights().items()}
    ids, mask = np.array([[2, 5, 3]]), np.ones((1, 3), np.int64)
    np.testing.assert_array_equal(
        BertModel(named, SHAPE).states(ids, mask), MODEL.states(ids, mask)
    )


def test_a_missing_weight_is_told_by_its_name() -> None:
    weights = random_weights()
    del weights["encoder.layer.1.output.dense.bias"]
    with pytest.raises(KeyError, match=r"encoder\.layer\.1\.output\.dense\.bias"):
        BertModel(weights, SHAPE)


def test_heads_that_do_not_divide_the_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        BertModel(random_weights(), BertShape(heads=3, layer_norm_eps=1e-12))
