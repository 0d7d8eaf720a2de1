"""What a program finds bound beside Python's own names: tools, their errors and their bytes.

Nothing here knows which tools exist: a name becomes a function when it is looked up, and the host
decides when it is called.
"""

import asyncio
import inspect
import sys
from collections.abc import Callable, Coroutine, Mapping, MutableMapping, Sequence
from typing import Any, Protocol

__all__ = (
    "Blob",
    "Namespace",
    "ToolError",
    "bind_names",
    "make_function",
    "mark_coroutine_function",
    "program_line",
)

# Programs are compiled under names that start so; every other frame is not theirs.
PROGRAM_PREFIX = "<run "
# A call nested deeper in the program's own functions than this goes without a line.
_MAX_FRAMES = 64

_NO_POSITIONAL: Mapping[str, Sequence[str]] = {}


class ToolError(Exception):
    """A tool call that gave no result; `code`, `message` and `hint` say why and what to do."""

    def __init__(
        self, message: str, code: str = "error", hint: str | None = None, tool: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.hint = hint
        self.tool = tool

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class Blob(bytes):
    """Bytes from a tool, with their media type."""

    media_type: str

    def __new__(cls, data: bytes = b"", media_type: str = "application/octet-stream") -> "Blob":
        """Bytes of a media type."""
        blob = super().__new__(cls, data)
        blob.media_type = media_type
        return blob

    def __repr__(self) -> str:
        return f"<Blob {self.media_type}, {len(self)} bytes>"


class CallTool(Protocol):
    """Whoever sends calls to the host."""

    def __call__(
        self, name: str, arguments: dict[str, Any], line: int | None
    ) -> Coroutine[Any, Any, Any]:
        """A coroutine that gives the tool's result."""
        ...


def program_line() -> int | None:
    """The line of the innermost frame that belongs to a program; None outside of one."""
    frame = sys._getframe(1)  # noqa: SLF001  the frame itself, as traceback.walk_stack is slow
    for _ in range(_MAX_FRAMES):
        if frame.f_code.co_filename.startswith(PROGRAM_PREFIX):
            return frame.f_lineno
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def make_function(
    call: CallTool, name: str, parameters: Sequence[str] = ()
) -> Callable[..., Coroutine[Any, Any, Any]]:
    """The function a program calls for one tool, to be awaited.

    Args:
        call: sends the call to the host.
        name: under which the host knows the tool.
        parameters: what arguments without a name are called, in order; none may come for most.
    """
    short = name.rpartition(".")[2]

    def tool(*positional: Any, **arguments: Any) -> Coroutine[Any, Any, Any]:
        if positional:
            named = dict(zip(parameters, positional, strict=False))
            if len(named) == len(positional) and not named.keys() & arguments:
                return tool(**named, **arguments)
            raise TypeError(
                f"{name}() takes keyword arguments only,"
                f" but {len(positional)} came without a name: write {name}(parameter=value)"
            )
        # The line is read here, while the caller's frame is still below this one.
        coroutine = call(name, arguments, program_line())
        # Any coroutine has these names; the abstract class does not say so.
        setattr(coroutine, "__name__", short)  # noqa: B010
        setattr(coroutine, "__qualname__", name)  # noqa: B010
        return coroutine

    tool.__name__ = short
    tool.__qualname__ = name
    tool.__module__ = "tools"
    tool.__doc__ = f"Call the tool {name} with keyword arguments: await {name}(...)."
    mark_coroutine_function(tool)
    return tool


class Namespace:
    """The tools of one source; `namespace.tool` is a function as soon as it is named."""

    __slots__ = ("_call", "_functions", "_name", "_positional")

    def __init__(
        self, call: CallTool, name: str, positional: Mapping[str, Sequence[str]] = _NO_POSITIONAL
    ) -> None:
        self._call = call
        self._name = name
        self._positional = positional
        self._functions: dict[str, Callable[..., Coroutine[Any, Any, Any]]] = {}

    def __getattr__(self, attribute: str) -> Callable[..., Coroutine[Any, Any, Any]]:
        # What Python looks up by itself; no tool is spelled so, whatever its own name is.
        if attribute[:2] == attribute[-2:] == "__" and len(attribute) > 3:
            raise AttributeError(f"{self._name!r} is a namespace of tools and has no {attribute!r}")
        if attribute not in self._functions:
            full = f"{self._name}.{attribute}"
            parameters = self._positional.get(full, ())
            self._functions[attribute] = make_function(self._call, full, parameters)
        return self._functions[attribute]

    def __call__(self, *_arguments: Any, **_named: Any) -> None:
        """Refuse: a namespace is not a tool."""
        raise TypeError(
            f"{self._name!r} is a namespace of tools: call one as await {self._name}.tool(...)"
        )

    def __dir__(self) -> Sequence[str]:
        return sorted(self._functions)

    def __repr__(self) -> str:
        return f"<tools of {self._name}: call one as await {self._name}.tool(parameter=value)>"


def bind_names(
    variables: MutableMapping[str, Any],
    call: CallTool,
    *,
    namespaces: Sequence[str],
    functions: Sequence[str],
    positional: Mapping[str, Sequence[str]] = _NO_POSITIONAL,
) -> None:
    """Bind a run's names; what the program itself bound in an earlier run stays."""
    for name in namespaces:
        if name not in variables or isinstance(variables[name], Namespace):
            variables[name] = Namespace(call, name, positional)
    for name in functions:
        if name not in variables or getattr(variables[name], "__module__", None) == "tools":
            variables[name] = make_function(call, name)


def mark_coroutine_function(function: Callable[..., Any]) -> None:
    """Have asyncio and inspect take a function for the coroutine function it acts as."""
    # Python 3.12 has a public way.
    mark = getattr(inspect, "markcoroutinefunction", None)
    if mark is not None:
        mark(function)
        return
    marker = getattr(asyncio.coroutines, "_is_coroutine", None)
    setattr(function, "_is_coroutine", marker)  # noqa: B010  functions have no such attribute
