"""Descriptions as they are published, read into tools."""

from pathlib import Path
from typing import Any

import pytest
from tests.sources.openapi.live import describe_paths

from toolweft.catalog import Catalog
from toolweft.catalog.options import CatalogOptions
from toolweft.core.errors import InvalidDefinition
from toolweft.core.ids import SourceName
from toolweft.core.snapshot import CatalogTool, SourceStatus
from toolweft.sources.openapi.definitions import build_definition
from toolweft.sources.openapi.document import parse_document
from toolweft.sources.openapi.model import Operation
from toolweft.sources.openapi.operations import (
    find_idle_globs,
    read_description,
    select_operations,
)

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "openapi"


def load(name: str) -> dict[str, Operation]:
    description = read_description(parse_document((FIXTURES / name).read_bytes()))
    return {operation.name: operation for operation in description.operations}


def read(*operations: dict[str, Any], **more: Any) -> list[Operation]:
    paths = {f"/p{number}": {"post": raw} for number, raw in enumerate(operations)}
    return list(read_description(describe_paths(paths, **more)).operations)


def listed(operations: dict[str, Operation]) -> dict[str, CatalogTool]:
    """The tools as a catalog checks and shows them."""
    catalog = Catalog(CatalogOptions())
    status = SourceStatus(
        name=SourceName("api"), python_name="", kind="openapi", state="ready", reason=""
    )
    catalog.source_changed(
        status,
        [
            build_definition(operation, namespace=SourceName("api"), timeout_s=None)
            for operation in operations.values()
        ],
    )
    return {tool.definition.name: tool for tool in catalog.snapshot.tools.values()}


def test_a_petstore_becomes_tools() -> None:
    tools = listed(load("petstore.yaml"))
    assert {name: (tool.severity, tool.status) for name, tool in tools.items()} == {
        "listPets": ("read_only", "available"),
        "addPet": ("write", "available"),
        "getPet": ("read_only", "available"),
        "delete_pets_petId": ("destructive", "available"),
        "uploadPhoto": ("write", "available"),
        "downloadPhoto": ("read_only", "available"),
    }
    first = tools["listPets"].definition
    assert (first.short_description, first.category) == ("List pets", "pets")
    assert first.input_schema["properties"] == {
        "limit": {"type": "integer", "default": 20, "maximum": 100},
        "status": {
            "type": "array",
            "items": {"type": "string", "enum": ["available", "sold", "on"]},
            "description": "Any of these.",
        },
    }
    assert tools["getPet"].definition.description == "One pet"
    assert tools["delete_pets_petId"].definition.description == "Deprecated: Give a pet away"
    assert tools["delete_pets_petId"].definition.hints.idempotent is True
    assert tools["addPet"].definition.hints.idempotent is False
    assert "[openapi.api.configs.delete_pets_petId]" in tools["delete_pets_petId"].callers_reason


def test_a_servers_variables_are_filled_in() -> None:
    assert load("petstore.yaml")["getPet"].server == "https://eu.pets.example/v2"


def test_schemas_of_30_become_plain_ones() -> None:
    operations = load("petstore.yaml")
    given = operations["addPet"].input_schema
    assert given["required"] == ["name"]
    properties = given["properties"]
    assert list(properties) == ["name", "chip", "secret", "owner", "kind"]
    assert properties["name"] == {"type": "string", "examples": ["Rex"]}
    assert properties["chip"] == {"type": ["string", "null"]}
    assert properties["owner"]["anyOf"][1] == {"type": "null"}
    assert properties["kind"]["description"] == "species names the variant: cat, dog"
    assert len(properties["kind"]["anyOf"]) == 2
    path = operations["getPet"].input_schema["properties"]["petId"]
    assert path == {"type": "integer", "format": "int64", "exclusiveMinimum": 0}
    answered = operations["getPet"].output_schema
    assert answered is not None
    assert "secret" not in answered["properties"]
    assert answered["properties"]["id"] == {"type": "integer"}


def test_cycles_are_cut_where_they_close() -> None:
    operations = load("codehost.json")
    answered = operations["issues/create"].output_schema
    assert answered is not None
    assert find_cycles(answered) == []
    assert answered["properties"]["user"] == {"$ref": "#/$defs/user"}
    cut = {"type": "object", "description": "user, whose parts are not written out here"}
    assert answered["$defs"]["repository"]["properties"]["owner"] == cut
    tree = operations["git/create-tree"].input_schema
    assert find_cycles(tree) == []
    assert tree["$defs"]["tree"]["properties"]["tree"]["items"]["type"] == "object"


@pytest.mark.promise("sources.openapi-alone")
def test_a_broken_operation_is_disabled_with_its_reason_and_no_other() -> None:
    tools = listed(load("codehost.json"))
    refused = {name: tool.status_reason for name, tool in tools.items() if tool.status_reason}
    assert refused == {
        "get_search": "the reference 'https://elsewhere.example/parameters.json#/q' leads out of "
        "the description, and is not followed"
    }
    # What it answers is nothing that a call needs.
    assert tools["post_search"].definition.output_schema is None


