"""What a source says becomes what the catalog says; a bad tool spoils none of the others."""

import hashlib
import json
import logging
from dataclasses import replace
from typing import Any

import pytest
from tests.catalog.cases import catalog_of, status, tool
from tests.catalog.test_schemas import bomb, nested

from toolweft.catalog import Catalog, CatalogOptions, ToolRule
from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import ToolExample


def only(catalog: Catalog) -> CatalogTool:
    (found,) = catalog.snapshot.tools.values()
    return found


@pytest.mark.promise("catalog.one-tool")
@pytest.mark.parametrize(
    ("field", "schema"),
    [
        ("input_schema", bomb(30)),
        ("input_schema", nested(3_000)),
        ("input_schema", {"$ref": "file:///etc/passwd"}),
        ("input_schema", {"type": "string"}),
        ("input_schema", {"properties": {"a": {"type": "strng"}}}),
        ("input_schema", {"default": "x" * 1024 * 1024}),
        ("input_schema", {"default": {1, 2}}),
        ("output_schema", {"$ref": "#/nothing"}),
        ("output_schema", [1]),
    ],
)
def test_a_bad_schema_disables_its_tool_alone_and_is_not_shown(field: str, schema: Any) -> None:
    catalog = catalog_of(tool("bad", **{field: schema}), tool("good"))
    bad = catalog.snapshot.tools["git.bad"]
    assert bad.status == "disabled"
    assert "schema of 'bad'" in bad.status_reason
    assert bad.definition.input_schema == {"type": "object"}
    assert bad.definition.output_schema is None
    assert catalog.snapshot.tools["git.good"].status == "available"
    assert catalog.snapshot.sources["git"].state == "ready"
    assert catalog.snapshot.sources["git"].tool_count == 1


def test_a_bad_tool_listed_again_and_again_stays_disabled() -> None:
    catalog = catalog_of(tool("x", input_schema=nested(3_000)))
    catalog.source_changed(status("git"), [tool("x", input_schema=nested(3_000))])
    assert only(catalog).status == "disabled"
    catalog.source_changed(status("git"), [tool("x")])
    assert only(catalog).status == "available"


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "empty"),
        ("x" * 1025, "longer than 1024 bytes"),
        ("a\nb", "unprintable"),
        ("a\u202eb", "unprintable"),
        ("\ud800", "unprintable"),
    ],
)
def test_a_bad_name_disables_its_tool(name: str, reason: str) -> None:
    catalog = catalog_of(tool(name), tool("good"))
    bad = next(t for t in catalog.snapshot.tools.values() if t.status == "disabled")
    assert reason in bad.status_reason
    assert bad.definition.name.isprintable()
    assert len(bad.definition.name) <= 64
    assert bad.qualified.split(".")[1].isidentifier()
    assert catalog.snapshot.resolve("good").status == "available"


def test_the_first_of_two_tools_with_one_name_wins() -> None:
    catalog = catalog_of(
        tool("x", description="first"), tool("x", description="second"), tool("x_disabled_1")
    )
    assert catalog.snapshot.resolve("x").definition.description == "first"
    assert catalog.snapshot.resolve("x_disabled_1").status == "available"
    (second,) = (t for t in catalog.snapshot.tools.values() if t.status == "disabled")
    assert second.definition.description == "second"
    assert "same name" in second.status_reason


def test_a_tool_turned_off_is_shown_as_disabled_with_the_place() -> None:
    rule = ToolRule(server="g*", tool="push_*", enabled=False, origin="toolweft.toml, push")
    catalog = catalog_of(tool("push_all"), options=CatalogOptions(rules=(rule,)))
    assert only(catalog).status == "disabled"
    assert only(catalog).status_reason == "turned off: set by toolweft.toml, push"


def test_a_disabled_tool_is_known_by_its_full_names_and_hides_no_bare_one() -> None:
    rule = ToolRule(server="my-docs", enabled=False)
    definitions = (tool("search", "my-docs"), tool("search", "wiki"))
    snapshot = catalog_of(*definitions, options=CatalogOptions(rules=(rule,))).snapshot
    assert snapshot.resolve("search").qualified == "wiki.search"
    assert snapshot.resolve("my-docs.search").status == "disabled"


def test_a_later_rule_wins_field_by_field() -> None:
    rules = (
        ToolRule(timeout_s=5.0, severity="write"),
        ToolRule(tool="x", severity="read_only", origin="second"),
        ToolRule(server="other", severity="destructive"),
        ToolRule(tool="X", severity="destructive"),
    )
    found = only(catalog_of(tool("x", timeout_s=7.0), options=CatalogOptions(rules=rules)))
    assert (found.severity, found.severity_reason) == ("read_only", "set by second")
    assert (found.timeout_s, found.timeout_reason) == (5.0, "set by configuration")


