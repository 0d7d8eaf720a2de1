"""The one road every call takes, whoever makes it.

record → resolve → policies → source → normalise → size cap → record. It knows no concrete source,
policy or ledger. Programs, the toolbox and the library call it; it answers with data, always.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from toolweft.calls.arguments import measure_arguments, read_arguments
from toolweft.calls.caller import answer
from toolweft.calls.keeping import ResultKeeper
from toolweft.calls.normalise import normalise, render_error_text
from toolweft.calls.options import CallOptions
from toolweft.calls.record import OpenRecord
from toolweft.core.budgets import estimate_tokens
from toolweft.core.calls import RawResult, ToolCall, ToolResult, Usage
from toolweft.core.clock import Clock
from toolweft.core.errors import (
    CatalogError,
    InvalidArguments,
    InvalidDefinition,
    ResultTooDeep,
    ResultTooLarge,
    SourceUnavailable,
    ToolFailed,
    ToolGone,
    ToolSuspended,
)
from toolweft.core.ids import SourceName
from toolweft.core.ports import Ledger, Policy, Proceed, SnapshotHolder, Source
from toolweft.core.snapshot import CatalogTool

__all__ = ("Road",)


class Road:
    """Makes calls.

    Every call is entered in the ledger before anything of it leaves, and its end afterwards:
    refused, failed and cancelled ones too.
    """

    def __init__(  # noqa: PLR0913 -- everything it uses is handed in; nothing is looked up
        self,
        *,
        holder: SnapshotHolder,
        find_source: Callable[[SourceName], Source | None],
        policies: Sequence[Policy],
        ledger: Ledger,
        clock: Clock,
        options: CallOptions,
        keeper: ResultKeeper | None = None,
    ) -> None:
        self._holder = holder
        self._find_source = find_source
        self._ledger = ledger
        self._clock = clock
        self._options = options
        self._keeper = keeper
        self._proceed = _compose(policies, self._use_source)

    async def call(self, call: ToolCall) -> ToolResult:
        """Make one call; whatever goes wrong is in the result's `failure`.

        Raises nothing but a cancellation, which is recorded too.
        """
        record = OpenRecord(call, ledger=self._ledger, clock=self._clock)
        result = None
        try:
            result = await answer(call.id, self._travel(call, record))
            usage = replace(result.usage, bytes_in=record.bytes_in, duration_ms=record.elapsed_ms())
            result = replace(result, usage=usage)
        finally:
            record.close(result)
        return result

    async def _travel(self, call: ToolCall, record: OpenRecord) -> ToolResult:
        fault = None
        try:
            call = replace(call, arguments=read_arguments(call.arguments, self._options))
            record.bytes_in = measure_arguments(call.arguments, self._options)
        except InvalidArguments as exc:
            fault = exc
        tool = await self._enter(call, record)
        _check_available(tool)
        if fault is not None:
            raise fault
        return await self._proceed(call, tool)

    async def _enter(self, call: ToolCall, record: OpenRecord) -> CatalogTool:
        """Find the tool, and open the record under the best name known."""
        snapshot = self._holder.snapshot
        try:
            tool = snapshot.resolve(call.tool)
        except ToolGone:
            await record.open(snapshot.gone[call.tool].qualified, None)
            raise
        except CatalogError:
            await record.open(call.tool, None)
            raise
        await record.open(tool.qualified, tool.severity)
        return tool

    async def _use_source(self, call: ToolCall, tool: CatalogTool) -> ToolResult:
        definition = tool.definition
        source = self._find_source(definition.namespace)
        if source is None:
            raise SourceUnavailable(
                f"{tool.qualified} cannot be called: no source is named {definition.namespace!r}",
                hint="its source was removed; search the catalog for what is available",
            )
        raw = await source.call_tool(definition.name, call)
        try:
            return self._read(call, tool, raw)
        except ResultTooDeep:
            raise
        except ResultTooLarge:
            kept = await self._keep(call, tool, raw)
            if kept is None:
                raise
            return kept

    def _read(self, call: ToolCall, tool: CatalogTool, raw: RawResult) -> ToolResult:
        if raw.is_error:
            text = render_error_text(raw)
            raise ToolFailed(text or f"{tool.qualified} failed and did not say why", sent=raw.sent)
        normal = normalise(
            raw,
            tool=tool.qualified,
            output_schema=tool.definition.output_schema,
            options=self._options,
            source=tool.definition.namespace,
        )
        return ToolResult(
            call_id=call.id,
            value=normal.value,
            encoded=normal.encoded,
            content=raw.content if call.caller.type == "direct" else (),
            usage=Usage(
                bytes_out=normal.json_bytes + normal.blob_bytes,
                # Bytes of images are not text; how a model counts them is its own affair.
                tokens_out=estimate_tokens(normal.json_bytes),
            ),
            sent=raw.sent,
        )

    async def _keep(self, call: ToolCall, tool: CatalogTool, raw: RawResult) -> ToolResult | None:
        """The result as a handle; None where it cannot be one."""
        if self._keeper is None:
            return None
        handle = await self._keeper.keep(
            raw,
            tool=tool.qualified,
            output_schema=tool.definition.output_schema,
            owner=call.principal,
        )
        if handle is None:
            return None
        size_bytes = handle.size_bytes
        tokens = 0 if handle.kind == "binary" else estimate_tokens(size_bytes)
        usage = Usage(bytes_out=size_bytes, tokens_out=tokens)
        return ToolResult(call_id=call.id, handle=handle, usage=usage)


def _compose(policies: Sequence[Policy], last: Proceed) -> Proceed:
    """One callable that goes through the policies in their order, then to `last`."""
    proceed = last
    for policy in reversed(policies):
        proceed = partial(policy, proceed=proceed)
    return proceed


def _check_available(tool: CatalogTool) -> None:
    if tool.status == "available":
        return
    if tool.status == "unavailable":
        raise SourceUnavailable(
            f"{tool.qualified} is unavailable: {tool.status_reason}",
            hint="other tools go on; this one may be back later",
        )
    if tool.status == "suspended":
        raise ToolSuspended(
            f"{tool.qualified} is suspended: {tool.status_reason}",
            hint="whoever runs toolweft decides; other tools go on",
        )
    raise InvalidDefinition(
        f"{tool.qualified} is disabled: {tool.status_reason}",
        hint="its source must mend the definition",
    )
