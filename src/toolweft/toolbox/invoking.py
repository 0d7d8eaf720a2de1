"""Requests of models, answered with text.

They take whatever arguments came over a wire; a toolbox does what they ask for. Called by
`Toolbox.invoke` alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from toolweft.core.calls import DIRECT, Caller, Content, ToolResult
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.errors import CallDenied, ToolNotFound, ToolweftError
from toolweft.core.ids import ContainerId, RunId
from toolweft.core.json import JsonObject
from toolweft.core.programs import GOING, ProgramOutcome
from toolweft.core.snapshot import Snapshot
from toolweft.programs.runs import OnOutput
from toolweft.programs.stubs import Detail
from toolweft.toolbox.answers import DescribeAnswer, SearchAnswer, ToolboxReply
from toolweft.toolbox.handles import ToolboxHandles
from toolweft.toolbox.listed import find_listed
from toolweft.toolbox.options import ToolboxOptions
from toolweft.toolbox.render import (
    arrange_outcome,
    render_description,
    render_error,
    render_result,
    render_search,
)
from toolweft.toolbox.requests import parse_call, parse_describe, parse_run, parse_search
from toolweft.toolbox.surface import TOOL_NAMES

__all__ = ("Asker", "Box", "ModelRequests")

_RUN_ENDS_WELL = GOING | {"ok"}


class Box(Protocol):
    """What does the work: a toolbox, as Python uses it."""

    @property
    def snapshot(self) -> Snapshot:
        """As of `Toolbox`."""
        ...

    async def search(
        self,
        queries: str | Sequence[str],
        *,
        limit: int | None = None,
        detail: Detail = "typed",
        namespace: str | None = None,
        category: str | None = None,
    ) -> SearchAnswer:
        """As of `Toolbox`."""
        ...

    async def describe(self, names: str | Sequence[str]) -> DescribeAnswer:
        """As of `Toolbox`."""
        ...

    async def call(
        self,
        name: str,
        arguments: JsonObject | None = None,
        *,
        caller: Caller = DIRECT,
        client: CallingClient = NOBODY,
    ) -> ToolResult:
        """As of `Toolbox`."""
        ...

    async def run_code(  # noqa: PLR0913 -- as of the toolbox
        self,
        code: str | None = None,
        *,
        container_id: ContainerId | None = None,
        run_id: RunId | None = None,
        environment: str | None = None,
        wait_s: float | None = None,
        on_output: OnOutput | None = None,
        client: CallingClient = NOBODY,
    ) -> ProgramOutcome:
        """As of `Toolbox`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asked for something, and hears of it meanwhile."""

    caller: Caller = DIRECT
    on_output: OnOutput | None = None
    client: CallingClient = NOBODY


class ModelRequests:
    """Answers by the names that a model saw.

    Args:
        box: does what is asked for.
        handles: keeps results that are too large to show.
        options: defaults of the four tools.
    """

    def __init__(self, box: Box, *, handles: ToolboxHandles, options: ToolboxOptions) -> None:
        self._box = box
        self._handles = handles
        self._options = options

    async def answer(self, name: str, arguments: JsonObject, *, asker: Asker) -> ToolboxReply:
        """See `Toolbox.invoke`."""
        try:
            match name:
                case "search_tools":
                    return await self._search(arguments)
                case "describe_tools":
                    return await self._describe(arguments)
                case "call_tool":
                    request = parse_call(arguments)
                    return await self._call(request.name, request.arguments, asker)
                case "run_code":
                    return await self._run(arguments, asker)
                case _:
                    listed = find_listed(name, self._box.snapshot)
                    return await self._call(listed, arguments, asker)
        except ToolweftError as exc:
            return ToolboxReply(
                text=render_error(exc), is_error=True, code=exc.code, reason=exc.message
            )

    async def _search(self, arguments: JsonObject) -> ToolboxReply:
        request = parse_search(arguments, self._options)
        answer = await self._box.search(
            request.queries,
            limit=request.limit,
            detail=request.detail,
            namespace=request.namespace,
            category=request.category,
        )
        found = dict.fromkeys(hit.qualified for query in answer.queries for hit in query.hits)
        return ToolboxReply(text=render_search(answer), found=tuple(found))

    async def _describe(self, arguments: JsonObject) -> ToolboxReply:
        answer = await self._box.describe(parse_describe(arguments).names)
        is_error = not answer.tools and not answer.sources
        return ToolboxReply(
            text=render_description(answer),
            is_error=is_error,
            code=ToolNotFound.code if is_error else "",
            reason=answer.unknown[0].message if is_error and answer.unknown else "",
            found=tuple(tool.qualified for tool in answer.tools),
        )

    async def _call(self, name: str, arguments: JsonObject, asker: Asker) -> ToolboxReply:
        if name in TOOL_NAMES:
            raise ToolNotFound(
                f"{name!r} is not a tool of the catalog", hint=f"use {name} itself, not call_tool"
            )
        result = await self._box.call(name, arguments, caller=asker.caller, client=asker.client)
        failure = result.failure
        is_error = result.is_error or failure is not None
        if asker.caller.type == "programmatic" and result.handle is None:
            # A program reads all of it, as data; nothing of it is a model's to read.
            shown = len(result.encoded) or self._options.shown_result_characters
            text = render_result(result, shown_characters=shown)
            content: tuple[Content, ...] = ()
        else:
            text, content = await self._handles.arrange(result)
        return ToolboxReply(
            text=text,
            content=content,
            is_error=is_error,
            code="" if failure is None else failure.code,
            reason=_choose_reason(result, text),
        )

    async def _run(self, arguments: JsonObject, asker: Asker) -> ToolboxReply:
        if asker.caller.type == "programmatic":
            raise CallDenied(
                "run_code cannot be called from a program", hint="call the tools themselves"
            )
        request = parse_run(arguments, self._options)
        outcome = await self._box.run_code(
            request.code,
            container_id=request.container_id,
            run_id=request.run_id,
            environment=request.environment,
            wait_s=request.wait_s,
            on_output=asker.on_output,
            client=asker.client,
        )
        error = outcome.error
        text, content = arrange_outcome(outcome, shown_characters=self._options.shown_characters)
        return ToolboxReply(
            text=text,
            content=content,
            is_error=outcome.status not in _RUN_ENDS_WELL,
            code="" if outcome.status in _RUN_ENDS_WELL else outcome.status,
            reason="" if error is None else f"{error.type}: {error.message}",
            outcome=outcome,
        )


def _choose_reason(result: ToolResult, text: str) -> str:
    if result.failure is not None:
        return result.failure.message
    return text if result.is_error else ""
