"""Mixing in an embedder's cosines."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from toolweft.search.hybrid import HybridIndex
from toolweft.search.nearness import Embedded, blend, blend_signals, scale_nearness
from toolweft.search.vectors import load_vectors
from toolweft.testing import build_definition, build_snapshot

COSINES = st.lists(
    st.one_of(st.just(float("nan")), st.floats(-1, 1, width=32)), min_size=1, max_size=20
)
SCORES = st.lists(st.floats(0, 2, width=32), min_size=20, max_size=20)
WEIGHT = st.floats(0, 1)
TOOLS = (
    build_definition("a.send_mail", description="Send an e-mail"),
    build_definition("b.read_mail", description="Read an e-mail"),
    build_definition("c.get_weather", description="Weather of a city"),
)


def floats(values: list[float]) -> np.ndarray:
    return np.array(values, np.float32)


@given(COSINES)
def test_nearness_keeps_the_order_between_the_usual_and_the_best(values: list[float]) -> None:
    cosines = floats(values)
    near = scale_nearness(cosines)
    assert (np.isnan(near) == np.isnan(cosines)).all()
    known = ~np.isnan(cosines)
    if known.any():
        assert near[known].max() == 1
        assert near[known].min() >= 0
        assert (np.diff(near[known][np.argsort(cosines[known])]) >= 0).all()


@given(COSINES, st.floats(-0.5, 0.5, width=32), st.floats(0.125, 2, width=32))
def test_nearness_does_not_depend_on_where_a_model_puts_its_cosines(
    values: list[float], shift: float, stretch: float
) -> None:
    cosines = floats(values)
    if np.nanmax(cosines, initial=-9) - np.nanmin(cosines, initial=9) < 0.01:
        return
    moved = scale_nearness(cosines * np.float32(stretch) + np.float32(shift))
    np.testing.assert_allclose(moved, scale_nearness(cosines), atol=1e-3)


def test_tools_that_may_not_be_found_do_not_count() -> None:
    usable = np.array([True, True, True, False])
    near = scale_nearness(floats([0.1, 0.2, 0.6, 0.9]), usable)
    np.testing.assert_allclose(near[:3], scale_nearness(floats([0.1, 0.2, 0.6])), atol=1e-6)


@given(COSINES, SCORES, WEIGHT)
def test_a_tool_without_a_vector_keeps_its_score_and_no_other_goes_above_the_best(
    values: list[float], scores: list[float], weight: float
) -> None:
    near, before = scale_nearness(floats(values)), floats(scores[: len(values)])
    mixed, added = blend(before, near, weight=weight)
    unknown = np.isnan(near)
    np.testing.assert_array_equal(mixed[unknown], before[unknown])
    assert (added[unknown] == 0).all()
    assert mixed.max() <= max(float(before.max()), 1.0) + 1e-5


@given(COSINES, SCORES, WEIGHT)
def test_blended_signals_add_up_to_the_blended_score(
    values: list[float], scores: list[float], weight: float
) -> None:
    near, words = scale_nearness(floats(values)), floats(scores[: len(values)])
    signals = blend_signals([("words", 0.5, words), ("meaning", 0.2, words)], near, weight=weight)
    mixed, _ = blend(np.float32(0.7) * words, near, weight=weight)
    total = sum(share * part for _, share, part in signals)
    np.testing.assert_allclose(total, mixed, atol=1e-5)
    assert [name for name, _, _ in signals] == ["words", "meaning", "embedding"]


def test_without_any_vector_an_answer_is_the_one_without_an_embedder() -> None:
    index = HybridIndex.of(build_snapshot(TOOLS), vectors=load_vectors())
    nothing = Embedded(np.full(3, np.nan, np.float32), 0.5)
    for query in ("send mail", "weather", "read the weather by mail", "nothing of this"):
        with_it = index.search(query, limit=3, embedded=nothing)
        without = index.search(query, limit=3)
        assert [(h.qualified, h.score) for h in with_it] == [
            (h.qualified, h.score) for h in without
        ]


def test_a_tool_far_above_the_usual_is_shown_without_any_word() -> None:
    index = HybridIndex.of(build_snapshot(TOOLS), vectors=load_vectors())
    cosines = floats([0.1, 0.1, 0.1])
    cosines[index.names.index("c.get_weather")] = 0.8  # type: ignore[arg-type]
    hits = index.search("zqxj wvkp", limit=3, embedded=Embedded(cosines, 0.3))
    assert [hit.qualified for hit in hits] == ["c.get_weather"]