def test_names_in_several_places_get_a_suffix_that_lasts() -> None:
    properties = load("codehost.json")["issues/create"].input_schema["properties"]
    assert list(properties) == ["owner", "repo", "title", "owner_body", "labels"]
    assert properties["owner_body"]["description"] == "Who looks after it."


def test_names_follow_from_the_operation_alone() -> None:
    paths: dict[str, Any] = {
        "/a/{b}": {"get": {}, "post": {"operationId": "same"}},
        "/a/b": {"get": {}, "post": {"operationId": "same"}},
        "/": {"get": {}},
        "/c": {"get": {"operationId": " c.d "}},
        "/d": {"get": {"operationId": "get_a_b"}},
        "x-not-a-path": {"get": {}},
    }
    paths["/a/{b}"]["parameters"] = [{"name": "b", "in": "path", "schema": {}}]
    names = [operation.name for operation in read_description(describe_paths(paths)).operations]
    turned = dict(reversed(paths.items()))
    assert sorted(names) == sorted(
        operation.name for operation in read_description(describe_paths(turned)).operations
    )
    assert len(set(names)) == 7
    assert {"get_root", "c.d", "get_a_b"} <= set(names)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ({"parameters": [{"in": "query"}]}, "parameter 1 has the name 'None'"),
        ({"parameters": [{"name": "a", "in": "body"}]}, "is in 'body'"),
        ({"parameters": [{"name": "A\r\nB", "in": "header"}]}, "which is none"),
        ({"parameters": ["a"]}, "parameter 1 is 'a', not an object"),
        ({"parameters": [{"$ref": "#/x/loop"}]}, "leads in a circle"),
        ({"parameters": [{"name": "a", "in": "path", "style": "form"}]}, "style 'form'"),
        (
            {"parameters": [{"name": "a", "in": "query", "content": {"text/csv": {}}}]},
            "written as 'text/csv'",
        ),
        ({"requestBody": {"$ref": "other.yaml#/x"}}, "leads out of the description"),
        ({"requestBody": {"$ref": "file:///etc/passwd"}}, "leads out of the description"),
        (
            {"requestBody": {"content": {"application/json": {"schema": {"$ref": "#/no"}}}}},
            "'#/no' leads nowhere",
        ),
    ],
)
def test_what_is_wrong_with_an_operation_is_said(raw: dict[str, Any], reason: str) -> None:
    broken, sound = read(raw, {}, x={"loop": {"$ref": "#/x/loop"}})
    assert reason in broken.problem
    assert sound.problem == ""


def test_a_path_without_its_parameter_is_refused() -> None:
    (operation,) = read_description(describe_paths({"/a/{id}": {"get": {}}})).operations
    assert "has {id}, and no path parameter is named so" in operation.problem
    (operation,) = read_description(describe_paths({"/a?b=c": {"get": {}}})).operations
    assert "holds a query or a fragment" in operation.problem


def test_a_path_that_cannot_be_found_keeps_its_place() -> None:
    paths: dict[str, Any] = {"/a": {"$ref": "#/nowhere"}, "/b": {"get": {}}}
    broken, sound = read_description(describe_paths(paths)).operations
    assert (broken.name, sound.problem) == ("get_a", "")
    assert "leads nowhere" in broken.problem


@pytest.mark.parametrize("document", [{"paths": []}, {}, {"paths": None}])
def test_a_part_of_a_description_is_no_description(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidDefinition, match=r"\$\.paths"):
        read_description({"openapi": "3.0.0", **document})


def media(schema: Any, kind: str = "application/json") -> dict[str, Any]:
    return {"content": {kind: {"schema": schema}}}


@pytest.mark.parametrize(
    ("responses", "schema"),
    [
        ({"200": media({"type": "array"})}, {"type": "array"}),
        ({"2XX": media({"type": "array"})}, {"type": "array"}),
        ({"default": media({"type": "array"})}, {"type": "array"}),
        ({"201": media({"type": "array"}), "default": media({})}, {"type": "array"}),
        (
            {"200": media({"type": "array"}), "204": {}},
            {"anyOf": [{"type": "array"}, {"type": "null"}]},
        ),
        ({"204": {}}, None),
        ({"400": media({"type": "array"})}, None),
        ({"200": media({"type": "string"}, "text/plain")}, None),
        ({"200": {"content": {"application/json": {}}}}, None),
        ({"200": media({"$ref": "#/nowhere"})}, None),
    ],
)
def test_what_is_answered(responses: dict[str, Any], schema: Any) -> None:
    (operation,) = read({"responses": responses})
    assert operation.output_schema == schema


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        ({"properties": {"a": {}}}, ["a"]),
        ({"type": "object", "properties": {"a": {}}, "additionalProperties": False}, ["a"]),
        ({"allOf": [{"$ref": "#/x/a"}, {"properties": {"b": {}}}]}, ["a", "b"]),
        ({"type": "object"}, ["body"]),
        ({"type": "array"}, ["body"]),
        ({"properties": {"a": {}}, "additionalProperties": True}, ["body"]),
        ({"properties": {"a": {}}, "oneOf": [{"required": ["a"]}]}, ["body"]),
        ({"allOf": [{"$ref": "#/x/a"}, {"properties": {"a": {}}}]}, ["body"]),
        ({"allOf": [{"$ref": "#/x/loop"}]}, ["body"]),
        (True, ["body"]),
    ],
)
def test_a_body_that_is_only_its_properties_becomes_arguments(
    schema: Any, arguments: list[str]
) -> None:
    (operation,) = read(
        {"requestBody": media(schema)},
        x={"a": {"properties": {"a": {}}}, "loop": {"allOf": [{"$ref": "#/x/loop"}]}},
    )
    assert list(operation.input_schema["properties"]) == arguments


