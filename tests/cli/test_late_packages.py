"""Packages that are filled late, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

import pytest

_DEFER = "from toolweft.cli.late_packages import defer_packages\n"


def _run(code: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\nsys.path.insert(0, {str(folder)!r})\n{_DEFER}{code}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    package = tmp_path / "boxes"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text(
        "print('filled')\nfrom .heavy import WEIGHT\nfrom boxes.inner import DEEP\nOWN = 1\n"
        "def __getattr__(name):\n"
        "    if name == 'made':\n        return 'made'\n"
        "    raise AttributeError(f'no {name}')\n"
    )
    (package / "heavy.py").write_text("print('heavy')\nWEIGHT = 7\n")
    (package / "light.py").write_text("import boxes\nLIGHT = 1\n")
    (package / "inner" / "__init__.py").write_text("print('inner')\nDEEP = 3\n")
    (package / "inner" / "leaf.py").write_text("LEAF = 2\n")
    (package / "data.txt").write_text("data")
    return tmp_path


def test_a_module_of_it_is_imported_without_the_rest(folder: Path) -> None:
    code = (
        "defer_packages('boxes', 'boxes.inner')\n"
        "from boxes.light import LIGHT\nimport boxes.inner.leaf\n"
        "print(LIGHT, boxes.inner.leaf.LEAF, 'boxes.heavy' in sys.modules)"
    )
    assert _run(code, folder).splitlines() == ["1 2 False"]


def test_it_is_filled_once_by_the_first_name_that_is_asked_of_it(folder: Path) -> None:
    code = (
        "defer_packages('boxes', 'boxes.inner')\n"
        "import boxes.light\nprint('so far')\n"
        "from boxes import WEIGHT\nprint(WEIGHT, boxes.OWN, boxes.DEEP, boxes.made, type(boxes))"
    )
    assert _run(code, folder).splitlines() == [
        *("so far", "filled", "heavy", "inner", "7 1 3 made <class 'module'>"),
    ]


def test_a_name_that_it_has_not_is_missed_as_always(folder: Path) -> None:
    code = (
        "defer_packages('boxes', 'boxes.inner')\nimport boxes\n"
        "print(hasattr(boxes, 'nothing'))\n"
        "try:\n    boxes.nothing\nexcept AttributeError as e:\n    print(e)\n"
        "try:\n    from boxes.inner import nothing\nexcept ImportError as e:\n    print(e.name)"
    )
    found = _run(code, folder).splitlines()
    assert found == ["filled", "heavy", "inner", "False", "no nothing", "boxes.inner"]


def test_an_init_that_fails_fails_each_time_it_is_needed(folder: Path) -> None:
    (folder / "boxes" / "heavy.py").write_text("raise RuntimeError('too heavy')\n")
    code = (
        "defer_packages('boxes')\nimport boxes.light\n"
        "for _ in range(2):\n"
        "    try:\n        boxes.OWN\n    except RuntimeError as e:\n        print(e)"
    )
    assert _run(code, folder).splitlines() == ["filled", "too heavy", "filled", "too heavy"]


def test_what_cannot_be_found_or_is_there_already_is_left_alone(folder: Path) -> None:
    code = (
        "import boxes\ndefer_packages('boxes', 'nowhere', 'boxes.light')\nimport boxes.light\n"
        "print(type(boxes))\n"
        "try:\n    import nowhere\nexcept ModuleNotFoundError as e:\n    print(e)"
    )
    assert _run(code, folder).splitlines() == [
        *("filled", "heavy", "inner", "<class 'module'>", "No module named 'nowhere'"),
    ]


def test_its_files_are_found_before_it_is_filled(folder: Path) -> None:
    code = (
        "defer_packages('boxes')\nfrom importlib import resources\n"
        "print(resources.files('boxes').joinpath('data.txt').read_text())\n"
        "import boxes\nprint(boxes.__file__.endswith('__init__.py'))"
    )
    assert _run(code, folder).splitlines() == ["data", "True"]


def test_the_protocol_s_sdk_is_whole_where_it_is_asked_for(folder: Path) -> None:
    code = (
        "defer_packages('mcp', 'mcp.client', 'mcp.server')\n"
        "from mcp.server.lowlevel import Server\n"
        "print([m for m in ('mcp.client.client', 'mcp.server.mcpserver', 'httpx2')"
        " if m in sys.modules])\n"
        "from mcp.client import Client, Transport\nfrom mcp import ClientSession, types\n"
        "from mcp.server import MCPServer\nimport mcp\n"
        "print(mcp.Client is Client, mcp.types is types, MCPServer.__name__, Server.__name__)"
    )
    assert _run(code, folder).splitlines() == ["[]", "True True MCPServer Server"]


def test_each_module_of_the_sdk_that_toolweft_names_can_come_first(folder: Path) -> None:
    """The order of imports that the packages' own `__init__` made is no longer given."""
    source = Path(__file__).parents[2] / "src" / "toolweft"
    lines = {
        line.strip().split(" import ")[0].removeprefix("from ")
        for path in source.rglob("*.py")
        for line in path.read_text("utf-8").splitlines()
        if line.strip().startswith("from mcp.")
    }
    assert len(lines) > 15
    code = (
        "import os\n"
        "defer_packages('mcp', 'mcp.client', 'mcp.server')\n"
        f"for name in {sorted(lines)!r}:\n"
        "    if (child := os.fork()) == 0:\n"
        "        __import__(name)\n"
        "        os._exit(0)\n"
        "    print(name, os.waitpid(child, 0)[1])"
    )
    outcomes = dict(line.split() for line in _run(code, folder).splitlines())
    assert outcomes == dict.fromkeys(sorted(lines), "0")
