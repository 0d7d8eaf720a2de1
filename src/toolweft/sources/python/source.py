"""Python functions as a source: validated arguments in, plain JSON out, errors as data."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import anyio

from toolweft.core.calls import RawResult, ToolCall
from toolweft.core.countdown import Countdown
from toolweft.core.errors import InvalidDefinition, SourceUnavailable
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.json import JsonObject
from toolweft.core.ports import SourceListener
from toolweft.core.tools import ToolDefinition, ToolSpec
from toolweft.sources.python.declare import BoundTool
from toolweft.sources.python.invoke import Invoker
from toolweft.sources.python.members import PythonTool, find_tools
from toolweft.sources.reporting import Reporter

__all__ = ("PythonSource", "PythonTool")


class _Callable(Protocol):
    """What a built tool gives; named here so that pydantic is imported only with a source."""

    definition: ToolDefinition

    async def call(self, arguments: JsonObject, *, countdown: Countdown) -> RawResult: ...


class PythonSource:
    """Functions of this process as tools.

    Async functions run in the event loop, sync ones in worker threads. A function that raises
    gives a failed result with the error's type and text; one that goes on after its call was
    cancelled is left behind.

    Args:
        name: the namespace.
        tools: functions, marked with `@tool` or not, `ToolSpec`s and `BoundTool`s, and modules and
            objects that have some; distinct names.
        listener: hears of the tools.

    Raises:
        InvalidDefinition: one of them cannot be a tool; the message names it.
        InvalidValue: one of them is declared with a value that cannot be used.
        ConfigError: a `handler_path` leads nowhere.
    """

    kind = "python"

    def __init__(
        self, name: SourceName, tools: Sequence[object], *, listener: SourceListener
    ) -> None:
        self.name = name
        self.reporter = Reporter(name, kind=self.kind, listener=listener)
        self._invoker = Invoker()
        self._tools: dict[ToolName, _Callable] = {}
        for candidate in (tool for given in tools for tool in find_tools(given)):
            built = self._build(candidate)
            if built.definition.name in self._tools:
                raise InvalidDefinition(
                    f"source {name!r} has two tools named {built.definition.name!r}",
                    hint="name one of them: @tool(name=...)",
                )
            self._tools[built.definition.name] = built

    async def run(self) -> None:
        """Report the tools and wait to be cancelled."""
        self.reporter.ready([built.definition for built in self._tools.values()], start_s=0.0)
        try:
            await anyio.sleep_forever()
        finally:
            self.reporter.stopped()
            with anyio.CancelScope(shield=True):
                await self._invoker.close()

    async def call_tool(self, name: ToolName, call: ToolCall) -> RawResult:
        """Call one function.

        Raises:
            SourceUnavailable: there is none of that name.
            Overloaded: a sync one got no thread in its time.
            InvalidArguments: they are not what the function's types ask for.
        """
        built = self._tools.get(name)
        if built is None:
            raise SourceUnavailable(
                f"source {self.name!r} has no tool named {name!r}",
                hint=f"it has: {', '.join(sorted(self._tools))}",
            )
        return await built.call(call.arguments, countdown=call.countdown)

    def _build(self, candidate: PythonTool) -> _Callable:
        from toolweft.sources.python.function import (
            FunctionTool,
            build_function_tool,
            build_spec_tool,
        )

        if isinstance(candidate, BoundTool):
            definition = replace(candidate.definition, namespace=self.name)
            return FunctionTool(definition, candidate.handler, bind=dict, invoker=self._invoker)
        if isinstance(candidate, ToolSpec):
            return build_spec_tool(candidate, namespace=self.name, invoker=self._invoker)
        return build_function_tool(candidate, namespace=self.name, invoker=self._invoker)
