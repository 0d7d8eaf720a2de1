"""What is public is meant to be: names, docstrings, and nothing by accident."""

import ast
import importlib
import inspect
import pkgutil
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import pytest

import toolweft

# Changing this list changes what users may rely on: say so in a fragment under changes/.
TOP_LEVEL = (
    "Agent",
    "AgentResult",
    "AnthropicClient",
    "Ask",
    "CODE_EXECUTION_TOOL",
    "Caller",
    "CallerInfo",
    "CallerType",
    "CallingClient",
    "CompletionResponse",
    "Container",
    "ContainerInfo",
    "DescribeAnswer",
    "FoundTool",
    "NOBODY",
    "Placement",
    "Principal",
    "ProgramLimits",
    "ProgramOutcome",
    "QueryAnswer",
    "ReplayReport",
    "SavedProgram",
    "SearchAnswer",
    "SearchHit",
    "ToolCall",
    "ToolDefinition",
    "ToolExample",
    "ToolResult",
    "ToolSpec",
    "Toolbox",
    "ToolweftError",
    "__version__",
    "open",
    "tool",
)

NOT_ON_WINDOWS = tuple(
    f"toolweft.sandbox.{name}" for name in ("container", "guest", "process", "trial")
)


def is_public(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def list_public_modules() -> list[str]:
    found = pkgutil.walk_packages(toolweft.__path__, "toolweft.")
    names = ["toolweft", *(module.name for module in found if is_public(module.name))]
    # What confines processes cannot be imported there, and nothing imports it.
    missing = NOT_ON_WINDOWS if sys.platform == "win32" else ()
    return [name for name in names if not name.startswith(missing)]


def list_defined_names(module: ModuleType) -> set[str]:
    """Public names the module's own text defines or, in a package, re-exports."""
    tree = ast.parse(inspect.getsource(module))
    is_package = hasattr(module, "__path__")
    names: set[str] = set()
    for node in tree.body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                # A command is reached through its application, not by name.
                if not any(ast.unparse(d).startswith("app.") for d in node.decorator_list):
                    names.add(name)
            case ast.ClassDef(name=name):
                names.add(name)
            case ast.ImportFrom(module=home) if is_package and (home or "").startswith("toolweft"):
                names |= {alias.asname or alias.name for alias in node.names}
    return {name for name in names if is_public(name)}


MODULES = list_public_modules()
# The guest has no public names: it is sent into the child as text.
IMPORTABLE = [name for name in MODULES if not name.startswith("toolweft.sandbox.guest")]


@pytest.mark.promise("house.public-surface")
def test_the_top_level_offers_exactly_the_intended_names() -> None:
    assert tuple(sorted(toolweft.__all__)) == tuple(sorted(TOP_LEVEL))
    for name in TOP_LEVEL:
        assert getattr(toolweft, name) is not None


def test_type_checkers_are_told_of_the_same_names() -> None:
    stub = Path(toolweft.__file__).with_name("__init__.pyi").read_text("utf-8")
    imported = {
        name.asname: (node.module, name.name)
        for node in ast.parse(stub).body
        if isinstance(node, ast.ImportFrom)
        for name in node.names
    }
    assert imported == toolweft._HOMES


def test_the_version_is_the_one_of_the_project() -> None:
    project = Path(__file__).resolve().parent.parent / "pyproject.toml"
    assert tomllib.loads(project.read_text("utf-8"))["project"]["version"] == toolweft.__version__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="nonsense"):
        _ = toolweft.nonsense  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", IMPORTABLE)
def test_all_is_a_tuple_of_everything_public(name: str) -> None:
    module = importlib.import_module(name)
    offered = getattr(module, "__all__", None)

    assert isinstance(offered, tuple), "give the module a tuple __all__"
    assert len(set(offered)) == len(offered)
    missing = [entry for entry in offered if not hasattr(module, entry)]
    assert not missing, f"in __all__ but not there: {missing}"
    hidden = list_defined_names(module) - set(offered)
    assert not hidden, f"public but not in __all__: {sorted(hidden)}"


@pytest.mark.parametrize("name", IMPORTABLE)
def test_everything_offered_has_a_docstring(name: str) -> None:
    module = importlib.import_module(name)
    assert (module.__doc__ or "").strip(), "say what the module is for"

    for entry in module.__all__:
        thing = getattr(module, entry)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert has_own_docstring(thing), f"{entry} needs a docstring"


def has_own_docstring(thing: object) -> bool:
    text = (getattr(thing, "__doc__", None) or "").strip()
    # A dataclass without a docstring is given its signature as one.
    name = getattr(thing, "__name__", "")
    return bool(text) and not text.startswith(f"{name}(")
