"""Whether answers fit the forms that servers ask to be filled in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.forms import find_form_faults

CHOICES = [{"const": "a", "title": "A"}, {"const": 1, "title": "One"}]


def faults(field: dict[str, Any], value: Any) -> list[str]:
    return find_form_faults({"it": value}, {"type": "object", "properties": {"it": field}})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ({"type": "string"}, "x"),
        ({"type": "string", "minLength": 1, "maxLength": 3}, "xyz"),
        ({"type": "string", "format": "email"}, "ada@example.org"),
        ({"type": "string", "format": "uri"}, "https://example.org/x"),
        ({"type": "string", "format": "date"}, "2026-02-28"),
        ({"type": "string", "format": "date-time"}, "2026-02-28T10:00:00Z"),
        ({"type": "string", "format": "of tomorrow"}, "x"),
        ({"type": "string", "enum": ["a", "b"]}, "b"),
        ({"type": "string", "oneOf": CHOICES}, "a"),
        ({"oneOf": CHOICES}, 1),
        ({"type": "number", "minimum": 1, "maximum": 2}, 1.5),
        ({"type": "integer"}, 3),
        ({"type": "integer"}, 3.0),
        ({"type": "integer"}, 10**400),
        ({"type": "boolean"}, False),
        ({"type": "array", "items": {"type": "string", "enum": ["a", "b"]}}, ["b", "a"]),
        ({"type": "array", "items": {"anyOf": CHOICES}, "minItems": 1, "maxItems": 2}, ["a"]),
        ({"type": ["string", "null"]}, None),
        ({}, {"anything": True}),
    ],
)
def test_what_a_form_asks_for_fits_it(field: dict[str, Any], value: Any) -> None:
    assert faults(field, value) == []


@pytest.mark.parametrize(
    ("field", "value", "fault"),
    [
        ({"type": "string"}, 1, "1 is no string"),
        ({"type": "string", "minLength": 2}, "x", "its length 1 is below minLength 2"),
        ({"type": "string", "maxLength": 2}, "xyz", "its length 3 is above maxLength 2"),
        ({"type": "string", "format": "email"}, "ada", "'ada' is no email"),
        ({"type": "string", "format": "uri"}, "example", "'example' is no uri"),
        ({"type": "string", "format": "uri"}, "http://[", "'http://[' is no uri"),
        ({"type": "string", "format": "date"}, "28.2.2026", "'28.2.2026' is no date"),
        ({"type": "string", "format": "date-time"}, "2026-02-28", "is no date-time"),
        ({"type": "string", "enum": ["a", "b"]}, "c", "'c' is none of 'a', 'b'"),
        ({"oneOf": CHOICES}, True, "True is none of 'a', 1"),
        ({"const": "a"}, "b", "'b' is none of 'a'"),
        ({"type": "number", "minimum": 1}, 0.5, "0.5 is below minimum 1"),
        ({"type": "number", "maximum": 1}, 2, "2 is above maximum 1"),
        ({"type": "number"}, True, "True is no number"),
        ({"type": "integer"}, 1.5, "1.5 is no integer"),
        ({"type": "integer"}, float("inf"), "inf is no integer"),
        ({"type": "boolean"}, 1, "1 is no boolean"),
        ({"type": "array"}, "a", "'a' is no array"),
        ({"type": "array", "items": {"enum": ["a"]}}, ["a", "b"], "[1] 'b' is none of 'a'"),
        ({"type": "array", "minItems": 1}, [], "its length 0 is below minItems 1"),
        ({"type": "integer", "maximum": 1}, 10**400, "… is above maximum 1"),
        ({"type": "number", "minimum": 10**400}, 1.5, "1.5 is below minimum 1000"),
        ({"enum": [*range(99_999)]}, -1, "-1 is none of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 99,989"),
    ],
)
def test_what_a_form_does_not_ask_for_is_named(
    field: dict[str, Any], value: Any, fault: str
) -> None:
    (found,) = faults(field, value)
    assert found.startswith("$.it: ")
    assert fault in found


def test_missing_and_foreign_fields_are_named() -> None:
    schema = {"properties": {"a": {"type": "string"}}, "required": ["a"]}
    assert find_form_faults({"b": 1}, schema) == [
        "$.a: it is required, and missing",
        "$.b: the form has no such field",
    ]


@given(
    st.dictionaries(
        st.text(max_size=3), st.none() | st.integers() | st.text() | st.lists(st.text())
    ),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["type", "properties", "required", "enum", "oneOf", "items", "format"]
                ),
                inner,
                max_size=4,
            )
        ),
    ),
)
def test_no_form_makes_the_check_fail(content: dict[str, Any], schema: Any) -> None:
    whole = schema if isinstance(schema, dict) else {"properties": {"": schema}}
    assert all(isinstance(fault, str) for fault in find_form_faults(content, whole))
