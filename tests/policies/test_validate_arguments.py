import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.policies.chains import Chain, build_call, build_tool, with_schema

from toolweft.core.errors import InvalidArguments, InvalidDefinition
from toolweft.core.json import Json, JsonSchema
from toolweft.core.schema_faults import render_path
from toolweft.core.snapshot import CatalogTool
from toolweft.policies import ValidateArguments

TOOL = build_tool(
    {
        "city": {"type": "string"},
        "items": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "count": {"minimum": 1}},
                "required": ["name"],
                "additionalProperties": False,
            },
        },
        "unit": {"enum": ["celsius", "kelvin"]},
        "when": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
    },
    required=["city"],
)
OPEN: JsonSchema = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "depth": {"type": "integer"}},
    "required": ["city"],
}


async def check(arguments: Json, tool: CatalogTool = TOOL, **options: int) -> Json:
    """What a tool would receive."""
    chain = Chain(ValidateArguments(**options))
    await chain.send(build_call(arguments), tool)
    (passed,) = chain.passed
    return passed.arguments


async def refuse(arguments: Json, tool: CatalogTool = TOOL, **options: int) -> str:
    """What a refused caller reads."""
    with pytest.raises(InvalidArguments) as caught:
        await check(arguments, tool, **options)
    return caught.value.message


async def test_arguments_that_fit_go_on_untouched() -> None:
    arguments = {"city": "Rome", "items": [{"name": "a", "count": 2}], "when": 5}

    assert await check(arguments) is arguments


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"city": 5}, '$.city: 5 is not of type "string"'),
        ({"city": "Rome", "items": [{"name": "a"}, {"name": 7}]}, "$.items[1].name: 7 is not of"),
        ({"city": "Rome", "items": [{"name": "a", "count": 0}]}, "$.items[0].count: 0 is less"),
        ({"city": "Rome", "unit": "kelvins"}, "$.unit: 'kelvins' is not one of"),
        ({"city": "Rome", "items": [{}]}, "$.items[0]: 'name' is missing"),
        ({"city": "Rome", "when": []}, "$.when: [] fits none of the forms"),
        ({}, "$: 'city' is missing"),
    ],
)
async def test_a_fault_names_place_value_and_rule(arguments: Json, fault: str) -> None:
    assert fault in await refuse(arguments)


@pytest.mark.promise("calls.every-fault")
async def test_every_fault_is_listed() -> None:
    message = await refuse({"city": 5, "unit": "x", "items": [{"name": 1, "count": 0}]})

    for place in ("$.city:", "$.unit:", "$.items[0].name:", "$.items[0].count:"):
        assert place in message


async def test_faults_beyond_the_limit_are_only_announced() -> None:
    message = await refuse({"city": "Rome", "items": [{"name": 1}] * 50}, max_faults=3)

    assert message.count("$.items") == 3
    assert message.endswith("and more")


async def test_a_long_value_is_shown_short() -> None:
    message = await refuse({"city": ["x" * 10_000], "unit": "y" * 10_000})

    assert len(message) < 500


@pytest.mark.parametrize(
    ("arguments", "offer"),
    [
        ({"city": "Rome", "units": "kelvin"}, "$: 'units' is unknown, did you mean 'unit'?"),
        ({"city": "Rome", "items": [{"name": "a", "cuont": 1}]}, "did you mean 'count'?"),
        ({"city": "Rome", "zzz": 1}, "known are 'city', 'items', 'unit', 'when'"),
    ],
)
async def test_near_names_are_offered_for_unknown_ones(arguments: Json, offer: str) -> None:
    assert offer in await refuse(arguments)


async def test_a_near_name_is_offered_for_a_missing_one_where_the_schema_takes_any() -> None:
    message = await refuse({"citty": "Rome"}, with_schema(TOOL, OPEN))

    assert message.endswith("$: 'city' is missing; is 'citty' meant for it?")


async def test_near_names_are_found_behind_a_reference() -> None:
    person = {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "additionalProperties": False,
    }
    schema = {
        "$defs": {"Person": person},
        "type": "object",
        "properties": {"people": {"type": "array", "items": {"$ref": "#/$defs/Person"}}},
    }

    message = await refuse({"people": [{}, {"nmae": "Ann"}]}, with_schema(TOOL, schema))

    assert "$.people[1]: 'nmae' is unknown, did you mean 'name'?" in message


async def test_unknown_names_pass_where_the_schema_does_not_forbid_them() -> None:
    arguments = {"city": "Rome", "extra": 1}

    assert await check(arguments, with_schema(TOOL, OPEN)) == arguments


