"""Each rule of the guide that can be checked."""

from dataclasses import replace
from typing import Any

import pytest
from tests.catalog.cases import catalog_of, tool

from toolweft.catalog import CatalogOptions, lint_examples
from toolweft.catalog.example_lint import LINT_RULES
from toolweft.core.tools import ToolExample

SCHEMA = {
    "type": "object",
    "properties": {
        "customer": {"type": "string"},
        "since": {"type": "string", "description": "YYYY-MM-DD"},
        "state": {"enum": ["open", "sample"]},
        "limit": {"type": "integer", "default": 20},
    },
    "required": ["customer"],
}
SMALL = ToolExample(scenario="all invoices of one customer", input={"customer": "C-1042"})
FULL = ToolExample(
    scenario="what a customer owes since March",
    input={"customer": "C-1042", "since": "2026-03-01", "state": "open", "limit": 5},
)


def lint(*examples: ToolExample, schema: Any = None, most: int = 5) -> list[tuple[str, str]]:
    definition = tool("invoices", input_schema=schema or SCHEMA, input_examples=examples)
    catalog = catalog_of(definition, options=CatalogOptions(max_examples=most))
    found = lint_examples(catalog.snapshot.tools["git.invoices"])
    assert all(
        finding.reason and finding.hint and finding.tool == "git.invoices" for finding in found
    )
    return [(finding.rule, finding.path) for finding in found]


def other(**given: Any) -> ToolExample:
    return ToolExample(scenario="another use", input={"customer": "C-7", **given})


def test_a_minimal_and_a_full_example_with_real_data_are_clean() -> None:
    assert lint(SMALL, FULL) == []


def test_a_tool_whose_schema_says_it_all_needs_none() -> None:
    assert lint(schema={"type": "object", "properties": {"n": {"type": "integer"}}}) == []


@pytest.mark.parametrize(
    ("examples", "expected"),
    [
        ((), [("not-shown", "$.input_schema.properties.since")]),
        (
            (SMALL,),
            [
                ("no-full", "$.input_examples"),
                ("not-shown", "$.input_schema.properties.since"),
            ],
        ),
        ((FULL,), [("no-minimal", "$.input_examples")]),
        (
            (SMALL, replace(FULL, input={**FULL.input, "since": 5}), FULL),
            [("left-out", "$.input_examples[1].input.since")],
        ),
        (
            (SMALL, FULL, replace(SMALL, scenario="x y")),
            [("duplicate", "$.input_examples[2].input")],
        ),
        (
            (
                SMALL,
                FULL,
                replace(other(limit=3), scenario=SMALL.scenario),
            ),
            [("duplicate", "$.input_examples[2].scenario")],
        ),
        ((replace(SMALL, scenario=""), FULL), [("no-scenario", "$.input_examples[0].scenario")]),
        (
            (replace(SMALL, scenario="Example 1"), FULL),
            [("no-scenario", "$.input_examples[0].scenario")],
        ),
        (
            (replace(SMALL, scenario="invoices"), FULL),
            [("no-scenario", "$.input_examples[0].scenario")],
        ),
        ((SMALL, FULL, other(limit=20)), [("repeats-defaults", "$.input_examples[2].input")]),
        # Left out ones keep their places in what is said of the others.
        (
            (replace(SMALL, input={}), replace(SMALL, scenario=""), FULL),
            [
                ("left-out", "$.input_examples[0].input"),
                ("no-scenario", "$.input_examples[1].scenario"),
            ],
        ),
    ],
)
def test_each_rule_names_its_place(
    examples: tuple[ToolExample, ...], expected: list[tuple[str, str]]
) -> None:
    assert lint(*examples) == expected


def test_too_many_are_a_finding() -> None:
    assert lint(SMALL, FULL, other(since="2026-01-01"), most=2) == [
        ("left-out", "$.input_examples[2]")
    ]


@pytest.mark.parametrize(
    "value",
    [
        "string",
        "foo",
        "Test",
        "your_name",
        "<customer>",
        "{id}",
        "TODO",
        "xxx",
        "example.com",
        "12345",
    ],
)
def test_a_placeholder_is_found_wherever_it_stands(value: str) -> None:
    nested = {
        "type": "object",
        "properties": {"rows": {"type": "array", "items": {"type": "object"}}},
        "required": ["rows"],
    }
    assert lint(replace(SMALL, input={"customer": value}), FULL) == [
        ("placeholder", "$.input_examples[0].input.customer")
    ]
    given = replace(SMALL, input={"rows": [{"a": "Oslo"}, {"a-b": value}]})
    assert lint(given, schema=nested) == [
        ("placeholder", "$.input_examples[0].input.rows[1]['a-b']")
    ]


@pytest.mark.parametrize(
    "value",
    [
        "C-1042",
        "ada@example.com",
        "https://example.com/invoices/7",
        "SELECT 1",
        '{"a": 1}',
        "[1, 2]",
        "test coverage of the parser",
        "x" * 500,
    ],
)
def test_what_may_be_real_is_no_placeholder(value: str) -> None:
    assert lint(replace(SMALL, input={"customer": value}), FULL) == []


def test_what_the_schema_offers_is_no_placeholder() -> None:
    assert lint(SMALL, replace(FULL, input={**FULL.input, "state": "sample"})) == []


def test_where_nothing_is_required_one_parameter_is_minimal() -> None:
    schema = {"type": "object", "properties": {k: {"type": "integer"} for k in "abc"}}
    one, two = (ToolExample(scenario=f"uses {i}", input=i) for i in ({"a": 7}, {"a": 7, "b": 8}))

    assert lint(one, two, schema=schema) == []
    assert lint(two, schema=schema) == [("no-minimal", "$.input_examples")]


def test_a_disabled_tool_is_not_judged() -> None:
    bad = tool("bad", input_schema={"type": "string"}, input_examples=(SMALL,))

    assert lint_examples(catalog_of(bad).snapshot.tools["git.bad"]) == ()


def test_every_rule_says_what_to_do() -> None:
    assert all(LINT_RULES.values())
