"""No schema makes the host read, connect or work for long."""

import time
from pathlib import Path
from typing import Any

import pytest
from tests.catalog.cases import tool

from toolweft.catalog.definitions import complete_definition
from toolweft.catalog.schemas import (
    MAX_SCHEMA_BYTES,
    check_input_schema,
    check_schema_bounds,
    check_schema_meaning,
)
from toolweft.core.errors import InvalidDefinition

PLACE = "the input schema of 'x'"


def check(schema: Any) -> None:
    check_schema_meaning(check_schema_bounds(schema, place=PLACE), place=PLACE)


def bomb(levels: int, *, keyword: str = "$defs") -> dict[str, Any]:
    """A schema that stands for 2^levels subschemas."""
    definitions: dict[str, Any] = {f"d{levels}": {"type": "string"}}
    for level in range(levels):
        reference = {"$ref": f"#/{keyword}/d{level + 1}"}
        definitions[f"d{level}"] = {"allOf": [reference, dict(reference)]}
    return {
        "type": "object",
        keyword: definitions,
        "properties": {"a": {"$ref": f"#/{keyword}/d0"}},
    }


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(levels):
        schema = {"properties": {"a": schema}}
    return schema


@pytest.mark.parametrize("schema", [None, {}, {"properties": {}}, {"type": ["object", "null"]}])
def test_a_missing_or_loose_type_becomes_object(schema: Any) -> None:
    assert check_input_schema(schema, place=PLACE)["type"] == "object"


@pytest.mark.parametrize("schema", [{"type": "string"}, [], "object", True, {"type": ["array"]}])
def test_an_input_schema_that_is_no_object_is_refused_with_its_place(schema: Any) -> None:
    with pytest.raises(InvalidDefinition, match="input schema of 'x'"):
        check_input_schema(schema, place=PLACE)


@pytest.mark.parametrize("keyword", ["$defs", "definitions"])
def test_a_bomb_of_references_is_refused_at_once(keyword: str) -> None:
    started = time.process_time()
    with pytest.raises(InvalidDefinition, match="stands for more than"):
        check(bomb(30, keyword=keyword))
    # Written out it would take hours.
    assert time.process_time() - started < 1


def test_a_modest_fan_of_references_is_accepted() -> None:
    check(bomb(5))


@pytest.mark.parametrize(
    "reference",
    ["file:///etc/passwd", "http://127.0.0.1:9/x", "other.json", "//host/x", "urn:x", "?a"],
)
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
def test_a_reference_that_leaves_the_schema_is_refused(keyword: str, reference: str) -> None:
    with pytest.raises(InvalidDefinition, match="outside the schema"):
        check({"type": "object", "properties": {"a": {keyword: reference}}})


def test_a_file_is_never_read_even_where_only_the_validator_sees_the_reference(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.json").write_text('{"type": "string"}', encoding="utf-8")
    schema = {"properties": {"a": {"$ref": (tmp_path / "a.json").as_uri()}}}
    with pytest.raises(InvalidDefinition, match="not a JSON Schema"):
        check_schema_meaning(schema, place=PLACE)


@pytest.mark.parametrize("reference", ["#/$defs/none", "#none", "#/properties/a/items/7", "#/x~1y"])
def test_a_reference_to_nothing_is_refused(reference: str) -> None:
    with pytest.raises(InvalidDefinition, match="does not exist"):
        check({"properties": {"a": {"$ref": reference}}})


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"a": {"$ref": "#"}}},
        {"$defs": {"a/b": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/a~1b"}}},
        {"$defs": {"x": {"$anchor": "here"}}, "properties": {"a": {"$ref": "#here"}}},
        {"properties": {"a": {"oneOf": [{}, {}]}, "b": {"$ref": "#/properties/a/oneOf/1"}}},
        {"properties": {"$ref": {"type": "string"}, "$id": {"type": "string"}}},
        {"properties": {"a": {"default": {"$ref": "http://example.com/x"}}}},
        {"$schema": "http://json-schema.org/draft-07/schema#", "definitions": {"x": {}}},
        {"$schema": "https://example.com/unknown", "type": "object"},
        {"items": [{"type": "string"}], "$schema": "http://json-schema.org/draft-07/schema#"},
        {"if": True, "additionalProperties": False},
    ],
)
def test_what_real_schemas_do_is_accepted(schema: dict[str, Any]) -> None:
    check(schema)


def test_a_deep_schema_is_refused_before_anything_recurses_over_it() -> None:
    with pytest.raises(InvalidDefinition, match="nested deeper"):
        check(nested(3_000))


def test_a_long_chain_of_references_is_refused() -> None:
    definitions = {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(3_000)}
    schema = {"$defs": {**definitions, "d3000": {}}, "properties": {"a": {"$ref": "#/$defs/d0"}}}
    with pytest.raises(InvalidDefinition, match="references are followed"):
        check(schema)


def test_a_schema_that_holds_itself_is_refused() -> None:
    schema: dict[str, Any] = {}
    schema["properties"] = schema
    with pytest.raises(InvalidDefinition, match="nested deeper"):
        check(schema)


def test_a_schema_with_too_many_values_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="larger than"):
        check({"x": [[] for _ in range(MAX_SCHEMA_BYTES + 1)]})


def test_a_subschema_with_an_identity_of_its_own_is_refused_beside_references() -> None:
    schema = {"properties": {"a": {"$id": "http://a/b", "$ref": "#"}}}
    with pytest.raises(InvalidDefinition, match=r"\$id 'http://a/b'"):
        check(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strng"},
        {"properties": [1]},
        {"properties": {"a": {"pattern": "("}}},
        {"required": "a"},
    ],
)
def test_what_is_no_json_schema_is_refused_in_the_validators_words(schema: dict[str, Any]) -> None:
    with pytest.raises(InvalidDefinition, match="not a JSON Schema: "):
        check(schema)


def test_keys_that_are_no_strings_are_refused() -> None:
    with pytest.raises(InvalidDefinition, match="the key 1"):
        check({"properties": {1: {}}})


def test_an_output_schema_that_is_no_object_is_refused() -> None:
    with pytest.raises(InvalidDefinition, match="not an object"):
        check([])


def test_a_list_of_very_many_plain_values_is_refused_as_it_is_counted() -> None:
    with pytest.raises(InvalidDefinition, match="larger than"):
        check_schema_bounds({"enum": [1] * MAX_SCHEMA_BYTES}, place="x")


def test_a_schema_that_is_too_large_never_reaches_the_validator() -> None:
    # Not valid either, as the validator would say first.
    schema = {"minProperties": "many", "enum": ["x" * MAX_SCHEMA_BYTES]}
    for definition in (tool("x", input_schema=schema), tool("x", output_schema=schema)):
        with pytest.raises(InvalidDefinition, match="larger than"):
            complete_definition(definition)
