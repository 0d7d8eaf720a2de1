import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.cli.arguments import parse_arguments
from toolweft.cli.errors import UsageFault

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "count": {"type": "integer"},
        "ratio": {"type": "number"},
        "deep": {"type": "boolean"},
        "tags": {"type": "array"},
        "filter": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        "level": {"enum": [1, 2]},
        "either": {"type": ["string", "integer"]},
        "odd:": {"type": "string"},
        "open": {},
        "parent": {"anyOf": [{"$ref": "#/$defs/Item"}, {"type": "null"}]},
        "item": {"$ref": "#/$defs/Item"},
        "word": {"oneOf": [{"$ref": "#/$defs/Word"}, {"type": "null"}]},
        "all": {"allOf": [{"$ref": "#/$defs/Word"}]},
        "cycle": {"$ref": "#/$defs/Cycle"},
        "lost": {"$ref": "#/$defs/lost"},
        "constant": {"const": 7},
        "open_or_null": {"anyOf": [{}, {"type": "null"}]},
    },
    "$defs": {
        "Item": {"type": "object"},
        "Word": {"type": "string", "enum": ["5", "x"]},
        "Cycle": {"anyOf": [{"$ref": "#/$defs/Cycle"}, {"type": "integer"}]},
    },
}

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("pair", "value"),
    [
        ("name=5", "5"),
        ("name=true", "true"),
        ("name=a=b", "a=b"),
        ("name=", ""),
        ('name="quoted"', "quoted"),
        ("count=5", 5),
        ("count=five", "five"),
        ("count=2.5", "2.5"),
        ("count=2.0", 2.0),
        ("ratio=5", 5),
        ("ratio=0.5", 0.5),
        ("ratio=NaN", "NaN"),
        ("deep=true", True),
        ("deep=1", "1"),
        ('tags=["a"]', ["a"]),
        ('filter={"a": 1}', {"a": 1}),
        ("filter=null", None),
        ("level=2", 2),
        ("either=7", 7),
        ("either=x", "x"),
        ("odd:=1", "1"),
        ("open=[1]", [1]),
        ("open=x", "x"),
        ('parent={"a": 1}', {"a": 1}),
        ("parent=null", None),
        ("parent=[1]", "[1]"),
        ('item={"a": 1}', {"a": 1}),
        ("item=5", "5"),
        ("word=5", "5"),
        ("word=null", None),
        ("all=5", "5"),
        ("cycle=5", 5),
        ("lost=5", 5),
        ("constant=7", 7),
        ("constant=x", "x"),
        ("open_or_null=[1]", [1]),
        ("unknown=3", 3),
        ("name:=5", 5),
    ],
)
def test_a_value_is_read_as_the_schema_wants_it(pair: str, value: object) -> None:
    arguments = parse_arguments([pair], object_text=None, schema=SCHEMA)

    [found] = arguments.values()
    assert found == value
    assert type(found) is type(value)


@given(value=json_values)
def test_any_json_value_survives_the_explicit_form(value: object) -> None:
    arguments = parse_arguments(
        [f"key:={json.dumps(value)}"], object_text=None, schema={"type": "object"}
    )

    assert arguments == {"key": value}


@given(text=st.text())
def test_a_string_parameter_never_becomes_anything_but_text(text: str) -> None:
    arguments = parse_arguments([f"name={text}"], object_text=None, schema=SCHEMA)

    assert isinstance(arguments["name"], str)


def test_pairs_are_added_to_the_object_and_win() -> None:
    arguments = parse_arguments(["count=2"], object_text='{"count": 1, "name": "x"}', schema=SCHEMA)

    assert arguments == {"count": 2, "name": "x"}


@pytest.mark.parametrize("pair", ["name", "=5", ":=5", ""])
def test_a_pair_without_key_or_equals_is_refused_with_the_form_to_write(pair: str) -> None:
    with pytest.raises(UsageFault, match="is not key=value") as caught:
        parse_arguments([pair], object_text=None, schema=SCHEMA)

    assert "key:=JSON" in (caught.value.hint or "")


def test_broken_json_names_line_and_column() -> None:
    with pytest.raises(UsageFault, match="--args: not JSON at line 2, column 1"):
        parse_arguments([], object_text='{"a": \n}', schema=SCHEMA)


@pytest.mark.parametrize("text", ["[1]", "5", "null", '"text"'])
def test_arguments_that_are_no_object_are_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="not a JSON object"):
        parse_arguments([], object_text=text, schema=SCHEMA)


@pytest.mark.parametrize("text", ["NaN", "[" * 100_000])
def test_what_json_does_not_have_is_refused(text: str) -> None:
    with pytest.raises(UsageFault, match="not JSON"):
        parse_arguments([f"key:={text}"], object_text=None, schema=SCHEMA)


def test_a_schema_that_is_nonsense_reads_values_as_json() -> None:
    arguments = parse_arguments(["a=1"], object_text=None, schema={"properties": 5})

    assert arguments == {"a": 1}
