"""Examples as sources and configuration give them, and what the catalog keeps of them."""

import json
from dataclasses import replace
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.catalog.cases import catalog_of, status, tool

from toolweft.catalog import CatalogOptions, ToolRule
from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import ToolExample

SCHEMA = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "maxLength": 20},
        "days": {"type": "integer", "minimum": 1},
        "where": {
            "type": "object",
            "properties": {"street": {"type": "string"}},
            "additionalProperties": False,
        },
    },
    "required": ["city"],
    "additionalProperties": False,
}
GOOD = ToolExample(scenario="this week's weather", input={"city": "Oslo", "days": 7})
LINE = "toolweft.toml:3, servers.git.configs.forecast"
# Put together here, so that no file holds one.
KEY = "sk-" + "a1B2" * 8


def forecast(*examples: ToolExample, options: CatalogOptions | None = None, **more: Any) -> Any:
    definition = tool("forecast", input_schema=SCHEMA, input_examples=examples, **more)
    catalog = catalog_of(definition, options=options or CatalogOptions())
    return catalog.snapshot.tools["git.forecast"]


def example(given: Any, **more: Any) -> ToolExample:
    return replace(ToolExample(scenario="a use", input=given), **more)


def faults(found: CatalogTool) -> list[tuple[str, str]]:
    return [(fault.path, fault.reason) for fault in found.example_faults]


@pytest.mark.promise("catalog.examples")
def test_every_fault_of_an_example_is_told_at_once_with_its_place() -> None:
    bad = example({"city": 5, "days": 0, "where": {"steet": "x"}})

    found = forecast(GOOD, bad, GOOD)

    assert found.status == "available"
    assert found.definition.input_examples == (GOOD, GOOD)
    assert sorted(faults(found)) == [
        ("$.input_examples[1].input.city", '5 is not of type "string"'),
        ("$.input_examples[1].input.days", "0 is less than the minimum of 1"),
        ("$.input_examples[1].input.where", "'steet' is unknown, did you mean 'street'?"),
    ]
    assert {fault.position for fault in found.example_faults} == {1}


@pytest.mark.parametrize(
    ("odd", "path", "said"),
    [
        (example("Oslo"), ".input", "'Oslo' is not an object"),
        (example(None), ".input", "None is not an object"),
        (example({"city": "Oslo"}, scenario=7), ".scenario", "7 is not a text"),
        (example({"city": "Oslo"}, notes=["x"]), ".notes", "['x'] is not a text"),
        (example({"city": {1}}), "", "is not plain JSON"),
        (example({"city": float("nan")}), "", "is not plain JSON"),
        (example({"city": "x" * 9_000}), "", "more than 8192: shorten it"),
        (example(json.loads("[" * 60 + "]" * 60)), "", "nested deeper than 32"),
        (example({}), ".input", "'city' is missing"),
    ],
)
def test_an_example_of_another_shape_is_left_out_alone(
    odd: ToolExample, path: str, said: str
) -> None:
    found = forecast(odd, GOOD)

    assert found.definition.input_examples == (GOOD,)
    [(place, reason)] = faults(found)
    assert place == f"$.input_examples[0]{path}"
    assert said in reason


def test_an_output_is_checked_where_its_tool_says_what_it_gives() -> None:
    rain = {"type": "object", "properties": {"rain": {"type": "boolean"}}, "required": ["rain"]}
    good, bad = example({"city": "Oslo"}, output={"rain": True}), example({"city": "Rome"})

    found = forecast(good, replace(bad, output={"rain": 1}), bad, output_schema=rain)

    assert found.definition.input_examples == (good, bad)
    assert [path for path, _ in faults(found)] == ["$.input_examples[1].output.rain"]


def test_the_output_may_be_unwrapped_as_calls_unwrap_it() -> None:
    wrapped = {
        "type": "object",
        "properties": {"result": {"type": "array", "items": {"type": "integer"}}},
        "required": ["result"],
    }
    both = [example({"city": "Oslo"}, output=o) for o in ([1, 2], {"result": [1, 2]}, ["x"])]

    found = forecast(*both, output_schema=wrapped)

    assert found.definition.input_examples == tuple(both[:2])


def test_hidden_characters_are_taken_out_of_every_text() -> None:
    hidden = "Os\u200blo\u202e"
    given = example({"city": hidden, "where": {"street": hidden}}, scenario=f"in\n{hidden}")

    (kept,) = forecast(replace(given, notes=hidden, output=[hidden])).definition.input_examples

    assert kept.input == {"city": "Oslo", "where": {"street": "Oslo"}}
    assert (kept.scenario, kept.notes, kept.output) == ("in Oslo", "Oslo", ["Oslo"])


