"""Tools as a program sees them."""

import asyncio
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.names import python_name
from toolweft.sandbox.guest.names import (
    Blob,
    Namespace,
    ToolError,
    bind_names,
    make_function,
    program_line,
)


async def echo_call(name, arguments, line):
    return name, arguments, line


async def test_a_tool_of_a_namespace_is_called_by_its_full_name():
    github = Namespace(echo_call, "github")
    assert await github.list_issues(repo="a/b") == ("github.list_issues", {"repo": "a/b"}, None)


async def test_original_parameter_names_pass_as_they_are():
    tool = make_function(echo_call, "search")
    assert (await tool(**{"filter-query": "x"}))[1] == {"filter-query": "x"}


async def test_the_program_s_line_goes_with_the_call():
    variables = {"tool": make_function(echo_call, "t.f")}
    code = compile("\n\npending = [tool(x=1)]", "<run 1>", "exec")
    exec(code, variables)
    assert (await variables["pending"][0])[2] == 3
    assert program_line() is None


def test_a_positional_argument_gets_a_hint():
    with pytest.raises(
        TypeError, match=r"github.f\(\) takes keyword arguments only.*parameter=value"
    ):
        Namespace(echo_call, "github").f("a/b")


def test_a_namespace_is_not_called_and_has_no_magic_attributes():
    github = Namespace(echo_call, "github")
    with pytest.raises(TypeError, match=r"call one as await github\.tool"):
        github(repo="x")
    with pytest.raises(AttributeError, match="__len__"):
        github.__len__  # noqa: B018


@given(st.text("_-.ab", min_size=1) | st.text(min_size=1))
def test_whatever_a_tool_is_called_its_spelling_is_an_attribute(name):
    spelled = python_name(name)
    assert getattr(Namespace(echo_call, "github"), spelled).__name__ == spelled


def test_namespaces_and_functions_show_what_they_are():
    github = Namespace(echo_call, "github")
    assert github.list_issues is github.list_issues
    assert dir(github) == ["list_issues"]
    assert "await github.tool" in repr(github)
    assert "await github.list_issues(...)" in github.list_issues.__doc__
    assert github.list_issues.__name__ == "list_issues"
    assert asyncio.iscoroutinefunction(github.list_issues)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((("x",), {}), {"query": "x"}),
        ((("x", 3), {}), {"query": "x", "limit": 3}),
        ((("x",), {"limit": 3}), {"query": "x", "limit": 3}),
    ],
)
async def test_a_function_with_known_parameters_takes_them_by_position(arguments, named):
    function = make_function(echo_call, "tools.search", ["query", "limit"])
    positional, keywords = arguments
    assert (await function(*positional, **keywords))[1] == named


@pytest.mark.parametrize(("positional", "keywords"), [((1, 2, 3), {}), ((1,), {"query": 2})])
def test_too_many_or_doubled_arguments_are_refused(positional, keywords):
    function = make_function(echo_call, "tools.search", ["query", "limit"])
    with pytest.raises(TypeError, match="keyword arguments only"):
        function(*positional, **keywords)


def test_a_coroutine_of_a_tool_has_its_name():
    coroutine = make_function(echo_call, "github.f")()
    assert inspect.iscoroutine(coroutine)
    assert (coroutine.__name__, coroutine.__qualname__) == ("f", "github.f")
    coroutine.close()


def test_names_are_bound_again_but_a_program_s_own_variables_stay():
    variables = {"mine": 1, "search": "text"}
    bind_names(variables, echo_call, namespaces=["github", "mine"], functions=["search", "f"])
    assert variables["mine"] == 1
    assert variables["search"] == "text"
    first = variables["github"], variables["f"]
    bind_names(variables, echo_call, namespaces=["github"], functions=["f"])
    assert isinstance(variables["github"], Namespace)
    assert (variables["github"], variables["f"]) != first


def test_a_tool_error_carries_code_message_and_hint():
    error = ToolError("no such user", "tool_error", "try 1")
    assert (error.code, error.message, error.hint) == ("tool_error", "no such user", "try 1")
    assert str(error) == "no such user (try 1)"
    assert str(ToolError("x")) == "x"


def test_a_blob_is_bytes_with_a_media_type():
    blob = Blob(b"\x89PNG", "image/png")
    assert blob == b"\x89PNG"
    assert blob.media_type == "image/png"
    assert "image/png, 4 bytes" in repr(blob)
