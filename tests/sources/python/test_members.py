"""Modules and objects as tools: which of their functions count."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel
from tests.sources.python.support import define_all, serve
from tests.sources.support import use

from toolweft.core.errors import InvalidDefinition
from toolweft.core.tools import ToolSpec
from toolweft.sources import tool


def names(*tools: Any) -> list[str]:
    return [str(definition.name) for definition in define_all(*tools)]


def module(text: str) -> ModuleType:
    made = ModuleType("acme")
    exec(text, vars(made))
    return made


class Base:
    def connect(self) -> str:
        return "connected"

    def close(self) -> None: ...


class Desk(Base):
    """A class of plain methods."""

    limit = 3
    opened = 0

    def __init__(self, name: str = "a") -> None:
        self.name = name

    @property
    def size(self) -> int:
        raise AssertionError("a property ran")

    def count(self, kind: str) -> str:
        return f"{self.name}: {kind}"

    async def open(self) -> str:
        return self.name

    @classmethod
    def made(cls) -> str:
        return cls.__name__

    @staticmethod
    def add(a: int, b: int) -> int:
        return a + b

    def _hidden(self) -> None: ...

    close = None  # type: ignore[assignment] (taken away)


class Marked(Base):
    @tool(severity="read_only")
    def count(self) -> int:
        return 1

    @tool(name="kind")
    @classmethod
    def made(cls) -> str:
        return cls.__name__

    @classmethod
    @tool
    def inner(cls) -> str:
        return cls.__name__

    @tool
    @staticmethod
    def add(a: int, b: int) -> int:
        return a + b

    @tool
    def _private(self) -> None: ...

    def helper(self) -> None: ...


async def test_the_public_methods_of_an_object_are_tools() -> None:
    assert names(Desk()) == ["connect", "count", "open", "made", "add"]
    source = serve(Desk("desk"))
    assert (await use(source, "count", kind="pens")).structured == "desk: pens"
    assert (await use(source, "open")).structured == "desk"
    assert (await use(source, "made")).structured == "Desk"
    assert (await use(source, "add", a=1, b=2)).structured == 3
    assert (await use(source, "connect")).structured == "connected"


async def test_where_methods_are_marked_only_they_are_tools() -> None:
    assert names(Marked()) == ["count", "kind", "inner", "add", "_private"]
    assert define_all(Marked())[0].severity == "read_only"
    assert (await use(serve(Marked()), "kind")).structured == "Marked"


def test_methods_of_other_packages_are_left_out() -> None:
    class Team(BaseModel):
        name: str

        def rename(self, name: str) -> None: ...

    class Price(Decimal):
        def double(self) -> float: ...

    @dataclass
    class Order:
        count: int

        def total(self) -> int: ...

    assert names(Team(name="a")) == ["rename"]
    assert names(Price(1)) == ["double"]
    assert names(Order(1)) == ["total"]


@pytest.mark.parametrize("value", [3, "text", None, [print], {"a": print}, b"x", (print,)])
def test_plain_values_are_no_tools(value: Any) -> None:
    with pytest.raises(InvalidDefinition, match="is no tool"):
        serve(value)


def test_an_object_without_methods_is_refused() -> None:
    class Empty:
        def _hidden(self) -> None: ...

    with pytest.raises(InvalidDefinition, match="an object of 'Empty' has no methods"):
        serve(Empty())


MARKED = """
from toolweft import ToolSpec, tool
@tool
def one() -> int: ...
alias = one
def helper() -> int: ...
two = ToolSpec(name="two", handler=helper)
__all__ = ["helper"]
"""
NAMED = """
from os.path import basename
from math import gcd
def two() -> int: ...
def one() -> int: ...
def helper() -> int: ...
class Kind: ...
LIMIT = 3
__all__ = ["one", "two", "basename", "Kind", "LIMIT", "one"]
"""


def test_a_module_offers_what_is_marked() -> None:
    assert names(module(MARKED)) == ["one", "two"]


def test_a_module_without_marks_offers_the_functions_of_its_all() -> None:
    assert names(module(NAMED)) == ["one", "two", "basename"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def f() -> None: ...", r"'acme' has no tools \(mark functions .* in __all__\)"),
        ("__all__ = ['LIMIT']\nLIMIT = 3", "'acme' has no tools"),
        ("__all__ = ['gone']", "__all__ of 'acme' names 'gone', which is not there"),
    ],
)
def test_a_module_without_tools_is_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidDefinition, match=said):
        serve(module(text))


def test_functions_modules_and_objects_make_one_source() -> None:
    def plain() -> None: ...

    spec = ToolSpec(name="spec", handler=plain)
    assert names(plain, module(MARKED), Marked(), spec)[:4] == ["plain", "one", "two", "count"]
    with pytest.raises(InvalidDefinition, match="two tools named 'plain'"):
        serve(plain, plain)


def test_a_callable_object_is_one_tool() -> None:
    class Both:
        def __call__(self) -> None: ...
        def other(self) -> None: ...

    made: list[Callable[..., Any]] = [Both()]
    assert names(*made) == ["Both"]
    assert not hasattr(math, "__all__")
