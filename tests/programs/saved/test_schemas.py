"""Schemas from values."""

import json

import jsonschema_rs
import pytest
from hypothesis import given
from tests.programs.saved.test_constants import PLAIN

from toolweft.programs.saved.schemas import schema_of


@given(value=PLAIN)
def test_a_value_fits_the_schema_it_suggests(value: object) -> None:
    schema = schema_of(value)

    assert jsonschema_rs.validator_for(json.loads(json.dumps(schema))).is_valid(value)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        (True, {"type": "boolean"}),
        ([1, 2.5], {"type": "array", "items": {"type": "number"}}),
        ([1, "a"], {"type": "array", "items": {}}),
        ([], {"type": "array", "items": {}}),
        (
            [{"a": 1}, {"a": 2, "b": "x"}],
            {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"a": {"type": "integer"}, "b": {"type": "string"}},
                },
            },
        ),
        (
            {"São Paulo": 1, "Oslo": 2},
            {"type": "object", "additionalProperties": {"type": "integer"}},
        ),
    ],
)
def test_what_was_seen_in_several_kinds_is_promised_as_what_all_are(
    value: object, schema: object
) -> None:
    assert schema_of(value) == schema