@pytest.mark.parametrize(
    ("declared", "expected", "reason"),
    [(7.0, 7.0, "declared with the tool"), (None, 60.0, "catalog.default_timeout_s")],
)
def test_the_timeout_is_the_declared_or_the_default_one(
    declared: float | None, expected: float, reason: str
) -> None:
    found = only(catalog_of(tool("x", timeout_s=declared)))
    assert (found.timeout_s, found.timeout_reason) == (expected, reason)


def test_a_listed_tool_says_what_listed_it() -> None:
    rules = (
        ToolRule(defer_loading=True, origin="all"),
        ToolRule(tool="x", always_listed=True, origin="toolweft.toml:7"),
        ToolRule(tool="y", always_listed=False, origin="toolweft.toml:8"),
    )
    snapshot = catalog_of(
        tool("x"), tool("y", always_listed=True), options=CatalogOptions(rules=rules)
    ).snapshot
    x, y = snapshot.resolve("x"), snapshot.resolve("y")
    assert (x.deferred, x.deferred_reason) == (False, "always listed: set by toolweft.toml:7")
    assert (y.deferred, y.deferred_reason) == (True, "set by all")


def test_the_hash_is_of_canonical_json_of_what_the_source_sent() -> None:
    schema = {"type": "object", "properties": {"b": {}, "a": {"title": "é"}}}
    sent = {
        "description": "a\u200bb",
        "input_schema": schema,
        "name": "x",
        "output_schema": None,
    }
    text = json.dumps(sent, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    found = only(catalog_of(tool("x", description="a\u200bb", input_schema=schema))).definition
    assert found.definition_hash == hashlib.sha256(text.encode()).hexdigest()
    assert found.description == "ab"


def test_a_schema_that_differs_only_for_json_is_noticed() -> None:
    first = tool("x", input_schema={"type": "object", "default": {"a": 1}})
    catalog = catalog_of(first)
    before = only(catalog).definition.definition_hash
    changed = replace(first, input_schema={"type": "object", "default": {"a": True}})
    catalog.source_changed(status("git"), [changed])
    assert only(catalog).definition.definition_hash != before


def test_the_short_description_is_derived_unless_the_source_has_one() -> None:
    catalog = catalog_of(
        tool("a", description="First. Second."),
        tool("b", description="First.", short_description="Own\x1b words"),
    )
    tools = catalog.snapshot.tools
    assert tools["git.a"].definition.short_description == "First."
    assert tools["git.b"].definition.short_description == "Own words"


def test_parameters_that_python_cannot_spell_are_mapped_back() -> None:
    schema = {
        "type": "object",
        "properties": {"filter-query": {}, "from": {}, "plain": {}, "a-b": {}, "a_b": {}},
    }
    renamed = only(catalog_of(tool("x", input_schema=schema))).parameters
    assert renamed["filter_query"] == "filter-query"
    assert renamed["from_"] == "from"
    assert "plain" not in renamed
    assert "a_b" not in renamed
    assert "a-b" in renamed.values()


def test_examples_are_checked_and_capped_with_a_logged_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    inputs: list[Any] = [{"n": 1}, {"n": "x"}, {"n": {1}}, {"n": 2}, {"n": 3}]
    examples = tuple(ToolExample(scenario=str(i), input=value) for i, value in enumerate(inputs))
    with caplog.at_level(logging.WARNING):
        catalog = catalog_of(
            tool("x", input_schema=schema, input_examples=examples),
            options=CatalogOptions(max_examples=2),
        )
    kept = only(catalog).definition.input_examples
    assert [example.scenario for example in kept] == ["0", "3"]
    dropped = [r for r in caplog.records if r.message == "catalog.example_dropped"]
    reasons = [vars(record)["reason"].partition(":")[0] for record in dropped]
    assert reasons == ["$.input_examples[1].input.n", "$.input_examples[2]", "$.input_examples[4]"]


def test_an_input_schema_without_a_type_is_completed() -> None:
    catalog = catalog_of(tool("x", input_schema={"properties": {"a": {}}}))
    assert only(catalog).definition.input_schema["type"] == "object"


def test_a_sound_tool_that_cannot_be_called_through_us_is_shown_as_unavailable() -> None:
    catalog = catalog_of(tool("slow", unavailable="it runs only as a task"), tool("good"))
    slow = catalog.snapshot.tools["git.slow"]
    assert (slow.status, slow.status_reason) == ("unavailable", "it runs only as a task")
    assert slow.pin_hash
    assert catalog.snapshot.tools["git.good"].status == "available"
    catalog.source_changed(status("git"), [tool("slow"), tool("good")])
    assert catalog.snapshot.tools["git.slow"].status == "available"
