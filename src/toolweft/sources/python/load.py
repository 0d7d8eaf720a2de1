"""Finding tools in Python modules and files: the ones their author marked, nothing else."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from toolweft.core.errors import ConfigError
from toolweft.core.tools import ToolSpec
from toolweft.sources.python.declare import BoundTool, find_declaration

__all__ = ("load_handler", "load_python_tools")


def load_python_tools(target: str) -> Sequence[Callable[..., Any] | ToolSpec | BoundTool]:
    """The marked functions, `ToolSpec`s and `BoundTool`s of a module, in its own order.

    Args:
        target: "package.module", or the path of a `.py` file.

    Raises:
        ConfigError: it cannot be imported, or has no tools.
    """
    module = _load_file(Path(target)) if target.endswith(".py") else _load_module(target)
    found: dict[int, Callable[..., Any] | ToolSpec | BoundTool] = {}
    for value in vars(module).values():
        if isinstance(value, ToolSpec | BoundTool) or _is_marked(value):
            # By identity: a function with two names is one tool.
            found.setdefault(id(value), value)
    if not found:
        raise ConfigError(
            f"{target!r} has no tools", hint="mark functions with @toolweft.tool or make ToolSpecs"
        )
    return tuple(found.values())


def load_handler(path: str, *, tool: str) -> Callable[..., Any]:
    """The function at "package.module:function".

    Raises:
        ConfigError: there is none.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise ConfigError(
            f"handler_path {path!r} of tool {tool!r} is not 'package.module:function'",
            hint="name the module, a colon, and the function",
        )
    handler: Any = _load_module(module_name)
    for part in attribute.split("."):
        handler = getattr(handler, part, None)
    if not callable(handler):
        raise ConfigError(
            f"handler_path of tool {tool!r}: {module_name!r} has no function {attribute!r}",
            hint="check the name after the colon",
        )
    found: Callable[..., Any] = handler
    return found


def _is_marked(value: object) -> bool:
    return callable(value) and find_declaration(value) is not None


def _load_module(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as exc:
        raise _cannot_import(name, exc) from exc


def _load_file(path: Path) -> ModuleType:
    # A name of its own, so that a file called json.py does not stand in for the module.
    name = f"toolweft_tools_{path.stem}_{abs(hash(str(path.resolve()))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise ConfigError(f"there is no Python file {str(path)!r}", hint="check the path")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pydantic look their module up by name.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as exc:
        del sys.modules[name]
        raise _cannot_import(str(path), exc) from exc
    return module


def _cannot_import(target: str, error: BaseException) -> ConfigError:
    return ConfigError(
        f"{target!r} cannot be imported: {type(error).__name__}: {error}",
        hint="it must be importable by the Python that runs toolweft",
    )
