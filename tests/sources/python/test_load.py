from pathlib import Path

import pytest

from toolweft.core.errors import ConfigError
from toolweft.sources import load_python_tools

MARKED = """
from dataclasses import dataclass
from pathlib import Path
from toolweft.core.tools import ToolSpec
from toolweft.sources import tool

@dataclass
class Row:
    n: int

@tool
def one(row: Row) -> int: ...

alias = one

def helper() -> None: ...

two = ToolSpec(name="two", handler=helper)
"""


def test_the_marked_tools_of_a_file_are_found_in_order(tmp_path: Path) -> None:
    file = tmp_path / "json.py"
    file.write_text(MARKED)
    first, second = load_python_tools(str(file))
    assert first.__name__ == "one"
    assert second.name == "two"


def test_the_marked_tools_of_a_module_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "team_tools_for_a_test.py").write_text(MARKED)
    monkeypatch.syspath_prepend(tmp_path)
    assert len(load_python_tools("team_tools_for_a_test")) == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("import nonesuch", "cannot be imported: ModuleNotFoundError"),
        ("def f(", "cannot be imported: SyntaxError"),
        ("def f(): ...", "has no tools"),
    ],
)
def test_a_file_without_usable_tools_is_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "tools.py"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_python_tools(str(file))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no Python file"):
        load_python_tools(str(tmp_path / "tools.py"))


def test_a_missing_module_is_named() -> None:
    with pytest.raises(ConfigError, match="'nonesuch_module' cannot be imported"):
        load_python_tools("nonesuch_module")


PARTS = """
class Desk:
    def count(self) -> int: ...

class Inner:
    desk = Desk()

desk = Desk()
def plain() -> int: ...
several = [plain, desk]
limit = 3
"""


@pytest.mark.parametrize(
    ("attribute", "names"),
    [
        ("desk", ["count"]),
        ("Inner.desk", ["count"]),
        ("plain", ["plain"]),
        ("several", ["plain", "count"]),
    ],
)
def test_an_object_of_a_file_is_found_by_its_name(
    tmp_path: Path, attribute: str, names: list[str]
) -> None:
    file = tmp_path / "tools.py"
    file.write_text(PARTS)
    found = load_python_tools(f"{file}:{attribute}")
    assert [tool.__name__ for tool in found] == names


@pytest.mark.parametrize(
    ("attribute", "said"),
    [
        ("gone", r"tools\.py' has no 'gone' \(check the name after the colon\)"),
        ("desk.gone.more", "has no 'desk.gone.more'"),
        ("limit", r"tools\.py:limit' has no tools: 3 is no tool"),
    ],
)
def test_an_object_that_is_no_tool_is_refused(tmp_path: Path, attribute: str, said: str) -> None:
    file = tmp_path / "tools.py"
    file.write_text(PARTS)
    with pytest.raises(ConfigError, match=said):
        load_python_tools(f"{file}:{attribute}")
