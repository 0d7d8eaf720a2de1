"""Examples under stubs: calls that a program can make, whole or not at all."""

import ast
import asyncio
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.programs.fakes import make_tool

from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import ToolExample
from toolweft.programs.stubs import DETAILS, render_stub

FIRST = ToolExample(
    scenario="open ones of a label",
    input={"repo": "a/b", "filter-query": "label:x", "from": 1},
    output=[{"id": 4}],
    notes="newest first",
)


def issues(*examples: ToolExample, **more: Any) -> CatalogTool:
    return make_tool(
        "github.list-issues",
        parameters={"repo": {"type": "string"}, "filter-query": {}, "from": {}},
        required=["repo"],
        input_examples=examples,
        **more,
    )


def comments(stub: str) -> list[str]:
    return [line for line in stub.splitlines()[1:] if line.startswith("#")]


def test_a_typed_stub_has_the_first_short_example_alone() -> None:
    long = ToolExample(scenario="long", input={"repo": "x" * 200})

    stub = render_stub(issues(long, FIRST, replace(FIRST, scenario="another")))

    assert comments(stub) == [
        "# open ones of a label: "
        'await github.list_issues(repo="a/b", filter_query="label:x", from_=1)'
    ]


def test_a_full_stub_has_all_of_every_example() -> None:
    plain = ToolExample(scenario="", input={"repo": "a/b"})

    assert comments(render_stub(issues(FIRST, plain), detail="full")) == [
        "# open ones of a label: "
        'await github.list_issues(repo="a/b", filter_query="label:x", from_=1)',
        '#   gives [{"id": 4}]',
        "#   newest first",
        '# await github.list_issues(repo="a/b")',
    ]


def test_brief_stubs_have_none() -> None:
    assert render_stub(issues(FIRST), detail="brief") == render_stub(issues(), detail="brief")


def test_a_signature_is_never_cut_for_an_example() -> None:
    bare = render_stub(issues())

    assert render_stub(issues(FIRST), max_characters=len(bare) + 20) == bare


def test_examples_that_do_not_fit_are_counted() -> None:
    long = ToolExample(scenario="long", input={"repo": "x" * 9_000})

    stub = render_stub(issues(long, FIRST), detail="full")

    assert "newest first" in stub
    assert comments(stub)[-1] == "# examples too long to show here: 1"


def test_names_that_no_program_can_spell_go_in_a_mapping() -> None:
    odd = ToolExample(scenario="odd", input={"repo": "a", "not a name": 1, "class": 2})

    stub = render_stub(issues(odd))

    assert comments(stub) == [
        '# odd: await github.list_issues(repo="a", **{"not a name": 1, "class": 2})'
    ]


TEXTS = st.text(max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
EXAMPLES = st.builds(
    ToolExample,
    scenario=TEXTS,
    input=st.dictionaries(TEXTS | st.just("repo"), JSON, max_size=3),
    output=JSON,
    notes=st.none() | TEXTS,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(EXAMPLES, max_size=4), st.sampled_from(DETAILS))
def test_no_example_leaves_its_comment_or_breaks_the_cap(
    examples: list[ToolExample], detail: Any
) -> None:
    stub = render_stub(issues(*examples), detail=detail)

    assert len(stub) <= {"brief": 400, "typed": 900, "full": 8_000}[detail]
    assert len(ast.parse(stub).body) == (0 if detail == "brief" else 1)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(TEXTS | st.just("repo"), JSON, max_size=3))
def test_the_call_that_is_shown_makes_the_example(given_input: dict[str, Any]) -> None:
    sent: list[dict[str, Any]] = []

    class Github:
        async def list_issues(self, **arguments: Any) -> None:
            sent.append(arguments)

    stub = render_stub(issues(ToolExample(scenario="", input=given_input)), detail="full")
    code = comments(stub)[-1].removeprefix("# ")
    scope = {"github": Github(), "null": None, "true": True, "false": False}
    compiled = compile(code, "<stub>", "eval", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    asyncio.run(eval(compiled, scope))

    assert sent == [given_input]
