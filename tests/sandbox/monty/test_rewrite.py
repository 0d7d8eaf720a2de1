"""Marks in a program's text."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sandbox.monty.rewrite import rewrite


def marked(source: str) -> str:
    text, is_read = rewrite(source, namespaces={"t"}, functions={"echo"})
    assert is_read
    return text


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("1", "_tw_value((1))"),
        ("x = 1", "x = 1\n_tw_value(None)"),
        ("await t.f(x=1)", "_tw_value((await _tw_at(1, t).f(x=1)))"),
        ("\nx = echo(y=1)\n", "\nx = _tw_at(2, echo)(y=1)\n\n_tw_value(None)"),
        ("a.t.f(x)", "_tw_value((a.t.f(x)))"),
        ("def echo(): pass", "def echo(): pass\n_tw_value(None)"),
        ("a = 1; a == 1;", "a = 1; _tw_value((a == 1));"),
        ("lambda x: x", "_tw_value((lambda x: x))"),
        ("x: int", "x: int\n_tw_value(None)"),
        ("x += 1", "x += 1\n_tw_value(None)"),
        ("for i in a: i; i", "for i in a: i; i\n_tw_value(None)"),
        ("(a :=\n 1)  # note", "_tw_value(((a :=\n 1)))  # note"),
        ("'t.f(1)'", "_tw_value(('t.f(1)'))"),
        ("a = (x for x in y)", "a = (_tw_once((x for x in y)))\n_tw_value(None)"),
        ("a = [x for x in (1, 2)]", "a = [x for x in (1, 2)]\n_tw_value(None)"),
        ("a = {x: 1 for x in y}", "a = {x: 1 for x in y}\n_tw_value(None)"),
        (
            "a = sum(b for b in (c for c in d))",
            "a = sum(_tw_once((b for b in (_tw_once((c for c in d))))))\n_tw_value(None)",
        ),
        (
            "a = f(  # note\n t.g(b)\n for b in c\n)",
            "a = f(  # note\n _tw_once((_tw_at(2, t).g(b)\n for b in c\n)))\n_tw_value(None)",
        ),
        ("(b for b in c)", "_tw_value(((_tw_once((b for b in c)))))"),
    ],
)
def test_calls_and_the_last_value_are_marked(source, text):
    assert marked(source) == text


@pytest.mark.parametrize("source", ["(", '"""', "x = )", "  a\n b"])
def test_text_that_cannot_be_read_stays_as_it_is(source):
    text, _is_read = rewrite(source, namespaces=(), functions=())
    assert text.startswith(source)


def test_brackets_that_do_not_match_are_left_to_the_interpreter():
    text, _is_read = rewrite(")(x for x in y", namespaces=(), functions=())
    assert "_tw_once" not in text


_STATEMENTS = st.lists(
    st.sampled_from(
        [
            "x = await t.f(a=1)",
            "await t.g(b=[1,\n 2])",
            "if x:\n    echo(c=t.h(d=1))",
            "f'{t.f(x=1)}'",
            "def g():\n    return echo()",
            "t.f(t.g(1), echo(2)); 5",
            "x = {'a': lambda: 1}",
            "# t.f(1)",
            "y[1:2] = 3",
            "'é'; t.f(x='é')",
            "a = sum(t.f(b) for b in (c for c in\n d) if b)",
            "f(*(x async for x in y))",
        ]
    ),
    min_size=1,
)


@given(_STATEMENTS)
def test_marked_text_is_still_python_with_as_many_lines_before_the_value(statements):
    source = "\n".join(statements)
    text = marked(source)
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
    compile(text, "marked", "exec", flags=flags)
    assert text.removesuffix("\n_tw_value(None)").count("\n") == source.count("\n")
