import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.calls.test_measure import PLAIN, ROUGH

from toolweft.calls.normalise import Normalised, normalise, render_error_text
from toolweft.calls.options import CallOptions
from toolweft.core.calls import MISSING, Blob, Content, LinkContent, RawResult, TextContent
from toolweft.core.errors import ResultTooLarge, ToolFailed
from toolweft.core.json import Json, JsonSchema

PNG = Blob(data=b"\x89PNG", media_type="image/png")


def shape(
    structured: Json = MISSING,
    *content: Content,
    schema: JsonSchema | None = None,
    options: CallOptions | None = None,
) -> Normalised:
    return normalise(
        RawResult(structured=structured, content=content),
        tool="s.t",
        output_schema=schema,
        options=options or CallOptions(),
    )


def read(*texts: str, options: CallOptions | None = None) -> Normalised:
    return shape(MISSING, *map(TextContent, texts), options=options)


@given(PLAIN)
def test_plain_json_goes_through_as_it_is_and_reads_back_the_same(value: Json) -> None:
    normal = shape(value, schema={"type": "object"})

    assert normal.value == value
    assert json.loads(normal.encoded) == value


@given(ROUGH)
def test_encoded_and_value_always_agree(value: Json) -> None:
    normal = shape(value)

    assert json.loads(normal.encoded.decode()) == normal.value


@given(st.text())
def test_encoded_and_value_agree_for_any_text(text: str) -> None:
    normal = read(text)

    assert json.loads(normal.encoded.decode()) == normal.value


@given(PLAIN.filter(lambda value: isinstance(value, (dict, list))))
def test_an_object_or_array_in_text_is_parsed_and_its_bytes_reused(value: Json) -> None:
    text = json.dumps(value, indent=1, ensure_ascii=False)

    normal = read(text)

    assert normal.value == value
    assert normal.encoded == text.encode()


def test_structured_content_wins_over_text_and_is_not_doubled() -> None:
    assert shape({"n": 1}, TextContent('{"n": 2}')).value == {"n": 1}


def test_a_structured_null_is_a_value() -> None:
    assert shape(None, TextContent("text")).value is None


def test_no_content_is_null() -> None:
    assert read() == Normalised(None, b"null", 4)


@pytest.mark.promise("calls.unwrapped")
@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (None, [1]),
        ({"type": "object", "properties": {"result": {"type": "array"}}}, [1]),
        ({"type": "object", "additionalProperties": {"type": "array"}}, {"result": [1]}),
    ],
    ids=["no schema", "an envelope", "another object"],
)
def test_a_lone_result_is_taken_out_of_its_envelope(
    schema: JsonSchema | None, expected: Json
) -> None:
    assert shape({"result": [1]}, schema=schema).value == expected


def test_a_result_among_others_stays() -> None:
    assert shape({"result": 1, "page": 2}).value == {"result": 1, "page": 2}


def test_an_object_in_text_is_no_envelope() -> None:
    assert read('{"result": 1}').value == {"result": 1}


def test_a_string_is_parsed_only_where_the_tool_declares_no_type() -> None:
    text = '{"n": 1}'

    assert shape(text).value == {"n": 1}
    assert shape(text, schema={"type": "string"}).value == text


@pytest.mark.parametrize("text", ["5", "null", "true", '"x"', "plain", "", "{broken", "[1, 2"])
def test_other_text_stays_text(text: str) -> None:
    assert read(text).value == text


def test_several_objects_become_a_list() -> None:
    assert read('{"a": 1}', "[2]").value == [{"a": 1}, [2]]


def test_several_texts_are_joined_where_one_is_no_object() -> None:
    assert read('{"a": 1}', "and more").value == '{"a": 1}\nand more'


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": -Infinity}', '{"a": 1e999}'])
def test_numbers_json_does_not_have_become_null(text: str) -> None:
    normal = read(text)

    assert normal.value == {"a": None}
    assert normal.encoded == b'{"a":null}'


def test_a_structured_nan_becomes_null() -> None:
    assert shape([1.5, math.nan]) == Normalised([1.5, None], b"[1.5,null]", 10)


def test_half_characters_are_replaced() -> None:
    assert read('{"a": "\\ud800"}').value == {"a": "\ufffd"}
    assert read('{"a": "\ud800"}').value == {"a": "\ufffd"}
    assert read("\ud800").value == "\ufffd"
    assert read('["\\ud83d\\ude00"]').value == ["\U0001f600"]


def test_a_lone_blob_is_the_value() -> None:
    assert shape(MISSING, PNG) == Normalised(PNG, b"", 0, 4)
    assert shape(PNG) == Normalised(PNG, b"", 0, 4)


