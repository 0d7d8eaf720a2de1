import enum
import json
import math
from collections import OrderedDict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.calls.measure import encode_json, find_misfit, is_deeper_than, repair
from toolweft.core.json import Json

MIB = 1024 * 1024

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)
ROUGH = st.recursive(
    st.none() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def measure_depth(value: Json) -> int:
    if isinstance(value, dict):
        return 1 + max(map(measure_depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(measure_depth, value), default=0)
    return 0


@given(PLAIN)
def test_what_is_written_reads_back_the_same(value: Json) -> None:
    assert json.loads(encode_json(value)) == value


@given(PLAIN)
def test_a_value_fits_within_its_own_size_and_depth(value: Json) -> None:
    size = len(encode_json(value))

    assert find_misfit(value, max_bytes=size, max_depth=measure_depth(value)) is None


@given(PLAIN | ROUGH, st.integers(0, 200), st.integers(0, 5))
def test_a_glance_and_the_walk_agree(value: Json, max_bytes: int, max_depth: int) -> None:
    # Many rows are looked at together, unless they stand in a tuple, which is no plain list.
    rows = [value] * 200
    max_bytes *= 400
    glance = find_misfit(rows, max_bytes=max_bytes, max_depth=max_depth)
    walk = find_misfit(tuple(rows), max_bytes=max_bytes, max_depth=max_depth)
    assert glance == walk


@given(PLAIN)
def test_depth_is_exact(value: Json) -> None:
    depth = measure_depth(value)

    assert not is_deeper_than(value, depth)
    if depth:
        assert is_deeper_than(value, depth - 1)
        misfit = find_misfit(value, max_bytes=MIB, max_depth=depth - 1)
        assert misfit is not None
        assert misfit.kind == "too_deep"


@given(ROUGH)
def test_a_repaired_value_can_be_written_and_stays_repaired(value: Json) -> None:
    repaired = repair(value)

    assert json.loads(encode_json(repaired)) == repaired
    assert repair(repaired) == repaired


def test_repair_replaces_only_what_json_does_not_have() -> None:
    value = {"a\ud800": [math.nan, math.inf, -math.inf, 1.5, "b\udfff", True, (1, 2)]}

    assert repair(value) == {"a\ufffd": [None, None, None, 1.5, "b\ufffd", True, [1, 2]]}


def test_shared_references_that_stand_for_billions_of_leaves_end_at_the_budget() -> None:
    bomb: Json = "x"
    for _ in range(40):
        bomb = [bomb] * 10

    misfit = find_misfit(bomb, max_bytes=MIB, max_depth=100)

    assert misfit is not None
    assert misfit.kind == "too_large"


def test_a_value_that_holds_itself_is_too_deep() -> None:
    circle: list[Json] = []
    circle.append(circle)

    misfit = find_misfit(circle, max_bytes=MIB, max_depth=100)

    assert misfit is not None
    assert misfit.kind == "too_deep"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"items": [1, {2}]}, "a value of type set at $.items[1]"),
        ({"a b": {"c": b"x"}}, "a value of type bytes at $['a b'].c"),
        ([{1: "x"}], "a key of type int at $[0]"),
        (object, "a value of type type at $"),
    ],
)
def test_what_json_does_not_have_is_named_with_its_place(value: Json, text: str) -> None:
    misfit = find_misfit(value, max_bytes=MIB, max_depth=100)

    assert misfit is not None
    assert (misfit.kind, misfit.text) == ("not_json", text)


def test_derived_types_count_as_what_they_derive_from() -> None:
    class Colour(enum.StrEnum):
        RED = "red"

    class Key(str):
        __slots__ = ()

    value = OrderedDict([(Key("a"), Colour.RED), (Key("b"), (1, enum.IntEnum("N", "ONE").ONE))])

    assert find_misfit(value, max_bytes=MIB, max_depth=100) is None
    assert encode_json(value) == b'{"a":"red","b":[1,1]}'


@pytest.mark.parametrize("value", ["x" * 100, list(range(100)), {"k" * 100: 1}, [[]] * 100])
def test_what_is_larger_than_the_budget_is_found(value: Json) -> None:
    misfit = find_misfit(value, max_bytes=50, max_depth=10)

    assert misfit is not None
    assert misfit.kind == "too_large"
