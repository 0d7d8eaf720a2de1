"""Loading tools from Python modules, files and objects in them."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from toolweft.core.errors import ConfigError, InvalidDefinition
from toolweft.sources.python.members import PythonTool, find_tools
from toolweft.sources.python.targets import split_target

__all__ = ("load_handler", "load_python_tools", "parse_handler_path")

_MISSING = object()


def load_python_tools(target: str) -> Sequence[PythonTool]:
    """The tools of a module, or of an object in one, in their own order.

    Args:
        target: "package.module" or the path of a `.py` file, and perhaps ":" and the name of an
            object, a function or a list of such.

    Raises:
        ConfigError: it cannot be imported, or has no tools.
    """
    place, attribute = split_target(target)
    found: Any = _load_file(Path(place)) if place.endswith(".py") else _load_module(place)
    if attribute:
        found = _find_attribute(found, attribute)
        if found is _MISSING:
            raise ConfigError(
                f"{place!r} has no {attribute!r}", hint="check the name after the colon"
            )
    try:
        if isinstance(found, list | tuple):
            return tuple(tool for item in found for tool in find_tools(item))
        return find_tools(found)
    except InvalidDefinition as exc:
        raise ConfigError(f"{target!r} has no tools: {exc.message}", hint=exc.hint) from exc


def load_handler(path: str, *, tool: str) -> Callable[..., Any]:
    """The function at "package.module:function".

    Raises:
        ConfigError: there is none.
    """
    module_name, attribute = parse_handler_path(path, tool=tool)
    handler = _find_attribute(_load_module(module_name), attribute)
    if not callable(handler):
        raise ConfigError(
            f"handler_path of tool {tool!r}: {module_name!r} has no function {attribute!r}",
            hint="check the name after the colon",
        )
    found: Callable[..., Any] = handler
    return found


def parse_handler_path(path: str, *, tool: str) -> tuple[str, str]:
    """Module and function of "package.module:function".

    Raises:
        ConfigError: it does not look so.
    """
    module_name, _, attribute = path.partition(":")
    if not module_name or not attribute:
        raise ConfigError(
            f"handler_path {path!r} of tool {tool!r} is not 'package.module:function'",
            hint="name the module, a colon, and the function",
        )
    return module_name, attribute


def _find_attribute(found: Any, attribute: str) -> Any:
    for part in attribute.split("."):
        found = getattr(found, part, _MISSING)
    return found


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
