"""Which functions of a module or an object are tools. Pure but for reading attributes.

Marks win: where anything is marked, the marked alone. Else a module offers what its `__all__`
names, and an object the public methods that its class and bases of the same package define.
Nothing of a class but functions is touched, so no property runs.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any, TypeAlias

from toolweft.core.errors import InvalidDefinition
from toolweft.core.tools import ToolSpec
from toolweft.sources.python.declare import BoundTool, find_declaration

__all__ = ("PythonTool", "find_tools")

PythonTool: TypeAlias = Callable[..., Any] | ToolSpec | BoundTool

_FUNCTIONS = (FunctionType, BuiltinFunctionType, MethodType, partial)
_METHODS = (FunctionType, classmethod, staticmethod)


def find_tools(candidate: object) -> tuple[PythonTool, ...]:
    """The tools of a module, of an object, or of a list of them; a function is one itself.

    Raises:
        InvalidDefinition: it has none.
    """
    if isinstance(candidate, ToolSpec | BoundTool):
        return (candidate,)
    if isinstance(candidate, ModuleType):
        return _of_module(candidate)
    if callable(candidate):
        return (candidate,)
    if type(candidate).__module__ == "builtins":
        raise InvalidDefinition(
            f"{candidate!r:.80} is no tool",
            hint="give a function, a module, an object with methods, a ToolSpec or a BoundTool",
        )
    return _of_object(candidate)


def _of_module(module: ModuleType) -> tuple[PythonTool, ...]:
    # By identity: a function with two names is one tool.
    found = {id(value): value for value in vars(module).values() if _is_declared(value)}
    if not found:
        named = (_find_named(module, name) for name in getattr(module, "__all__", ()))
        found = {id(value): value for value in named if isinstance(value, _FUNCTIONS)}
    if not found:
        raise InvalidDefinition(
            f"the module {module.__name__!r} has no tools",
            hint="mark functions with @toolweft.tool, make ToolSpecs, or name them in __all__",
        )
    return tuple(found.values())


def _find_named(module: ModuleType, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError as exc:
        raise InvalidDefinition(
            f"__all__ of {module.__name__!r} names {name!r}, which is not there",
            hint="remove the name, or define it",
        ) from exc


def _of_object(owner: object) -> tuple[PythonTool, ...]:
    methods = [getattr(owner, name) for name in dict.fromkeys(_method_names(type(owner)))]
    marked = [method for method in methods if find_declaration(method) is not None]
    public = [m for m in methods if not m.__name__.startswith("_")]
    if not marked and not public:
        raise InvalidDefinition(
            f"an object of {type(owner).__name__!r} has no methods that could be tools",
            hint="give an object of a class with public methods, or functions",
        )
    return tuple(marked or public)


def _method_names(kind: type) -> Iterator[str]:
    """Of functions, base classes first, each class in its own order."""
    package = kind.__module__.partition(".")[0]
    for base in reversed(kind.__mro__):
        is_own = base.__module__.partition(".")[0] == package
        for name, value in vars(base).items():
            if not isinstance(value, _METHODS) or name.startswith("__"):
                continue
            # A subclass may put anything else in a method's place.
            final = inspect.getattr_static(kind, name)
            if isinstance(final, _METHODS) and (is_own or find_declaration(value) is not None):
                yield name


def _is_declared(value: object) -> bool:
    if isinstance(value, ToolSpec | BoundTool):
        return True
    return callable(value) and find_declaration(value) is not None
