"""Which changes of a definition count."""

import json
import random
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.pin_cases import RAW, mutate, pin_of, reordered

from toolweft.catalog.pins import find_differences, record_definition
from toolweft.core.ids import SourceName
from toolweft.sources.mcp.definitions import build_definition

MUTATIONS = 1_000


def detects_all(tools: list[dict[str, Any]], chance: random.Random) -> list[Any]:
    """The mutations that are not seen, or seen without their place."""
    missed = []
    for _ in range(MUTATIONS):
        raw = chance.choice(tools)
        changed = mutate(raw, chance)
        old, new = (build_definition(r, namespace=SourceName("s")) for r in (raw, changed))
        shown = find_differences(record_definition(old), record_definition(new))
        if pin_of(changed) == pin_of(raw) or not shown:
            missed.append((raw, changed))
    return missed


@pytest.mark.promise("pins.every-character")
def test_a_thousand_changes_of_one_character_are_all_seen_and_shown() -> None:
    assert detects_all(list(RAW), random.Random(1)) == []


@pytest.mark.promise("pins.no-false-alarm")
@pytest.mark.parametrize("seed", range(50))
def test_the_order_of_keys_and_white_space_change_nothing(seed: int) -> None:
    chance = random.Random(seed)
    for raw in RAW:
        other = json.loads(json.dumps(reordered(raw, chance), indent=chance.randint(0, 8)))

        assert pin_of(other) == pin_of(raw)


@pytest.mark.data
def test_a_thousand_changes_of_recorded_definitions_are_all_seen(data: Path) -> None:
    files = sorted((data / "servers" / "tools").glob("*.json"))
    tools = [raw for file in files for raw in json.loads(file.read_bytes())["tools"]]
    chance = random.Random(2)

    assert len(tools) > 400
    assert detects_all(tools, chance) == []
    assert [raw for raw in tools if pin_of(reordered(raw, chance)) != pin_of(raw)] == []


@pytest.mark.parametrize(
    ("old", "new"),
    [({"minimum": 1}, {"minimum": 1.0}), ({"minimum": 1}, {"minimum": True}), ({"x": None}, {})],
)
def test_what_python_takes_for_equal_is_not_the_same(old: Any, new: Any) -> None:
    first = {"name": "t", "inputSchema": {"type": "object", **old}}
    second = {"name": "t", "inputSchema": {"type": "object", **new}}

    assert pin_of(first) != pin_of(second)


def test_texts_are_not_normalised() -> None:
    assert pin_of({"name": "t", "description": "\u00e9"}) != pin_of(
        {"name": "t", "description": "e\u0301"}
    )


def test_the_hash_names_its_form() -> None:
    assert pin_of(RAW[0]).startswith("v1:sha256:")


def test_what_is_said_too_deeply_to_be_encoded_is_hashed_all_the_same() -> None:
    def deep(leaf: str) -> dict[str, Any]:
        value: Any = leaf
        for _ in range(100_000):
            value = [value]
        return {"name": "t", "_meta": {"deep": value}}

    assert pin_of(deep("a")) != pin_of(deep("b"))


def test_a_difference_has_a_place_and_both_sides() -> None:
    old = {"a": {"b-c": [1, 2, 3], "d": "x"}, "gone": None}
    new = {"a": {"d": "y", "b-c": [1, 3]}}

    shown = [(d.path, repr(d.old), repr(d.new)) for d in find_differences(old, new)]
    assert shown == [
        ("$.a.b-c[1]", "2", "nothing"),
        ("$.a.d", "'x'", "'y'"),
        ("$.gone", "None", "nothing"),
    ]
