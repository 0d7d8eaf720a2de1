"""Handlers that are named by their place are loaded when they are first called."""

import math
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.sources.python.support import define, serve
from tests.sources.support import use

from toolweft.core.errors import ConfigError, InvalidDefinition, InvalidValue
from toolweft.core.tools import ToolSpec
from toolweft.sources import tool

TEXT = """
def double(number: int) -> int:
    '''Double it.'''
    return number * 2

class Desk:
    def count(self, **more: int) -> int:
        return len(more)

desk = Desk()
"""
PARAMETERS = {"type": "object", "properties": {"number": {"type": "integer"}}}


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """A module that nothing has imported."""
    name = f"late_{abs(hash(request.node.nodeid)):x}"
    (tmp_path / f"{name}.py").write_text(TEXT)
    monkeypatch.syspath_prepend(tmp_path)
    return name


async def test_with_parameters_nothing_is_imported_before_the_first_call(name: str) -> None:
    source = serve(ToolSpec(name="t", handler_path=f"{name}:double", parameters=PARAMETERS))
    assert name not in sys.modules

    assert (await use(source, "t", number=2)).structured == 4
    assert name in sys.modules
    assert (await use(source, "t", number=3)).structured == 6


def test_without_parameters_they_are_read_off_the_handler(name: str) -> None:
    definition = define(ToolSpec(name="t", handler_path=f"{name}:double"))

    assert definition.description == "Double it."
    assert list(definition.input_schema["properties"]) == ["number"]


async def test_a_method_of_an_object_may_be_named(name: str) -> None:
    spec = ToolSpec(name="t", handler_path=f"{name}:desk.count", parameters={"type": "object"})

    assert (await use(serve(spec), "t", a=1, b=2)).structured == 2


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nonesuch.module:f", "'nonesuch.module' cannot be imported: ModuleNotFoundError"),
        ("{name}:triple", "has no function 'triple' (check the name after the colon)"),
        ("{name}:desk", "has no function 'desk'"),
        ("{name}:Desk", "is the class 'Desk', not a function"),
    ],
)
async def test_a_path_that_leads_nowhere_is_told_when_it_is_called(
    name: str, path: str, said: str
) -> None:
    spec = ToolSpec(name="t", handler_path=path.format(name=name), parameters=PARAMETERS)

    result = await use(serve(spec), "t", number=1)

    assert result.is_error
    assert said in result.content[0].text


async def test_a_module_that_is_mended_meanwhile_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "late_and_broken.py"
    file.write_text("raise RuntimeError('no database yet')")
    source = serve(ToolSpec(name="t", handler_path="late_and_broken:double", parameters=PARAMETERS))

    broken = await use(source, "t", number=1)
    file.write_text(TEXT)
    mended = await use(source, "t", number=1)

    assert "cannot be imported: RuntimeError: no database yet" in broken.content[0].text
    assert mended.structured == 2


@pytest.mark.parametrize("path", ["module", "module:", ":function"])
def test_a_path_of_another_form_is_refused_at_once(path: str) -> None:
    with pytest.raises(ConfigError, match=r"is not 'package\.module:function'"):
        serve(ToolSpec(name="t", handler_path=path, parameters=PARAMETERS))


def test_parameters_that_the_handler_does_not_take_are_refused() -> None:
    def double(number: int) -> int: ...

    parameters = {"type": "object", "properties": {"n": {"type": "integer"}}}
    with pytest.raises(
        InvalidDefinition, match=r"'t' name 'n', which .* not take \(the handler takes: number\)"
    ):
        serve(ToolSpec(name="t", handler=double, parameters=parameters))


@pytest.mark.parametrize(
    ("given", "callers"),
    [
        (["direct"], {"direct"}),
        (["code_execution_20260120", "direct"], {"direct", "programmatic"}),
        ((), set()),
    ],
)
def test_callers_of_a_spec_are_read_in_any_spelling(given: Any, callers: set[str]) -> None:
    assert define(ToolSpec(name="t", handler=len_of, allowed_callers=given)).allowed_callers == (
        callers
    )


def test_a_caller_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidValue, match=r"allowed_callers of 't' has 'models', .* no caller"):
        serve(ToolSpec(name="t", handler=len_of, allowed_callers=["models"]))


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("severity", "bad", "which is no severity (write 'read_only', 'write' or 'destructive')"),
        ("severity", ["write"], "which is no severity"),
        ("timeout_s", -1, "not a number of seconds above 0 (write timeout_s=30, or leave it out"),
        ("timeout_s", 0, "not a number of seconds"),
        ("timeout_s", "soon", "not a number of seconds"),
        ("timeout_s", math.nan, "not a number of seconds"),
        ("timeout_s", True, "not a number of seconds"),
        ("timeout_s", 10**400, "not a number of seconds"),
        ("category", 5, "not a text"),
        ("description", b"x", "not a text"),
        ("version", 2, 'not a text (write version="2"'),
        ("defer_loading", "no", "neither True nor False (write True or False"),
        ("allowed_callers", 5, "which is no list"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_with_its_place(
    option: str, value: Any, said: str
) -> None:
    options: dict[str, Any] = {option: value}
    meant = re.escape(f"{option} of 'len_of' is ") + ".*" + re.escape(said)

    with pytest.raises(InvalidValue, match=meant):
        serve(ToolSpec(name="len_of", handler=len_of, **options))
    with pytest.raises(InvalidValue, match=meant):
        serve(tool(name="len_of", **options)(lambda: 0))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": 5}, "name of 5 is 5, not a name"),
        ({"name": ""}, "name of '' is '', not a name"),
        ({"name": None}, "name of None is None, not a name"),
        ({"parameters": ["x"]}, "parameters of 't' is ['x'], not a JSON Schema of type object"),
        ({"handler": 5}, "handler of 't' is 5, not a function"),
        ({"handler_path": 5}, "handler_path of 't' is 5, not a text"),
        ({"input_examples": [{"n": 1}]}, "input_examples of 't' is [{'n': 1}], not a list of ex"),
    ],
)
def test_a_spec_that_cannot_be_read_is_refused(options: Any, said: str) -> None:
    with pytest.raises(InvalidValue, match=re.escape(said)):
        serve(ToolSpec(**{"name": "t", "handler": len_of, **options}))


def test_the_usual_values_are_taken() -> None:
    spec = ToolSpec(name="t", handler=len_of, timeout_s=math.inf, defer_loading=False)

    assert define(spec).timeout_s == math.inf


def len_of(text: str) -> int:
    return len(text)
