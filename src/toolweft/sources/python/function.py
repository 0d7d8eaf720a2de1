"""One Python tool: its definition, and a call of its function.

Built once, when the source is made; a call then costs a validation and the function itself.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from inspect import iscoroutinefunction, unwrap
from typing import Any, TypeAlias

from pydantic import ValidationError

from toolweft.core.calls import RawResult, TextContent
from toolweft.core.countdown import Countdown
from toolweft.core.errors import InvalidDefinition
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import JsonObject
from toolweft.core.tools import ToolDefinition, ToolSpec
from toolweft.sources.python.declare import Declaration, find_declaration
from toolweft.sources.python.docs import read_docs
from toolweft.sources.python.invoke import Invoker, NoThread
from toolweft.sources.python.load import load_handler
from toolweft.sources.python.results import read_returned
from toolweft.sources.python.signature import build_output_schema, build_signature

__all__ = ("FunctionTool", "build_function_tool", "build_spec_tool")

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
        """
        try:
            keywords = self._bind(arguments)
        except ValidationError as exc:
            return _failed(_render_faults(exc))
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


def build_function_tool(
    function: Callable[..., Any], *, namespace: SourceName, invoker: Invoker
) -> FunctionTool:
    """A tool from a function, marked with `@tool` or not.

    Raises:
        InvalidDefinition: it has no name, or a signature no JSON can fill.
    """
    declared = find_declaration(function) or Declaration()
    name = declared.name or _find_name(function)
    docs = read_docs(function)
    signature = build_signature(function, tool=name, documented=docs.parameters)
    definition = ToolDefinition(
        name=ToolName(name),
        namespace=namespace,
        description=docs.description if declared.description is None else declared.description,
        category=declared.category,
        input_schema=signature.input_schema(),
        output_schema=build_output_schema(function),
        input_examples=declared.examples,
        severity=declared.severity,
        defer_loading=declared.defer_loading,
        always_listed=declared.always_listed,
        allowed_callers=declared.allowed_callers,
        timeout_s=declared.timeout_s,
        version=declared.version,
    )
    return FunctionTool(definition, function, bind=signature.bind, invoker=invoker)


def build_spec_tool(spec: ToolSpec, *, namespace: SourceName, invoker: Invoker) -> FunctionTool:
    """A tool from a `ToolSpec`; what the spec leaves open is read from its handler.

    Raises:
        InvalidDefinition: it has no handler, or two, or one whose signature no JSON can fill.
        ConfigError: its `handler_path` leads nowhere.
    """
    function = _find_handler(spec)
    docs = read_docs(function)
    signature = build_signature(function, tool=spec.name, documented=docs.parameters)
    definition = ToolDefinition(
        name=ToolName(spec.name),
        namespace=namespace,
        description=spec.description or docs.description,
        category=spec.category,
        input_schema=signature.input_schema() if spec.parameters is None else spec.parameters,
        output_schema=build_output_schema(function),
        input_examples=tuple(spec.input_examples),
        severity=spec.severity,
        defer_loading=spec.defer_loading,
        allowed_callers=spec.allowed_callers,
        timeout_s=spec.timeout_s,
        version=spec.version,
    )
    return FunctionTool(definition, function, bind=signature.bind, invoker=invoker)


def _find_handler(spec: ToolSpec) -> Callable[..., Any]:
    if (spec.handler is None) == (spec.handler_path is None):
        raise InvalidDefinition(
            f"tool {spec.name!r} needs exactly one of handler and handler_path, not "
            f"handler={spec.handler!r} and handler_path={spec.handler_path!r}",
            hint="give a function, or the place where one is",
        )
    if spec.handler is not None:
        return spec.handler
    assert spec.handler_path is not None
    return load_handler(spec.handler_path, tool=spec.name)


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
    return "the arguments do not fit: " + "; ".join(faults)


def _failed(reason: str) -> RawResult:
    return RawResult(content=(TextContent(reason),), is_error=True)
