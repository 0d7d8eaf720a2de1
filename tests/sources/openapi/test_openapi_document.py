"""Texts to plain JSON: what is read, and what is refused before it does harm."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.errors import InvalidDefinition
from toolweft.sources.openapi.document import MAX_DOCUMENT_BYTES, parse_document

HEAD = "openapi: 3.1.0\n"
# YAML's own line breaks and what no file may hold are not what this is about.
TEXTS = st.text(
    st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cc", "Cs")).filter(
        lambda c: c not in "\u007f\u0085\u2028\u2029\ufeff"
    ),
    max_size=8,
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda below: st.lists(below, max_size=3) | st.dictionaries(TEXTS, below, max_size=3),
    max_leaves=10,
)


@given(VALUES)
def test_json_and_the_same_as_yaml_are_read_alike(value: Any) -> None:
    document = {"openapi": "3.0.3", "x": value}
    text = json.dumps(document, ensure_ascii=False)
    assert parse_document(text.encode()) == document
    # Every JSON is YAML; a comment before it makes it no JSON.
    assert parse_document(f"# yaml\n{text}".encode()) == document


def test_yaml_is_read_as_the_json_it_stands_for() -> None:
    text = (
        HEAD
        + """
country: NO
switch: on
day: 2020-01-01
time: 12:30
binary: 0b11
quoted: "3"
tagged: !!str 3
number: 3
hex: 0x1F
float: 1.5e3
infinite: .inf
none: ~
empty:
yes: true
200: {a: 1}
"""
    )
    assert parse_document(text.encode()) == {
        "openapi": "3.1.0",
        "country": "NO",
        "switch": "on",
        "day": "2020-01-01",
        "time": "12:30",
        "binary": "0b11",
        "quoted": "3",
        "tagged": "3",
        "number": 3,
        "hex": 31,
        "float": 1500.0,
        "infinite": ".inf",
        "none": None,
        "empty": None,
        "yes": True,
        "200": {"a": 1},
    }


def test_an_alias_is_what_its_anchor_is() -> None:
    document = parse_document(f"{HEAD}a: &a {{k: [1]}}\nb: *a\n".encode())
    assert document["b"] == {"k": [1]}


def bomb(levels: int) -> str:
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, levels)]
    return HEAD + "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (bomb(40), r"line \d+, column \d+: the description has more than 4,000,000 values"),
        (f"{HEAD}a: &a [*a]", "no finished anchor"),
        (f"{HEAD}a: &a {{<<: *a}}", r"merge keys \(<<\)"),
        (f"{HEAD}x: {'[' * 100_000}", "nested deeper than 200 levels"),
        (f"{HEAD}x: {'[' * 300}{']' * 300}", "nested deeper than 200 levels"),
        ('{"openapi": "3.1.0", "x": ' + "[" * 300 + "]" * 300 + "}", "deeper than 200 levels"),
        ('{"a":' * 100_000, "nested deeper than 200 levels"),
        ('{"openapi": "3.1.0",}', r"no JSON: .* in line 1, column \d+"),
        ('{"openapi": NaN}', "no JSON"),
        (f"{HEAD} a: b\n  c", r"no YAML: .* in line 2, column \d+"),
        (f"{HEAD}a: [", "no YAML"),
        ("--- 1\n--- 2", "a second document begins"),
        (f"{HEAD}? [a]\n: b", "a key is a list, not a text"),
        (f"{HEAD}a: !!python/object/apply:os.system [id]\nb: *x", "no finished anchor"),
        ("swagger: '2.0'", r"Swagger '2\.0', not OpenAPI 3 \(convert it"),
        ('{"swagger": "2.0"}', r"Swagger '2\.0'"),
        ("openapi: 3.2.0", r"\$\.openapi is '3\.2\.0'; 3\.0\.x and 3\.1\.x"),
        ("openapi: 3.1", r"\$\.openapi is '3\.1'"),
        ("a: b", r"\$\.openapi is 'None'.*a page about it"),
        ("<html></html>", "the description is a str, not an object"),
        ("- a", "the description is a list, not an object"),
        ("", "the description is empty"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(text: str, reason: str) -> None:
    with pytest.raises(InvalidDefinition, match=reason):
        parse_document(text.encode())


def test_a_tag_makes_no_object() -> None:
    text = f"{HEAD}a: !!python/object/apply:os.system [id]\nb: !x 1"
    assert parse_document(text.encode()) == {"openapi": "3.1.0", "a": ["id"], "b": "1"}


def test_bytes_that_are_no_text_or_too_many_are_refused() -> None:
    with pytest.raises(InvalidDefinition, match="byte 3 of the description is not UTF-8"):
        parse_document(b"a: \xff")
    with pytest.raises(InvalidDefinition, match="the limit is"):
        parse_document(b" " * (MAX_DOCUMENT_BYTES + 1))
    assert parse_document(b"\xef\xbb\xbfopenapi: 3.0.0") == {"openapi": "3.0.0"}
