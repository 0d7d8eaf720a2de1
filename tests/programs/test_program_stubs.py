"""Stubs from schemas: short, honest, and always Python."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.programs.fakes import make_tool

from toolweft.core.names import python_names
from toolweft.core.references import follow_reference
from toolweft.core.tools import ToolExample
from toolweft.programs.clipping import clip_text
from toolweft.programs.schema_types import TypeWriter, write_literal
from toolweft.programs.stubs import DETAILS, render_stub

ISSUES = make_tool(
    "github.list-issues",
    parameters={
        "state": {"enum": ["open", "closed"], "default": "open"},
        "repo": {"type": "string", "description": "owner/name, as in the address bar"},
        "labels": {"type": ["array", "null"], "items": {"type": "string"}, "default": None},
        "filter-query": {"type": "string", "description": "Filter query."},
    },
    required=["repo"],
    output={
        "type": "object",
        "properties": {
            "result": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"id": {"type": "integer"}, "title": {"type": "string"}},
                    "required": ["id"],
                },
            }
        },
    },
    description="List issues. Of one repository.",
    input_examples=(ToolExample(scenario="the open ones", input={"filter-query": "x"}),),
)


def test_a_stub_says_what_a_call_needs() -> None:
    assert render_stub(ISSUES) == (
        "# github.list_issues (read-only)\n"
        "async def list_issues(*,\n"
        "    repo: str,  # owner/name, as in the address bar\n"
        '    state: Literal["open", "closed"] = "open",\n'
        "    labels: list[str] | None = None,\n"
        "    filter_query: str = ...,\n"
        ') -> list[{"id": int, "title?": str}]:\n'
        '    """List issues. Of one repository."""\n'
        '# the open ones: await github.list_issues(filter_query="x")'
    )


def test_a_brief_stub_is_one_line_with_the_names() -> None:
    assert render_stub(ISSUES, detail="brief") == (
        "# github.list_issues(repo, state?, labels?, filter_query?) (read-only): "
        "List issues. Of one repository."
    )


def test_a_full_stub_has_examples_under_python_names() -> None:
    full = render_stub(ISSUES, detail="full")
    assert full.endswith('# the open ones: await github.list_issues(filter_query="x")')


def test_parameters_without_a_comment_share_one_line() -> None:
    tool = make_tool("math.add", parameters={"a": {"type": "integer"}, "b": {}}, required=["a"])
    assert render_stub(tool) == (
        "# math.add (read-only)\nasync def add(*, a: int, b: Any = ...) -> Any: ..."
    )


def test_a_text_that_stands_for_bytes_says_how() -> None:
    encoded = {"type": "string", "contentEncoding": "base64"}
    parameters = {
        "raw": encoded,
        "picture": {"anyOf": [encoded, {"type": "null"}], "description": "PNG of the cover."},
        "file": {**encoded, "description": "Bytes, in base64."},
        "odd": {"type": "string", "contentEncoding": "a\n) -> None: ...\nimport os #"},
    }
    stub = render_stub(make_tool("books.add", parameters=parameters, required=["raw"]))
    assert "    raw: str,  # base64\n" in stub
    assert "  # base64; PNG of the cover.\n" in stub
    assert "  # Bytes, in base64.\n" in stub
    assert all(not line.startswith(")") or line == ") -> Any: ..." for line in stub.splitlines())


@pytest.mark.parametrize(
    ("decided", "note"),
    [
        ({"severity": "write"}, ""),
        ({"severity": "destructive"}, " (destructive)"),
        (
            {"severity": "write", "callers": frozenset({"direct"})},
            " (call_tool only, not in programs)",
        ),
        ({"severity": "write", "callers": frozenset({"programmatic"})}, " (in programs only)"),
        ({"severity": "write", "callers": frozenset()}, " (nobody may call it)"),
        (
            {"severity": "write", "status": "unavailable", "status_reason": "it died"},
            " (unavailable: it died)",
        ),
    ],
)
def test_a_stub_notes_what_a_caller_must_know(decided: dict[str, Any], note: str) -> None:
    assert render_stub(make_tool("a.b", **decided)).splitlines()[0] == f"# a.b{note}"


@pytest.mark.parametrize(
    ("schema", "written"),
    [
        ({"type": "string"}, "str"),
        ({"type": ["integer", "null"]}, "int | None"),
        ({"type": "number", "nullable": True}, "float | None"),
        ({"enum": ["a", 1, None, True]}, 'Literal["a", 1, True] | None'),
        ({"const": "x"}, 'Literal["x"]'),
        ({"enum": [{"a": 1}, [2], 0.5]}, "dict | list | float"),
        ({"enum": ["x" * 90]}, "str"),
        ({"anyOf": [{"const": "a"}, {"const": "b"}, {"type": "null"}]}, 'Literal["a", "b"] | None'),
        ({"oneOf": [{"type": "string"}, {"type": "string"}]}, "str"),
        ({"anyOf": [{"type": "string"}, {}]}, "Any"),
        ({"allOf": [{"type": "string"}]}, "str"),
        (
            {"allOf": [{"$ref": "#/$defs/named"}, {"properties": {"b": {"type": "null"}}}]},
            '{"a": int, "b?": None}',
        ),
        ({"items": {"type": "integer"}}, "list[int]"),
        ({"type": "array"}, "list"),
        (
            {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}]},
            "list[int | str]",
        ),
        ({"additionalProperties": {"type": "integer"}}, "dict[str, int]"),
        ({"type": "object", "additionalProperties": True}, "dict"),
        ({"properties": {"odd?": {}}}, "dict"),
        ({"$ref": "#/$defs/named"}, '{"a": int}'),
        ({"$ref": "#/$defs/tree"}, '{"children?": list[dict]}'),
        ({"$ref": "#/$defs/loop"}, "Any"),
        ({"$ref": "#/nowhere"}, "Any"),
        ({"$ref": "http://example.test/schema"}, "Any"),
        ({"type": "mystery"}, "Any"),
        ({"type": 5}, "Any"),
        (True, "Any"),
        ("nonsense", "Any"),
    ],
)
def test_schemas_become_types(schema: Any, written: str) -> None:
    root = {
        "$defs": {
            "named": {"type": "object", "properties": {"a": {"type": "integer"}}, "required": "a"},
            "tree": {
                "type": "object",
                "properties": {"children": {"type": "array", "items": {"$ref": "#/$defs/tree"}}},
            },
            "loop": {"$ref": "#/$defs/loop"},
        }
    }
    root["$defs"]["named"]["required"] = ["a"]
    assert TypeWriter(root, max_depth=3).write(schema) == written


def test_a_long_enumeration_ends_in_an_ellipsis() -> None:
    written = TypeWriter({}, max_depth=1).write({"enum": list(range(40))})
    assert written == f"Literal[{', '.join(map(str, range(16)))}, ...]"


def test_references_that_double_at_each_step_end_soon() -> None:
    definitions = {
        f"d{i}": {"anyOf": [{"items": {"$ref": f"#/$defs/d{i + 1}"}}] * 2 + [{"type": "null"}]}
        for i in range(22)
    }
    written = TypeWriter({"$defs": definitions}, max_depth=3).write({"$ref": "#/$defs/d0"})
    ast.parse(written)


def test_a_result_too_long_to_type_still_names_its_keys() -> None:
    properties = {f"quite_a_long_key_{i}": {"enum": ["aaaaaaa", "bbbbbbb"]} for i in range(10)}
    tool = make_tool("a.b", output={"type": "object", "properties": properties})
    assert '-> {"quite_a_long_key_0?", "quite_a_long_key_1?",' in render_stub(tool)


def test_a_result_too_large_even_for_its_keys_is_a_dict() -> None:
    properties = {f"{'k' * 60}{i}": {"type": "string"} for i in range(60)}
    tool = make_tool("a.b", output={"type": "object", "properties": properties})
    assert "-> dict:" in render_stub(tool)


def test_a_stub_gives_up_detail_to_stay_under_its_cap() -> None:
    parameters = {
        f"parameter_{i}": {"type": "string", "description": f"Says much about number {i}."}
        for i in range(40)
    }
    tool = make_tool("big.tool", parameters=parameters, description="Does it.")
    assert "parameter_39=..." in render_stub(tool)
    assert "parameter_39: str = ..." in render_stub(tool, max_characters=1_500)
    assert "# Says much about number 3." in render_stub(tool, max_characters=8_000)
    assert render_stub(tool, max_characters=100).endswith("tool(**arguments) -> Any: ...")
    assert "..." in render_stub(tool, detail="brief")


def test_a_parameter_no_keyword_can_name_is_left_to_the_open_end() -> None:
    tool = make_tool("a.b", schema={"type": "object", "properties": {"x": {}, "y": {}}})
    odd = make_tool(
        "a.b",
        schema={"type": "object", "properties": {"x": {}}, "additionalProperties": True},
    )
    assert "**more" not in render_stub(tool)
    assert "x: Any = ..., **more: Any" in render_stub(odd)


@pytest.mark.parametrize(
    ("text", "limit", "clipped"),
    [
        ("short", 10, "short"),
        ("two\n lines\x00\u202e", 20, "two lines"),
        ("First sentence. Second one is long", 24, "First sentence."),
        ("words and more words and more", 16, "words and more…"),
        ("x" * 30, 10, "x" * 9 + "…"),
        ("anything", 0, ""),
    ],
)
def test_text_is_cut_where_it_hurts_least(text: str, limit: int, clipped: str) -> None:
    assert clip_text(text, limit) == clipped


def test_a_reference_follows_escaped_steps_only() -> None:
    root = {"$defs": {"a/b": {"type": "string"}}}
    assert follow_reference("#/$defs/a~1b", root) == {"type": "string"}
    assert follow_reference("#/$defs/a~1b/type/deeper", root) is None
    assert follow_reference(5, root) is None


# ------------------------------------------------------------------------------------ properties

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
KEYWORDS = st.sampled_from([
    "type", "properties", "items", "required", "enum", "const", "anyOf", "oneOf", "allOf", "$ref",
    "additionalProperties", "default", "description", "nullable", "prefixItems", "$defs",
])  # fmt: skip
KINDS = st.sampled_from(["string", "integer", "object", "array", "null", "#/$defs/x", "#"])
SCHEMAS = st.recursive(
    JSON_VALUES | KINDS | st.lists(KINDS, max_size=3),
    lambda inner: (
        st.dictionaries(KEYWORDS, inner | KINDS, max_size=5)
        | st.dictionaries(st.text(max_size=8), inner, max_size=3)
        | st.lists(inner, max_size=3)
    ),
    max_leaves=12,
)


def is_readable(stub: str) -> bool:
    ast.parse(stub)
    return all(line.isprintable() for line in stub.split("\n"))


@given(
    schema=st.dictionaries(KEYWORDS, SCHEMAS, max_size=6),
    properties=st.dictionaries(st.text(max_size=10), SCHEMAS, max_size=5),
    output=st.none() | st.dictionaries(KEYWORDS, SCHEMAS, max_size=4),
    description=st.text(max_size=80),
    detail=st.sampled_from(DETAILS),
    cap=st.integers(60, 2_000),
)
def test_every_schema_gives_a_stub_that_parses_and_fits(
    schema: dict[str, Any],
    properties: dict[str, Any],
    output: dict[str, Any] | None,
    description: str,
    detail: Any,
    cap: int,
) -> None:
    spelled = python_names(properties)
    tool = make_tool("s.t", schema={**schema, "properties": properties}, description=description)
    object.__setattr__(tool, "parameters", {p: o for o, p in spelled.items() if o != p})
    object.__setattr__(tool.definition, "output_schema", output)
    stub = render_stub(tool, detail=detail, max_characters=cap)
    assert is_readable(stub)
    assert len(stub) <= cap
    assert stub == render_stub(tool, detail=detail, max_characters=cap)


@given(JSON_VALUES)
def test_literals_read_back_as_the_value_written(value: Any) -> None:
    assert ast.literal_eval(write_literal(value)) == value


def test_a_number_that_is_none_has_no_literal() -> None:
    assert write_literal(float("nan")) == "..."


@pytest.mark.data
def test_every_recorded_tool_gives_stubs_that_parse(data: Path) -> None:
    count = 0
    for path in sorted((data / "servers" / "tools").glob("*.json")):
        for tool in json.loads(path.read_text(encoding="utf-8"))["tools"]:
            made = make_tool(
                f"{path.stem}.{tool['name']}",
                schema=tool["inputSchema"],
                output=tool.get("outputSchema"),
                description=tool["description"] or "",
            )
            count += 1
            assert all(is_readable(render_stub(made, detail=detail)) for detail in DETAILS)
            assert len(render_stub(made)) <= 900
    assert count == 830


def test_a_tool_of_very_many_properties_is_written_in_little_time_and_says_that_it_takes_more() -> (
    None
):
    names = [f"p{n}" for n in range(20_000)]
    wide: dict[str, Any] = {
        "type": "object",
        "properties": {name: {"type": "string"} for name in names},
        "required": names,
    }
    tool = make_tool("wide.tool", schema=wide, output=wide)
    for detail in DETAILS:
        text = render_stub(tool, detail=detail)
        assert len(text) <= 8_000
        ast.parse(text)
    assert "**" in render_stub(tool)
    assert TypeWriter({}, max_depth=3).write(wide) == "dict"
    assert TypeWriter({}, max_depth=3, keys_only=True).write(wide).endswith('"p23", ...}')
