"""The small pure parts: arguments, schemas, contents, descriptions, errors."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.calls import Blob, TextContent
from toolweft.core.errors import ContextFull
from toolweft.core.json import Json
from toolweft.core.messages import ModelTool
from toolweft.providers.openai_wire import (
    build_error,
    data_url,
    is_strict_schema,
    join_text,
    parse_arguments,
    render_description,
)


def strict(**properties: Json) -> dict[str, Json]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


@given(st.text())
def test_arguments_are_an_object_or_a_fault(text: str) -> None:
    arguments, fault = parse_arguments(text)

    assert (arguments is None) == bool(fault)
    assert arguments is None or isinstance(arguments, dict)


@pytest.mark.parametrize(
    ("given_arguments", "expected"),
    [("", {}), (" ", {}), ({"a": 1}, {"a": 1}), ('{"a":1}', {"a": 1})],
)
def test_arguments_may_come_as_an_object_or_not_at_all(
    given_arguments: Json, expected: Json
) -> None:
    assert parse_arguments(given_arguments) == (expected, "")


def test_arguments_that_nest_without_end_are_a_fault() -> None:
    arguments, fault = parse_arguments('{"a":' * 100_000)

    assert arguments is None
    assert fault
    assert len(fault) < 300


STRICT = [
    strict(),
    strict(a={"type": "string"}, b=strict(c={"type": "integer"})),
    strict(a={"type": "array", "items": strict()}),
    strict(a={"anyOf": [{"type": "null"}, strict()]}),
    {**strict(a={"$ref": "#/$defs/b"}), "$defs": {"b": strict()}},
]
LOOSE: list[Json] = [
    True,
    {"type": "string"},
    {"type": "object"},
    {**strict(a={}), "required": []},
    {**strict(), "anyOf": [strict()]},
    strict(a={"type": "object"}),
    strict(a={"type": ["object", "null"]}),
    strict(a={"properties": {"b": {}}}),
    strict(a={"items": {"type": "object"}}),
    strict(a={"allOf": [strict()]}),
    strict(a=True),
]


@pytest.mark.parametrize("schema", STRICT)
def test_a_schema_that_leaves_nothing_open_is_strict(schema: Json) -> None:
    assert is_strict_schema(schema)


@pytest.mark.parametrize("schema", LOOSE)
def test_a_schema_that_leaves_something_open_is_not(schema: Json) -> None:
    assert not is_strict_schema(schema)


def test_a_schema_that_nests_too_deeply_is_not_strict() -> None:
    schema = strict()
    for _ in range(12):
        schema = strict(a=schema)

    assert not is_strict_schema(schema)


def test_bytes_become_an_address_or_a_note() -> None:
    blob = Blob(data=b"\x00\x01", media_type="image/png")

    assert data_url(blob) == "data:image/png;base64,AAE="
    assert join_text((TextContent("a"), blob)) == "a\n[image/png, 2 bytes]"


def test_a_description_of_nothing_is_empty() -> None:
    tool = ModelTool(name="t", description="", input_schema={}, output_schema={"type": "object"})

    assert render_description(tool, has_output_schema=True) == ""
    assert render_description(tool, has_output_schema=False).startswith("Returns JSON")


FULL: list[Json] = [
    {"error": {"code": "context_length_exceeded", "message": "too long"}},
    {"error": {"code": 400, "type": "exceed_context_size_error", "message": "too long"}},
    {"error": {"message": "This model's maximum context length is 4096 tokens."}},
    {"object": "error", "message": "This model's maximum context length is 4096 tokens."},
    {"error": "the request exceeds the available context size"},
]


@pytest.mark.parametrize("body", FULL)
def test_a_full_context_is_told_apart_whoever_says_so(body: Json) -> None:
    assert isinstance(build_error(body, status=400), ContextFull)


def test_words_about_the_context_alone_do_not_make_a_server_error_one() -> None:
    body = {"error": {"message": "maximum context length could not be read"}}

    assert not isinstance(build_error(body, status=500), ContextFull)


@pytest.mark.parametrize(
    ("status", "code", "is_retryable"),
    [
        (400, None, False),
        (401, "invalid_api_key", False),
        (404, "model_not_found", False),
        (408, None, False),
        (429, "rate_limit_exceeded", True),
        (429, "insufficient_quota", False),
        (500, None, True),
        (503, "overloaded", True),
        (529, None, True),
        (None, "server_error", True),
        (None, None, False),
    ],
)
def test_what_may_pass_can_be_asked_again(
    status: int | None, code: str | None, *, is_retryable: bool
) -> None:
    error = build_error({"error": {"message": "no", "code": code}}, status=status)

    assert error.is_retryable is is_retryable
    assert error.status == status


@pytest.mark.parametrize("body", [None, [], 3, "", {}, {"error": None}, {"error": {"message": 3}}])
def test_an_error_that_says_nothing_is_still_one(body: Json) -> None:
    assert build_error(body, status=500).message


def test_a_long_message_is_cut() -> None:
    assert len(build_error("<html>" * 10_000, status=502).message) < 700
