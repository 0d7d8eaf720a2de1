import json
from copy import copy, deepcopy
from dataclasses import asdict, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.ids import SourceName, ToolName
from toolweft.core.packed import MAX_PACKED_BYTES, pack_json, replace_packed
from toolweft.core.tools import ToolDefinition

# Lone surrogates too, which servers send as escapes.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"b": {"const": 1}, "a": {"const": 1.0}, "é": {"const": True}},
}


def define(schema: Any, **fields: Any) -> ToolDefinition:
    return ToolDefinition(
        name=ToolName("t"), namespace=SourceName("s"), input_schema=schema, **fields
    )


@given(st.dictionaries(TEXTS, JSON, max_size=4))
def test_a_packed_schema_reads_as_the_very_same_json(schema: dict[str, Any]) -> None:
    read = define(pack_json(schema)).input_schema

    # To the order of keys, and 1 is neither 1.0 nor true.
    assert repr(read) == repr(schema)


def test_a_packed_definition_equals_one_that_is_not_and_shows_alike() -> None:
    plain = define(SCHEMA, output_schema=SCHEMA)
    packed = define(pack_json(SCHEMA), output_schema=pack_json(SCHEMA))

    assert packed == plain
    assert packed != define(pack_json(SCHEMA))
    assert repr(packed) == repr(plain)
    assert asdict(packed) == asdict(plain)
    assert copy(packed) == deepcopy(packed) == replace(packed) == replace_packed(packed) == plain


def test_whoever_reads_a_packed_schema_gets_a_plain_dict() -> None:
    read = define(pack_json(SCHEMA)).input_schema

    assert type(read) is dict
    assert json.dumps({**read}) == json.dumps(SCHEMA)


def test_reading_again_at_once_parses_nothing() -> None:
    definition = define(pack_json(SCHEMA))

    assert definition.input_schema is definition.input_schema


def test_a_definition_changed_elsewhere_stays_packed() -> None:
    known: dict[bytes, bytes] = {}
    packed = define(pack_json(SCHEMA, known))
    field = vars(ToolDefinition)["input_schema"]
    changed = replace_packed(packed, description="other")

    assert changed.description == "other"
    assert field.held(changed) is field.held(packed) is next(iter(known.values()))
    assert field.held(replace_packed(packed, input_schema={"a": 1})) == {"a": 1}


def test_equal_schemas_are_packed_once() -> None:
    known: dict[bytes, bytes] = {}
    one, other = pack_json(SCHEMA, known), pack_json(dict(SCHEMA), known)

    assert one is other
    assert list(known.values()) == [one]
    assert pack_json(dict(reversed(SCHEMA.items())), known) != one


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "text",
        ["a", "list"],
        {"large": "x" * MAX_PACKED_BYTES},
        {"no text": {1}},
        {"not a number": float("nan")},
        {"too large": float("inf")},
        {"too long": 10**5_000},
        {1: "no text"},
        {"not what JSON gives back": ("a", "tuple")},
    ],
    ids=lambda value: str(type(value)) if not isinstance(value, dict) else next(iter(value)),
)
def test_what_its_text_would_not_give_back_stays_as_it_is(value: Any) -> None:
    assert pack_json(value) is value
    assert define(value).input_schema is value


def test_what_is_too_deep_to_write_stays_as_it_is() -> None:
    deep: dict[str, Any] = {}
    for _ in range(100_000):
        deep = {"a": deep}

    assert pack_json(deep) is deep


def test_a_packed_schema_is_far_smaller_than_its_text() -> None:
    schema = {
        "type": "object",
        "properties": {
            name: {"type": "string", "description": f"The {name} of the issue"}
            for name in ("title", "body", "owner", "assignee", "milestone")
        },
        "required": ["title"],
    }

    assert len(pack_json(schema)) < len(json.dumps(schema)) / 2