def test_blobs_among_others_are_items_of_a_list() -> None:
    link = LinkContent(uri="file:///a", name="a", media_type="text/plain")
    normal = shape(MISSING, TextContent('{"n": 1}'), PNG, TextContent("note"), link)

    assert normal.value == [
        {"n": 1},
        PNG,
        "note",
        {"uri": "file:///a", "name": "a", "media_type": "text/plain"},
    ]
    assert normal.encoded == b""
    assert (normal.json_bytes, normal.blob_bytes) == (73, 4)


def test_a_link_is_an_address_and_a_name() -> None:
    assert shape(MISSING, LinkContent(uri="file:///a")).value == {"uri": "file:///a", "name": None}


def test_a_link_says_whose_it_is_where_that_is_known() -> None:
    raw = RawResult(content=(LinkContent(uri="memo://a"),))
    normal = normalise(raw, tool="docs.a", output_schema=None, options=CallOptions(), source="docs")
    assert normal.value == {"uri": "memo://a", "name": None, "source": "docs"}


def test_values_beside_blobs_are_mended_too() -> None:
    assert shape([math.inf, PNG, 1]).value == [None, PNG, 1]


@pytest.mark.parametrize("value", [{"a": PNG}, [[PNG]], {"a": {1}}, {1: 2}])
def test_what_json_does_not_have_is_the_tools_failure(value: Json) -> None:
    with pytest.raises(ToolFailed, match="which JSON does not have") as caught:
        shape(value)

    assert caught.value.hint is not None


def test_a_number_too_long_to_write_is_the_tools_failure() -> None:
    with pytest.raises(ToolFailed, match="cannot be written"):
        shape([10**5_000])


@pytest.mark.parametrize(
    "raw",
    [
        RawResult(structured="x" * 200),
        RawResult(structured="é" * 60),
        RawResult(structured=list(range(200))),
        RawResult(structured=Blob(data=b"x" * 200)),
        RawResult(structured=[Blob(data=b"x" * 60), "y" * 60]),
        RawResult(content=(TextContent("x" * 200),)),
        RawResult(content=(TextContent('["' + "é" * 60 + '"]'),)),
        RawResult(content=(TextContent("x" * 60), TextContent("x" * 60))),
        RawResult(content=(Blob(data=b"x" * 200),)),
        RawResult(structured=1, content=(TextContent("x" * 200),)),
        RawResult(content=(LinkContent(uri="x" * 200),)),
    ],
)
def test_nothing_above_the_cap_passes(raw: RawResult) -> None:
    with pytest.raises(ResultTooLarge, match="the limit is 100") as caught:
        normalise(raw, tool="s.t", output_schema={}, options=CallOptions(max_result_bytes=100))

    assert "max_result_bytes" in str(caught.value.hint)


@pytest.mark.parametrize("brackets", [("[", "]"), ('{"a":', "}")])
def test_deep_nesting_is_refused_in_text_and_in_values(brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    text = opening * 150 + "1" + closing * 150

    with pytest.raises(ResultTooLarge, match="deeper than 100"):
        read(text)
    with pytest.raises(ResultTooLarge, match="deeper than 100"):
        read(text.replace("1", "NaN"))
    with pytest.raises(ResultTooLarge, match="deeper than 100"):
        shape(json.loads(text))


def test_text_nested_beyond_any_parser_ends_clearly() -> None:
    text = "[" * 100_000

    assert read(text).value == text


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert read(json.dumps([[]] * 500)).value == [[]] * 500


def test_a_failing_tools_text_is_clean_and_short() -> None:
    raw = RawResult(content=(TextContent("a\r\nb\x00\x1b[1m\tc\x9b"), PNG, TextContent("d\ud800")))

    assert render_error_text(raw) == "a\nb[1m\tc\nd?"


@given(st.text())
def test_a_failing_tools_text_is_never_above_4_kib(text: str) -> None:
    raw = RawResult(content=(TextContent(text * 300),), is_error=True)

    assert len(render_error_text(raw).encode()) <= 4096


def test_a_failing_tools_structured_reason_is_shown() -> None:
    assert render_error_text(RawResult(structured={"error": "no"})) == '{"error":"no"}'
    assert render_error_text(RawResult(structured="no")) == "no"
    assert render_error_text(RawResult(structured=["x" * 10_000])) == ""
    assert render_error_text(RawResult()) == ""


@pytest.mark.parametrize("text", ["[Infinity War] is a film", "[NaN", '{"a": 1e999, oops'])
def test_text_that_begins_like_json_with_an_odd_number_stays_text(text: str) -> None:
    assert read(text).value == text
