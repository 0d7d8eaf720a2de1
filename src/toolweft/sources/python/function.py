"""One Python tool: its definition, and a call of its function.

Built once, when the source is made; a call then costs a validation and the function itself.
"""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from inspect import (
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
    isroutine,
    unwrap,
)
from typing import Any, TypeAlias

from pydantic import ValidationError

from toolweft.core.caller_names import parse_callers
from toolweft.core.calls import CallerType, RawResult, TextContent
from toolweft.core.countdown import Countdown
from toolweft.core.errors import InvalidArguments, InvalidDefinition, ToolweftError
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import JsonObject, JsonSchema
from toolweft.core.tools import ToolDefinition, ToolSpec
from toolweft.sources.python.checks import check_declared
from toolweft.sources.python.declare import Declaration, find_declaration
from toolweft.sources.python.docs import read_docs
from toolweft.sources.python.invoke import Invoker, NoThread
from toolweft.sources.python.load import load_handler, parse_handler_path
from toolweft.sources.python.results import read_returned
from toolweft.sources.python.signature import (
    BoundSignature,
    build_output_schema,
    build_signature,
)

__all__ = ("FunctionTool", "LateTool", "build_function_tool", "build_spec_tool")

log = logging.getLogger(__name__)

Bind: TypeAlias = Callable[[JsonObject], dict[str, Any]]


class FunctionTool:
    """A function that answers for a tool.

    Args:
        definition: of the tool.
        function: sync or async.
        bind: JSON arguments to keyword arguments; raises pydantic's ValidationError.
        invoker: calls it.
    """

    def __init__(
        self,
        definition: ToolDefinition,
        function: Callable[..., Any],
        *,
        bind: Bind,
        invoker: Invoker,
    ) -> None:
        self.definition = definition
        self._function = function
        self._bind = bind
        self._invoker = invoker
        self._is_async = _is_async(function)

    async def call(self, arguments: JsonObject, *, countdown: Countdown) -> RawResult:
        """Call the function; whatever it raises is a failed result.

        Raises:
            NoThread: it was not called.
            InvalidArguments: it was not called: a schema cannot say all that its types ask for.
        """
        try:
            keywords = self._bind(arguments)
        except ValidationError as exc:
            raise InvalidArguments(
                f"the arguments of {self.definition.name} do not fit: {_render_faults(exc)}",
                hint="correct them and call again; the function was not called",
            ) from exc
        try:
            returned = await self._invoker.call(
                self._function,
                keywords,
                is_async=self._is_async,
                name=self.definition.name,
                countdown=countdown,
            )
            return read_returned(returned)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            # Nobody cancels this call: the function awaited something that was cancelled.
            return _failed("the function awaited a task that was cancelled")
        except NoThread:
            raise
        except (Exception, SystemExit) as exc:
            log.debug("tool.raised", extra={"tool": self.definition.name}, exc_info=True)
            text = str(exc)
            return _failed(f"{type(exc).__name__}: {text}" if text else type(exc).__name__)


class LateTool:
    """A tool whose function is loaded when it is first called.

    Args:
        definition: of the tool.
        load: gives the function's tool; may import, so it is called in a thread.
        invoker: calls it.
    """

    def __init__(
        self, definition: ToolDefinition, load: Callable[[], FunctionTool], *, invoker: Invoker
    ) -> None:
        self.definition = definition
        self._load = load
        self._invoker = invoker
        self._loaded: FunctionTool | None = None

    async def call(self, arguments: JsonObject, *, countdown: Countdown) -> RawResult:
        """Load the function where that is still to do, and call it; tried again if it failed.

        Raises:
            NoThread: it was not loaded, or not called.
            InvalidArguments: it was not called.
        """
        if self._loaded is None:
            try:
                self._loaded = await self._invoker.call(
                    self._load,
                    {},
                    is_async=False,
                    name=self.definition.name,
                    countdown=countdown,
                )
            except NoThread:
                raise
            except ToolweftError as exc:
                return _failed(str(exc))
        return await self._loaded.call(arguments, countdown=countdown)


def build_function_tool(
    function: Callable[..., Any], *, namespace: SourceName, invoker: Invoker
) -> FunctionTool:
    """A tool from a function, marked with `@tool` or not.

    Raises:
        InvalidDefinition: it has no name, a signature no JSON can fill, or is no plain function.
        InvalidValue: it was marked with a value that cannot be used.
    """
    declared = find_declaration(function) or Declaration()
    name = declared.name or _find_name(function)
    check_declared(declared, tool=name)
    _check_function(function, tool=name)
    docs = read_docs(function)
    signature = build_signature(function, tool=name, documented=docs.parameters)
    definition = ToolDefinition(
        name=ToolName(name),
        namespace=namespace,
        description=docs.description if declared.description is None else declared.description,
        category=declared.category,
        input_schema=signature.input_schema,
        output_schema=build_output_schema(function),
        input_examples=declared.examples,
        severity=declared.severity,
        defer_loading=declared.defer_loading,
        always_listed=declared.always_listed,
        allowed_callers=_callers(declared.allowed_callers, tool=name),
        timeout_s=declared.timeout_s,
        version=declared.version,
    )
    return FunctionTool(definition, function, bind=signature.bind, invoker=invoker)


