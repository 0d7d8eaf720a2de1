"""Values into addresses, and back by readers that know nothing of us."""

import json
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sources.openapi.styles import encode_header, encode_pairs, encode_path

# The table of OpenAPI 3.1, "Style Examples", with what RFC 6570 says of labels.
ARRAY = ["blue", "black", "brown"]
OBJECT = {"R": 100, "G": 200}


@pytest.mark.parametrize(
    ("style", "explode", "text", "array", "record"),
    [
        ("matrix", False, ";color=blue", ";color=blue,black,brown", ";color=R,100,G,200"),
        ("matrix", True, ";color=blue", ";color=blue;color=black;color=brown", ";R=100;G=200"),
        ("label", False, ".blue", ".blue,black,brown", ".R,100,G,200"),
        ("label", True, ".blue", ".blue.black.brown", ".R=100.G=200"),
        ("simple", False, "blue", "blue,black,brown", "R,100,G,200"),
        ("simple", True, "blue", "blue,black,brown", "R=100,G=200"),
    ],
)
def test_paths_as_the_specification_writes_them(
    style: Any, explode: bool, text: str, array: str, record: str
) -> None:
    given_to = {"style": style, "explode": explode}
    assert encode_path("color", "blue", **given_to) == text
    assert encode_path("color", ARRAY, **given_to) == array
    assert encode_path("color", OBJECT, **given_to) == record


@pytest.mark.parametrize(
    ("style", "explode", "array", "record"),
    [
        ("form", False, "color=blue,black,brown", "color=R,100,G,200"),
        ("form", True, "color=blue&color=black&color=brown", "R=100&G=200"),
        ("spaceDelimited", False, "color=blue%20black%20brown", "color=R%20100%20G%20200"),
        ("pipeDelimited", False, "color=blue%7Cblack%7Cbrown", "color=R%7C100%7CG%7C200"),
        (
            "deepObject",
            True,
            "color[0]=blue&color[1]=black&color[2]=brown",
            "color[R]=100&color[G]=200",
        ),
    ],
)
def test_queries_as_the_specification_writes_them(
    style: Any, explode: bool, array: str, record: str
) -> None:
    def query(value: Any) -> str:
        pairs = encode_pairs("color", value, style=style, explode=explode)
        return "&".join(f"{key}={text}" for key, text in pairs)

    assert query(ARRAY) == array
    assert query(OBJECT) == record


def test_headers_are_not_escaped() -> None:
    assert encode_header(["a b", "c"], explode=False) == "a b,c"
    assert encode_header(OBJECT, explode=True) == "R=100,G=200"


ANY_TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)


@given(name=ANY_TEXT, values=st.lists(ANY_TEXT, max_size=4))
def test_a_list_in_a_query_is_read_back(name: str, values: list[str]) -> None:
    pairs = encode_pairs(name, values, style="form", explode=True)
    query = "&".join(f"{key}={text}" for key, text in pairs)
    assert parse_qsl(query, keep_blank_values=True) == [(name, value) for value in values]


@given(values=st.lists(ANY_TEXT, min_size=1, max_size=4))
@pytest.mark.parametrize(
    ("style", "between"), [("form", ","), ("spaceDelimited", "%20"), ("pipeDelimited", "%7C")]
)
def test_values_between_delimiters_stay_apart(style: Any, between: str, values: list[str]) -> None:
    # What delimits inside a value is written as it is outside; only the comma can be told apart.
    plain = [value.replace(" ", "").replace("|", "") for value in values]
    ((_, text),) = encode_pairs("k", plain, style=style, explode=False)
    assert [unquote(part) for part in text.split(between)] == plain


@given(
    record=st.dictionaries(
        ANY_TEXT.filter(bool), ANY_TEXT | st.integers() | st.booleans(), max_size=4
    )
)
def test_a_deep_object_keeps_its_keys(record: dict[str, Any]) -> None:
    pairs = encode_pairs("f", record, style="deepObject", explode=True)
    query = "&".join(f"{key}={text}" for key, text in pairs)
    read = {
        key.removeprefix("f[").removesuffix("]"): value
        for key, value in parse_qsl(query.replace("+", "%2B"), keep_blank_values=True)
    }
    assert read == {
        key: value if isinstance(value, str) else json.dumps(value) for key, value in record.items()
    }


@given(value=ANY_TEXT)
@pytest.mark.parametrize("style", ["simple", "label", "matrix"])
def test_a_value_stays_in_its_part_of_the_path(style: Any, value: str) -> None:
    text = encode_path("id", value, style=style, explode=False)
    assert not set("/?#\\ \n") & set(text)
    start = {"simple": "", "label": ".", "matrix": ";id="}[style]
    assert unquote(text.removeprefix(start)) == value


ODD_TEXT = st.text(st.sampled_from("ab:/?#[]@!$&'()*+,;=% \u20ac"), max_size=12)


@given(value=ANY_TEXT | ODD_TEXT, other=ODD_TEXT)
def test_reserved_characters_stay_in_their_parameter(value: str, other: str) -> None:
    pairs = [
        *encode_pairs("k", value, style="form", explode=True, allow_reserved=True),
        *encode_pairs("o", {"m": other}, style="deepObject", explode=True, allow_reserved=True),
    ]
    query = "&".join(f"{key}={text}" for key, text in pairs)
    read = urlsplit(f"http://localhost/?{query}").query

    assert parse_qsl(read, keep_blank_values=True) == [("k", value), ("o[m]", other)]
    # As older services read it, and cookies.
    assert len(query.replace(";", "&").split("&")) == 2


def test_reserved_characters_that_can_hurt_nothing_stay_as_they_are() -> None:
    def encoded(value: Any) -> list[tuple[str, str]]:
        return encode_pairs("k", value, style="form", explode=True, allow_reserved=True)

    assert encoded(":/?@!$'()*,=") == [("k", ":/?@!$'()*,=")]
    assert encoded("x#y&admin=1") == [("k", "x%23y%26admin=1")]
    assert encoded("a;b+c%26[d]") == [("k", "a%3Bb%2Bc%2526%5Bd%5D")]
    assert encoded("\ud800") == [("k", "?")]
