"""What commands say of the examples of tools."""

import json

import pytest
from tests.cli.shell import Shell

CLEAN = """
from toolweft import ToolExample, tool


@tool(
    severity="read_only",
    examples=[
        ToolExample(scenario="all invoices of one customer", input={"customer": "C-1042"}),
        ToolExample(
            scenario="what a customer owes since March",
            input={"customer": "C-1042", "since": "2026-03-01"},
            output=[{"number": "R-77", "open": 120.5}],
            notes="amounts are in euros",
        ),
    ],
)
def list_invoices(customer: str, since: str = "2026-01-01") -> list[dict[str, object]]:
    \"\"\"List invoices.

    Args:
        customer: The customer's number.
        since: The first day, YYYY-MM-DD.
    \"\"\"
    return []
"""
CONFIG = '[python.books]\ntarget = "books.py"\n'
BAD = """
[[python.books.configs.list_invoices.input_examples]]
scenario = "one customer"
input = { customer = "string" }
[[python.books.configs.list_invoices.input_examples]]
scenario = "a slip"
input = { custmer = "C-1", since = 2026-03-01 }
[[python.books.configs.list_invoices.input_examples]]
scenario = "another slip"
input = { custmer = "C-1", since = 5 }
"""


@pytest.fixture
def books(bare: Shell) -> Shell:
    bare.write("books.py", CLEAN)
    bare.write("toolweft.toml", CONFIG)
    return bare


@pytest.fixture
def wrong(books: Shell) -> Shell:
    books.write("toolweft.toml", CONFIG + BAD)
    return books


@pytest.mark.promise("catalog.example-lint")
def test_clean_examples_end_with_0_and_findings_with_1(books: Shell) -> None:
    ended = books("tools", "--lint-examples")

    assert (ended.code, ended.out) == (0, "")
    assert "tools: 1, examples: 2, findings: 0" in ended.err

    other = books.write("other.toml", CONFIG + BAD)
    assert books("tools", "--lint-examples", "--config", str(other)).code == 1


def test_each_finding_has_its_place_a_reason_and_a_next_step(wrong: Shell) -> None:
    ended = wrong("tools", "--lint-examples")

    lines = [line.strip() for line in ended.out.splitlines()]
    assert ended.code == 1
    assert lines[0] == "books.list_invoices"
    assert "placeholder  $.input_examples[0].input.customer: 'string' is a placeholder" in lines
    assert any(
        line.startswith("left-out  $.input_examples[1]: is not plain JSON") for line in lines
    )
    [unknown] = [line for line in lines if "did you mean 'customer'" in line]
    assert unknown.startswith("left-out  $.input_examples[2].input:")
    assert "toolweft.toml:" in unknown
    assert sum(line.startswith("next: ") for line in lines) == (len(lines) - 1) / 2


def test_findings_as_json_have_the_same_parts(wrong: Shell) -> None:
    ended = wrong("tools", "--lint-examples", "--json")

    assert ended.code == 1
    assert (ended.json["ok"], ended.json["tools"], ended.json["examples"]) == (False, 1, 1)
    assert {tuple(finding) for finding in ended.json["findings"]} == {
        ("tool", "rule", "path", "reason", "hint")
    }
    rules = {finding["rule"] for finding in ended.json["findings"]}
    assert {"left-out", "placeholder", "no-full", "not-shown"} <= rules


def test_a_source_that_cannot_be_looked_at_is_no_success(books: Shell) -> None:
    books.write("toolweft.toml", CONFIG + '[servers.gone]\ncommand = "no-such-program"\n')

    assert books("tools", "--lint-examples", "--json").json["not_ready"] == ["gone"]
    assert books("tools", "--lint-examples").code == 1
    assert books("tools", "--lint-examples", "--source", "books").code == 0


def test_recorded_servers_can_be_judged_without_starting_them(bare: Shell) -> None:
    bare.write("toolweft.toml", '[servers.books]\ncommand = "no-such-program"\n')
    schema = {"type": "object", "properties": {"on": {"type": "string", "description": "YYYY-MM"}}}
    (bare.folder / "recorded").mkdir()
    bare.write(
        "recorded/books.json", json.dumps({"tools": [{"name": "close", "inputSchema": schema}]})
    )

    ended = bare("tools", "--lint-examples", "--json", "--recorded", "recorded")

    assert [finding["path"] for finding in ended.json["findings"]] == [
        "$.input_schema.properties.on"
    ]


def test_what_is_left_out_is_said_by_every_command_that_shows_the_tool(wrong: Shell) -> None:
    assert "examples are left out of books.list_invoices" in wrong("tools").err
    [listed] = wrong("tools", "--json").json["tools"]
    assert listed["examples"] == 1
    assert {fault["path"] for fault in listed["example_faults"]} == {
        "$.input_examples[1]",
        "$.input_examples[2].input",
        "$.input_examples[2].input.since",
    }
    shown = wrong("show", "list_invoices").out
    assert "examples left out\n  $.input_examples[1]: is not plain JSON" in shown
    noted = "note: books.list_invoices lacks an example: $.input_examples[1]"
    assert noted in wrong("doctor").out


def test_examples_are_found_in_the_answers_of_a_search(books: Shell) -> None:
    call = 'await books.list_invoices(customer="C-1042")'

    assert call in books("search", "invoices of a customer").out
    full = books("search", "invoices of a customer", "--detail", "full").out
    assert '#   gives [{"number": "R-77", "open": 120.5}]' in full
    assert "#   amounts are in euros" in full