def build_spec_tool(
    spec: ToolSpec, *, namespace: SourceName, invoker: Invoker
) -> FunctionTool | LateTool:
    """A tool from a `ToolSpec`; what the spec leaves open is read from its handler.

    With `parameters` and a `handler_path`, nothing is imported before the first call.

    Raises:
        InvalidDefinition: it has no handler, or two, or one whose signature no JSON can fill.
        ConfigError: its `handler_path` leads nowhere.
        InvalidValue: it has a value that cannot be used.
    """
    check_declared(spec, tool=spec.name)
    _check_handlers(spec)
    definition = ToolDefinition(
        name=ToolName(spec.name),
        namespace=namespace,
        description=spec.description or "",
        category=spec.category,
        input_examples=tuple(spec.input_examples),
        severity=spec.severity,
        defer_loading=spec.defer_loading,
        allowed_callers=_callers(spec.allowed_callers, tool=spec.name),
        timeout_s=spec.timeout_s,
        version=spec.version,
    )
    if spec.handler_path is None or spec.parameters is None:
        return _bind_handler(spec, definition, invoker)
    parse_handler_path(spec.handler_path, tool=spec.name)
    definition = replace(definition, input_schema=spec.parameters)
    return LateTool(definition, partial(_bind_handler, spec, definition, invoker), invoker=invoker)


def _bind_handler(spec: ToolSpec, definition: ToolDefinition, invoker: Invoker) -> FunctionTool:
    function = spec.handler
    if function is None:
        assert spec.handler_path is not None
        function = load_handler(spec.handler_path, tool=spec.name)
    _check_function(function, tool=spec.name)
    docs = read_docs(function)
    signature = build_signature(
        function,
        tool=spec.name,
        documented=docs.parameters,
        takes_more=spec.parameters is not None,
    )
    if spec.parameters is not None:
        _check_parameters(spec.parameters, signature, tool=spec.name)
    definition = replace(
        definition,
        description=spec.description or docs.description,
        input_schema=signature.input_schema if spec.parameters is None else spec.parameters,
        output_schema=build_output_schema(function),
    )
    return FunctionTool(definition, function, bind=signature.bind, invoker=invoker)


def _check_handlers(spec: ToolSpec) -> None:
    if (spec.handler is None) == (spec.handler_path is None):
        raise InvalidDefinition(
            f"tool {spec.name!r} needs exactly one of handler and handler_path, not "
            f"handler={spec.handler!r} and handler_path={spec.handler_path!r}",
            hint="give a function, or the place where one is",
        )


def _check_parameters(parameters: JsonSchema, signature: BoundSignature, *, tool: str) -> None:
    """Refuse parameters that the handler does not take: no call could use them."""
    taken = signature.input_schema
    named = parameters.get("properties")
    if taken["additionalProperties"] is not False or not isinstance(named, dict):
        return
    unknown = [name for name in named if name not in taken["properties"]]
    if unknown:
        raise InvalidDefinition(
            f"the parameters of tool {tool!r} name {unknown[0]!r}, which its handler does not take",
            hint=f"the handler takes: {', '.join(taken['properties']) or 'nothing'}",
        )


def _check_function(function: Callable[..., Any], *, tool: str) -> None:
    if isinstance(function, type):
        raise InvalidDefinition(
            f"tool {tool!r} is the class {function.__qualname__!r}, not a function",
            hint="give an object of it for its methods, or a function that returns one",
        )
    called: Any = function
    if not isroutine(function) and not isinstance(function, partial):
        called = type(function).__call__
    if isgeneratorfunction(called) or isasyncgenfunction(called):
        raise InvalidDefinition(
            f"tool {tool!r} is a generator, which gives one item after another",
            hint="return its items together: a list",
        )


def _callers(given: Collection[str] | None, *, tool: str) -> frozenset[CallerType] | None:
    return None if given is None else parse_callers(given, place=f"allowed_callers of {tool!r}")


def _find_name(function: Callable[..., Any]) -> str:
    named = function.func if isinstance(function, partial) else function
    name: str = getattr(named, "__name__", type(named).__name__)
    if not name.isidentifier():
        raise InvalidDefinition(
            f"the function {function!r} has no name of its own",
            hint="name it: tool(name=...)(function)",
        )
    return name


def _is_async(function: Callable[..., Any]) -> bool:
    plain = unwrap(function)
    # The second for instances of classes whose calls are async.
    return iscoroutinefunction(plain) or iscoroutinefunction(type(plain).__call__)


def _render_faults(error: ValidationError) -> str:
    faults = []
    for fault in error.errors(include_url=False, include_input=False):
        place = "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in fault["loc"])
        faults.append(f"${place}: {fault['msg']}")
    return "; ".join(faults)


def _failed(reason: str) -> RawResult:
    return RawResult(content=(TextContent(reason),), is_error=True)
