"""Forms at a terminal: what is shown, and what may be entered."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.cli.forms import (
    NOTHING,
    describe_field,
    form_fields,
    is_required,
    parse_field,
)
from toolweft.core.json import JsonObject

SCHEMA: JsonObject = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Name", "description": "yours", "minLength": 2},
        "age": {"type": "integer", "minimum": 0},
        "height": {"type": "number"},
        "agree": {"type": "boolean", "default": True},
        "size": {"type": "string", "enum": ["S", "M"], "enumNames": ["small", "medium"]},
        "colour": {"oneOf": [{"const": "r", "title": "red"}, {"const": "g", "title": "green"}]},
        "days": {"type": "array", "items": {"type": "string", "enum": ["mon", "tue"]}},
        "day": {"type": "string", "format": "date"},
    },
    "required": ["name", "age"],
}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("name", "Name (yours) [text]"),
        ("age", "age [whole number]"),
        ("agree", "agree [y/n; y unless you say]"),
        ("size", "size [S = small, M = medium; may be left empty]"),
        ("colour", "colour [r = red, g = green; may be left empty]"),
        ("days", "days [mon, tue; several with commas; may be left empty]"),
        ("day", "day [date; may be left empty]"),
    ],
)
def test_a_field_says_what_is_to_be_entered(name: str, shown: str) -> None:
    field = form_fields(SCHEMA)[name]

    assert describe_field(name, field, is_required=name in SCHEMA["required"]) == shown


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("name", " Ann ", "Ann"),
        ("age", "41", 41),
        ("height", "1.5", 1.5),
        ("agree", "N", False),
        ("agree", "", True),
        ("size", "medium", "M"),
        ("size", "S", "S"),
        ("colour", "green", "g"),
        ("days", "mon, tue", ["mon", "tue"]),
        ("days", "", NOTHING),
        ("day", "2026-11-21", "2026-11-21"),
    ],
)
def test_what_is_entered_gets_the_type_of_its_field(name: str, text: str, value: object) -> None:
    read = parse_field(text, name, schema=SCHEMA)

    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("name", "A"),
        ("name", ""),
        ("age", "old"),
        ("age", "-1"),
        ("age", ""),
        ("height", "nan"),
        ("agree", "perhaps"),
        ("size", "XL"),
        ("colour", "blue"),
        ("days", "mon, sun"),
        ("day", "tomorrow"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_field(text, name, schema=SCHEMA)


def test_a_title_passes_for_no_value_of_another_choice() -> None:
    swapped = [{"const": "no", "title": "yes"}, {"const": "yes", "title": "no"}]
    schema = {"properties": {"pay": {"type": "string", "oneOf": swapped}}}

    assert parse_field("no", "pay", schema=schema) == "no"
    assert parse_field("yes", "pay", schema=schema) == "yes"


@given(st.integers())
def test_every_whole_number_comes_back(number: int) -> None:
    schema = {"properties": {"n": {"type": "integer"}}}

    assert parse_field(str(number), "n", schema=schema) == number


@pytest.mark.parametrize("field", [
    {"title": "Name\nerror: not ours"},
    {"description": "x\ny"},
    {"enum": ["a\nb"]},
    {"oneOf": [{"const": "a", "title": "b\nc"}]},
    {"default": "a\nb"},
    {"format": "x\r\ny"},
    {"title": "x" * 100_000, "enum": [*range(100_000)]},
])  # fmt: skip
def test_no_field_takes_more_than_its_line(field: JsonObject) -> None:
    shown = describe_field("na\nme", field, is_required=False)

    assert "\n" not in shown
    assert "\r" not in shown
    assert len(shown) < 3_000


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ({"type": "string", "enum": ["a"], "default": "b"}, "it [a; may be left empty]"),
        ({"type": "string", "default": None}, "it [text; may be left empty]"),
        ({"type": "integer", "default": "1"}, "it [whole number; may be left empty]"),
    ],
)
def test_a_default_that_the_form_refuses_is_none(field: JsonObject, shown: str) -> None:
    assert describe_field("it", field, is_required=False) == shown
    assert parse_field("", "it", schema={"properties": {"it": field}}) is NOTHING


@pytest.mark.parametrize("required", [None, 7, "name", {"name": 1}, [1], []])
def test_only_a_list_makes_a_field_required(required: object) -> None:
    assert not is_required("name", {"required": required})
    assert is_required("name", {"required": ["name"]})


@pytest.mark.parametrize(
    ("kind", "said"), [("integer", "enter a whole number"), ("number", "enter a number")]
)
def test_what_is_no_number_is_told_in_words(kind: str, said: str) -> None:
    for text in ("old", "1" * 5_000 + "x"):
        with pytest.raises(ValueError, match=said):
            parse_field(text, "n", schema={"properties": {"n": {"type": kind}}})