@pytest.mark.parametrize("name", ["filter-query", "filter_query"])
async def test_safe_and_original_names_are_taken_and_originals_sent(name: str) -> None:
    tool = build_tool({"filter-query": {"type": "string"}, "plain": {}}, required=[])

    assert await check({name: "x", "plain": 1}, tool) == {"filter-query": "x", "plain": 1}


async def test_a_parameter_given_under_both_names_is_refused() -> None:
    tool = build_tool({"filter-query": {"type": "string"}})

    message = await refuse({"filter_query": "x", "filter-query": "y"}, tool)

    assert "twice" in message


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("{}", "are a str, not an object"),
        ([1], "are a list, not an object"),
        (5, "are a int, not an object"),
    ],
)
async def test_arguments_that_are_no_object_are_refused(arguments: Json, words: str) -> None:
    assert words in await refuse(arguments)


async def test_text_no_validator_can_read_is_refused() -> None:
    tool = with_schema(TOOL, {"type": "object", "properties": {"city": {"pattern": "^a"}}})

    assert "desk.use" in await refuse({"city": "\ud800"}, tool)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        server.setblocking(False)
        yield server


@pytest.mark.network
async def test_a_schema_makes_the_host_open_no_connection(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    tool = with_schema(TOOL, {"$ref": f"http://127.0.0.1:{port}/schema.json"})

    with pytest.raises(InvalidDefinition, match="not followed"):
        await check({}, tool)

    with pytest.raises(BlockingIOError):
        listener.accept()


async def test_a_schema_makes_the_host_read_no_file(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('{"required": ["the secret"]}', encoding="utf-8")

    with pytest.raises(InvalidDefinition, match="not followed") as caught:
        await check({}, with_schema(TOOL, {"$ref": secret.as_uri()}))

    assert "the secret" not in str(caught.value)


@pytest.mark.parametrize("schema", [{"$ref": "#/nowhere"}, {"type": "nonsense"}, {"pattern": "("}])
async def test_a_schema_that_cannot_be_used_is_the_definitions_fault(schema: JsonSchema) -> None:
    with pytest.raises(InvalidDefinition, match=r"the schema of desk\.use cannot be used"):
        await check({}, with_schema(TOOL, schema))


async def test_a_schema_is_compiled_once_for_each_hash() -> None:
    chain = Chain(ValidateArguments(max_validators=2))
    strict = with_schema(TOOL, OPEN, version="a")
    # The same hash promises the same schema, so this one is never looked at.
    same_hash = with_schema(TOOL, {"type": "nonsense"}, version="a")

    await chain.send(build_call({"city": "Rome"}), strict)
    await chain.send(build_call({"city": "Rome"}), same_hash)

    assert len(chain.passed) == 2


async def test_the_least_used_schema_goes_first() -> None:
    chain = Chain(ValidateArguments(max_validators=2))
    kept, gone, new = (with_schema(TOOL, OPEN, version=v) for v in ("kept", "gone", "new"))
    for tool in (kept, gone, kept, new):
        await chain.send(build_call({"city": "Rome"}), tool)

    await chain.send(
        build_call({"city": "Rome"}), with_schema(TOOL, {"type": "no"}, version="kept")
    )
    with pytest.raises(InvalidDefinition):
        await chain.send(build_call({}), with_schema(TOOL, {"type": "no"}, version="gone"))


async def test_a_schema_without_a_hash_is_never_mistaken_for_another() -> None:
    chain = Chain(ValidateArguments())
    await chain.send(build_call({}), with_schema(TOOL, {"type": "object"}, version=""))

    with pytest.raises(InvalidArguments):
        await chain.send(build_call({}), with_schema(TOOL, OPEN, version=""))


@given(
    st.dictionaries(
        st.sampled_from(["city", "items", "unit", "when", "citi"]),
        st.recursive(
            st.none() | st.integers() | st.text() | st.floats(),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
            ),
            max_leaves=5,
        ),
    )
)
async def test_any_arguments_either_pass_whole_or_are_refused_in_few_words(
    arguments: dict[str, Json],
) -> None:
    chain = Chain(ValidateArguments())
    message = ""
    try:
        await chain.send(build_call(arguments), TOOL)
    except InvalidArguments as refusal:
        message = refusal.message

    assert [call.arguments for call in chain.passed] == ([] if message else [arguments])
    assert len(message) < 4_000


@pytest.mark.parametrize(
    ("path", "text"),
    [([], "$"), (["a", 0, "b"], "$.a[0].b"), (["a b", "c\n"], r"$['a b']['c\n']")],
)
def test_a_path_reads_like_python(path: list[str | int], text: str) -> None:
    assert render_path(path) == text


def test_the_policies_messages_are_plain_text() -> None:
    assert json.dumps(render_path(["\ud800"])).isascii()