@pytest.mark.parametrize(
    "field",
    [
        {"input": {"city": KEY}},
        {"input": {"city": "Oslo", KEY: 1}},
        {"output": [{"token": f"Bearer {'x' * 30}"}]},
        {"notes": f"use postgresql://me:{'s3cret' * 2}@db/x"},
        {"scenario": "AKIA" + "Q" * 16},
    ],
)
def test_an_example_with_a_credential_is_left_out_and_not_repeated(field: dict[str, Any]) -> None:
    found = forecast(replace(GOOD, **field))

    assert found.definition.input_examples == ()
    said = " ".join(map(str, found.example_faults))
    assert "the shape of" in said
    assert not any(part in said for part in (KEY, "x" * 30, "s3cret", "Q" * 16))


def test_what_configuration_says_replaces_what_the_server_says() -> None:
    ours = (example({"city": "Rome"}), example({"town": "Rome"}))
    rules = (
        ToolRule(tool="*", input_examples=(example({"city": "Bern"}),)),
        ToolRule(server="git", tool="fore*", input_examples=ours, origin=LINE),
    )

    found = forecast(GOOD, options=CatalogOptions(rules=rules))

    assert found.definition.input_examples == ours[:1]
    assert {fault.origin for fault in found.example_faults} == {LINE}
    assert str(found.example_faults[0]).endswith(f"({LINE})")


def test_configuration_can_leave_a_tool_without_examples() -> None:
    rules = (ToolRule(tool="forecast", input_examples=()),)

    found = forecast(GOOD, options=CatalogOptions(rules=rules))

    assert found.definition.input_examples == ()
    assert found.example_faults == ()


def test_more_than_there_may_be_are_left_out_and_counted() -> None:
    found = forecast(GOOD, GOOD, GOOD, GOOD, options=CatalogOptions(max_examples=2))

    assert len(found.definition.input_examples) == 2
    assert faults(found) == [
        ("$.input_examples[2]", "and 1 after it are more than max_examples = 2")
    ]


def test_none_are_wanted_and_none_are_missed() -> None:
    found = forecast(GOOD, options=CatalogOptions(max_examples=0))

    assert (found.definition.input_examples, found.example_faults) == ((), ())


def test_a_list_that_is_wrong_throughout_is_not_read_to_its_end() -> None:
    found = forecast(*[example(None)] * 5_000)

    assert len(found.example_faults) == 21
    assert "4979 after it are not read" in found.example_faults[-1].reason


def test_examples_too_deep_to_compare_do_not_stop_a_source_that_lists_anew() -> None:
    deep = [json.loads('{"a":' * 700 + "1" + "}" * 700) for _ in range(2)]
    first, second = (
        tool("forecast", input_schema=SCHEMA, input_examples=(example(given), GOOD))
        for given in deep
    )
    catalog = catalog_of(first)

    catalog.source_changed(status("git"), [second])

    assert catalog.snapshot.tools["git.forecast"].definition.input_examples == (GOOD,)


@pytest.mark.parametrize("values", [(1, True), (True, 1)])
def test_an_example_that_changes_from_one_to_true_is_judged_anew(values: tuple[Any, Any]) -> None:
    before, after = (
        tool("forecast", input_schema=SCHEMA, input_examples=(example({"city": "x", "days": day}),))
        for day in values
    )
    catalog = catalog_of(before)

    catalog.source_changed(status("git"), [after])

    shown = len(catalog.snapshot.tools["git.forecast"].definition.input_examples)
    assert shown == (values[1] is not True)


def test_a_pattern_that_never_ends_is_a_fault_and_not_a_wait() -> None:
    slow = {"type": "object", "properties": {"a": {"type": "string", "pattern": r"^(a|a)*\1$"}}}
    definition = tool("slow", input_schema=slow, input_examples=(example({"a": "a" * 60 + "!"}),))

    found = catalog_of(definition).snapshot.tools["git.slow"]

    assert [path for path, _ in faults(found)] in (
        ["$.input_examples[0].input"],
        ["$.input_examples[0].input.a"],
    )


def test_examples_count_for_what_is_deferred() -> None:
    long = replace(GOOD, notes="word " * 400)
    options = CatalogOptions(defer_above_tokens=300)

    assert not forecast(GOOD, options=options).deferred
    assert forecast(long, options=options).deferred


INPUTS = st.fixed_dictionaries(
    {},
    optional={
        "city": st.text(alphabet="abc", max_size=30) | st.integers(),
        "days": st.integers(-2, 9) | st.none(),
        "where": st.dictionaries(st.sampled_from(["street", "b"]), st.text("ab", max_size=3)),
        "more": st.booleans(),
    },
)


@settings(max_examples=60, deadline=None)
@given(st.lists(INPUTS, max_size=6))
def test_what_is_kept_is_what_fits_and_the_rest_has_reasons(inputs: list[Any]) -> None:
    fits = jsonschema_rs.validator_for(SCHEMA).is_valid
    options = CatalogOptions(max_examples=10)

    found = forecast(*map(example, inputs), options=options)

    kept = [e.input for e in found.definition.input_examples]
    assert kept == [given for given in inputs if fits(given)]
    assert {fault.position for fault in found.example_faults} == {
        position for position, given in enumerate(inputs) if not fits(given)
    }
