"""The stubs models read are what the interpreter's own type checker understands."""

from collections.abc import Iterator
from typing import Any

import pydantic_monty as monty
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.programs.fakes import make_tool
from tests.programs.test_program_stubs import ISSUES

from toolweft.core.snapshot import CatalogTool
from toolweft.programs.stubs import render_stub

pytestmark = pytest.mark.process

# A model knows these names; a checker is told.
KNOWN = "from typing import Any, Literal\n"
ADD = make_tool("math.add", parameters={"a": {"type": "integer"}, "b": {}}, required=["a"])
NESTED = make_tool(
    "crm.save",
    parameters={
        "customer": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "tags": {"type": "array", "items": {"type": "string"}},
            },
            "required": ["name"],
        },
        "amount": {"type": "number"},
        "mode": {"enum": ["fast", "slow"]},
        "dry-run": {"type": "boolean", "default": False},
    },
    required=["amount"],
    description='Say "hello" \\ """ and more.',
)


@pytest.fixture(scope="module")
def pool() -> Iterator[monty.Monty]:
    with monty.Monty(min_processes=1, max_processes=1) as pool:
        yield pool


def check(pool: monty.Monty, stub: str, code: str) -> str:
    """What the checker says of a program; empty where it lets it run."""
    options: Any = {"type_check_format": "concise", "type_check_stubs": KNOWN + stub}
    with pool.checkout(type_check=True, **options) as session:
        try:
            session.feed_start(code)
        except monty.MontyTypingError as fault:
            return fault.display()
    return ""


@pytest.mark.promise("programs.checked-types")
@pytest.mark.parametrize("detail", ["typed", "full"])
@pytest.mark.parametrize(
    ("tool", "code"),
    [
        (
            ISSUES,
            "r = await list_issues(repo='a/b', state='closed', labels=['x'])\nr[0]['id']",
        ),
        (ISSUES, "await list_issues(repo='a/b', labels=None, filter_query='x')"),
        (ADD, "await add(a=1)\nawait add(a=1, b=[1])"),
        (NESTED, "await save(amount=1.5, mode='slow', dry_run=True)\nawait save(amount=1)"),
    ],
)
def test_a_right_program_passes(
    pool: monty.Monty, tool: CatalogTool, code: str, detail: Any
) -> None:
    assert check(pool, render_stub(tool, detail=detail), code) == ""


@pytest.mark.promise("programs.checked-types")
@pytest.mark.parametrize("detail", ["typed", "full"])
@pytest.mark.parametrize(
    ("tool", "code", "said"),
    [
        (ISSUES, "x = 1\n\nawait list_issues(repo=5)", "3:19: error[invalid-argument-type]"),
        (ISSUES, "await list_issues(repo='a', state='ajar')", "1:29: error[invalid-argument-type]"),
        (ISSUES, "await list_issues(repo='a', labels=[1])", "1:29: error[invalid-argument-type]"),
        (ISSUES, "\nawait list_issues()", "2:7: error[missing-argument]"),
        (ISSUES, "await list_issues(repo='a', owner='b')", "1:29: error[unknown-argument]"),
        (ISSUES, "await list_issues('a')", "error[too-many-positional-arguments]"),
        (NESTED, "await save(amount='much')", "1:12: error[invalid-argument-type]"),
        (NESTED, "await save(amount=1, mode='medium')", "1:22: error[invalid-argument-type]"),
    ],
)
def test_a_wrong_argument_is_found_with_its_line_before_anything_runs(
    pool: monty.Monty, tool: CatalogTool, code: str, said: str, detail: Any
) -> None:
    assert said in check(pool, render_stub(tool, detail=detail), code)


_TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null"])
_SCHEMAS = st.recursive(
    st.one_of(
        st.fixed_dictionaries({"type": _TYPES}),
        st.fixed_dictionaries({"enum": st.lists(st.text(max_size=5) | st.integers(), min_size=1)}),
        st.fixed_dictionaries({"type": st.lists(_TYPES, min_size=1, max_size=3, unique=True)}),
        st.just({}),
    ),
    lambda inner: st.one_of(
        st.fixed_dictionaries({"type": st.just("array"), "items": inner}),
        st.fixed_dictionaries(
            {
                "type": st.just("object"),
                "properties": st.dictionaries(st.text(max_size=8), inner, max_size=3),
            }
        ),
        st.fixed_dictionaries({"anyOf": st.lists(inner, min_size=1, max_size=3)}),
    ),
    max_leaves=6,
)


@pytest.mark.promise("programs.checked-types")
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    parameters=st.dictionaries(
        st.from_regex(r"[a-z][a-z_-]{0,8}", fullmatch=True), _SCHEMAS, max_size=4
    ),
    output=_SCHEMAS,
    description=st.text(max_size=80),
)
def test_no_stub_is_in_the_way_of_a_program_and_each_defines_its_tool(
    pool: monty.Monty, parameters: dict[str, Any], output: dict[str, Any], description: str
) -> None:
    tool = make_tool("t.f", parameters=parameters, output=output, description=description)
    stub = render_stub(tool)
    assert check(pool, stub, "f\n1 + 1") == ""
    assert "invalid-argument-type" in check(pool, stub + "\ndef own(n: int): ...", "f\nown('x')")