def test_a_schema_that_grows_is_bounded() -> None:
    """Each of 30 levels refers to the next one four times: 4^30 schemas."""
    chain = {
        f"s{n}": {
            "type": "object",
            "properties": {key: {"$ref": f"#/components/schemas/s{n + 1}"} for key in "abcd"},
        }
        for n in range(30)
    }
    chain["s30"] = {"type": "string"}
    raw = {"responses": {"200": media({"$ref": "#/components/schemas/s0"})}}
    (operation,) = read(raw, components={"schemas": chain})
    assert operation.output_schema is not None
    assert 1 <= len(operation.output_schema["$defs"]) <= 6
    tools = listed({"x": operation})
    assert [tool.status for tool in tools.values()] == ["available"]


def test_a_long_chain_is_read_without_recursion() -> None:
    chain: dict[str, Any] = {
        f"s{n}": {"properties": {"next": {"$ref": f"#/components/schemas/s{n + 1}"}}}
        for n in range(5000)
    }
    chain["s5000"] = {"$ref": "#/components/schemas/s0"}
    raw = {"responses": {"200": media({"$ref": "#/components/schemas/s0"})}}
    (operation,) = read(raw, components={"schemas": chain})
    assert operation.output_schema is not None
    assert 10 <= len(operation.output_schema["$defs"]) <= 300


def test_globs_choose_operations() -> None:
    operations = tuple(load("petstore.yaml").values())

    def names(include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
        chosen = select_operations(operations, include=include, exclude=exclude)
        return [operation.name for operation in chosen]

    assert len(names()) == 6
    assert names(("*Photo",)) == ["uploadPhoto", "downloadPhoto"]
    assert names(("GET *",), ("*Photo",)) == ["listPets", "getPet"]
    assert names(exclude=("* /pets*",)) == []
    globs = ("*Photo", "GET /pet", "get /pets", "DELETE *", "nothing")
    assert find_idle_globs(operations, globs) == ("GET /pet", "get /pets", "nothing")


def find_cycles(schema: dict[str, Any]) -> list[str]:
    """Definitions that can be reached from themselves."""
    definitions = schema.get("$defs", {})

    def references(value: Any) -> set[str]:
        if isinstance(value, dict):
            own = (
                {value["$ref"].rpartition("/")[2]} if isinstance(value.get("$ref"), str) else set()
            )
            return own.union(*(references(below) for below in value.values()))
        if isinstance(value, list):
            return set().union(*map(references, value))
        return set()

    direct = {name: references(below) for name, below in definitions.items()}
    assert set().union(*direct.values()) <= set(definitions)
    found = []
    for start in direct:
        seen: set[str] = set()
        pending = list(direct[start])
        while pending:
            name = pending.pop()
            if name not in seen:
                seen.add(name)
                pending += direct[name]
        if start in seen:
            found.append(start)
    return found


@pytest.mark.parametrize(
    ("raw", "short", "description"),
    [
        ({"summary": "Find", "description": "It all."}, "Find", "Find\n\nIt all."),
        (
            {"summary": "Find", "deprecated": True, "description": "It all."},
            "Deprecated: Find",
            "Deprecated: Find\n\nIt all.",
        ),
        (
            {"description": "Find a thing. By name.", "deprecated": True},
            "Deprecated: Find a thing.",
            "Deprecated: Find a thing. By name.",
        ),
        ({"deprecated": True}, "Deprecated.", "Deprecated."),
        ({"deprecated": "no"}, "POST /p0", "POST /p0"),
    ],
)
def test_an_operation_that_is_deprecated_says_so_and_what_it_does(
    raw: dict[str, Any], short: str, description: str
) -> None:
    (operation,) = read({"operationId": "ask", **raw})
    definition = listed({"ask": operation})["ask"].definition

    assert (definition.short_description, definition.description) == (short, description)
