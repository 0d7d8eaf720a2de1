import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.ids import SourceName
from toolweft.core.tools import Hints, ToolDefinition, ToolExample
from toolweft.sources.mcp.definitions import (
    EXAMPLES_KEY,
    PLAIN_EXAMPLES_KEY,
    build_definition,
    build_definitions,
)

NAMESPACE = SourceName("github")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_everything_a_tool_says_is_kept() -> None:
    schema = {"type": "object", "properties": {"filter-query": {"type": "string"}}}
    built = build_definition(
        {
            "name": "list-issues",
            "title": "List issues",
            "description": "Lists.",
            "inputSchema": schema,
            "outputSchema": {"type": "object"},
            "annotations": {"readOnlyHint": True, "openWorldHint": False, "title": "T"},
            "_meta": {"x": 1},
        },
        namespace=NAMESPACE,
    )
    assert (built.name, built.namespace, built.description) == ("list-issues", "github", "Lists.")
    assert built.input_schema is schema
    assert built.output_schema == {"type": "object"}
    assert built.hints == Hints(read_only=True, open_world=False)
    assert built.severity is None


@pytest.mark.parametrize(
    "raw",
    [{"name": "t", "title": "A title"}, {"name": "t", "annotations": {"title": "A title"}}],
)
def test_a_title_stands_in_for_a_missing_description(raw: dict[str, Any]) -> None:
    assert build_definition(raw, namespace=NAMESPACE).description == "A title"


def test_entries_without_a_name_and_repeated_names_are_left_out_and_told() -> None:
    definitions, faults = build_definitions(
        [{"name": "a"}, "b", {"name": 3}, {"name": "a", "description": "again"}, {"name": ""}, {}],
        namespace=NAMESPACE,
    )
    assert [d.name for d in definitions] == ["a"]
    assert definitions[0].description == ""
    assert faults == (
        "$.tools[1] is 'b', not an object: it is left out",
        "$.tools[2].name is 3, not a text: it is left out",
        "$.tools[3] repeats the name 'a': the first one is used",
        "$.tools[4].name is empty: it is left out",
        "$.tools[5] has no name: it is left out",
    )


@given(
    st.lists(
        JSON
        | st.fixed_dictionaries(
            {"name": st.text(max_size=3)},
            optional={
                "description": JSON,
                "inputSchema": JSON,
                "outputSchema": JSON,
                "annotations": JSON,
                "title": JSON,
            },
        ),
        max_size=6,
    )
)
def test_no_list_however_odd_breaks_the_reading(tools: list[Any]) -> None:
    definitions, faults = build_definitions(tools, namespace=NAMESPACE)
    assert len(definitions) + len(faults) == len(tools)
    assert all(d.name and d.input_schema is not None for d in definitions)


@pytest.mark.data
def test_every_recorded_tool_of_real_servers_is_read(data: Path) -> None:
    files = sorted((data / "servers" / "tools").glob("*.json"))
    assert files
    for file in files:
        tools = json.loads(file.read_text("utf-8"))["tools"]
        definitions, faults = build_definitions(tools, namespace=NAMESPACE)
        assert (len(definitions), faults) == (len(tools), ())


WHOLE = {"scenario": "s", "input": {"a": 1}, "output": 2, "notes": "n", "later": "ignored"}


@pytest.mark.parametrize(
    ("meta", "expected"),
    [
        (
            {EXAMPLES_KEY: [WHOLE, {"input": {"b": 2}}]},
            [("s", {"a": 1}, 2, "n"), ("", {"b": 2}, None, None)],
        ),
        (
            {PLAIN_EXAMPLES_KEY: [{"a": 1}, WHOLE]},
            [("", {"a": 1}, None, None), ("", WHOLE, None, None)],
        ),
        # Ours wins, also where it is wrong or says that there are none.
        ({EXAMPLES_KEY: [], PLAIN_EXAMPLES_KEY: [{"a": 1}]}, []),
        ({EXAMPLES_KEY: [5, {"scenario": 3}]}, [("", 5, None, None), (3, None, None, None)]),
        ({EXAMPLES_KEY: "a=1"}, [("", "a=1", None, None)]),
        ({EXAMPLES_KEY: None}, []),
        ("none", []),
        (None, []),
    ],
)
def test_examples_come_from_the_metadata_of_a_tool(meta: Any, expected: list[Any]) -> None:
    built = build_definition({"name": "t", "_meta": meta}, namespace=NAMESPACE)

    assert built.input_examples == tuple(
        ToolExample(scenario=scenario, input=given, output=output, notes=notes)
        for scenario, given, output, notes in expected
    )


@given(JSON)
def test_no_metadata_makes_a_tool_unreadable(value: Any) -> None:
    raw = {"name": "t", "_meta": {EXAMPLES_KEY: value, PLAIN_EXAMPLES_KEY: value}}

    assert build_definition(raw, namespace=NAMESPACE).name == "t"


def test_equal_schemas_of_a_list_are_kept_once_and_as_text() -> None:
    schema = {"type": "object", "properties": {"z": {"type": "string"}, "a": {"const": 1.0}}}
    tools = [
        {"name": name, "inputSchema": json.loads(json.dumps(schema)), "outputSchema": schema}
        for name in ("one", "other")
    ]

    (one, other), _ = build_definitions(tools, namespace=NAMESPACE)

    field = vars(ToolDefinition)["input_schema"]
    assert field.held(one) is field.held(other)
    assert isinstance(field.held(one), bytes)
    assert repr(one.input_schema) == repr(schema) == repr(other.output_schema)
