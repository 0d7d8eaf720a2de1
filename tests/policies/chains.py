"""One policy at a time: a tool, a call, and something to proceed to."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from toolweft.core.calls import DIRECT, LOCAL, Caller, ToolCall, ToolResult
from toolweft.core.clock import Clock
from toolweft.core.countdown import Countdown
from toolweft.core.ids import CallId, RunId
from toolweft.core.json import Json, JsonSchema
from toolweft.core.ports import Policy
from toolweft.core.snapshot import CatalogTool
from toolweft.testing import FakeClock, build_definition, build_snapshot

PROGRAM = Caller(type="programmatic", program_id=RunId("run_1"), call_index=1)


def build_tool(
    parameters: Mapping[str, JsonSchema] | None = None,
    *,
    required: Iterable[str] | None = None,
    **fields: Json,
) -> CatalogTool:
    definition = build_definition("desk.use", parameters=parameters, required=required)
    (tool,) = build_snapshot([definition]).tools.values()
    return replace(tool, **fields)


def with_schema(tool: CatalogTool, schema: JsonSchema, *, version: str = "2") -> CatalogTool:
    """The same tool with another schema, unseen by any catalog."""
    definition = replace(tool.definition, input_schema=schema, definition_hash=version)
    return replace(tool, definition=definition)


def build_call(
    arguments: Json = None,
    *,
    caller: Caller = DIRECT,
    left_s: float = 60.0,
    clock: Clock | None = None,
) -> ToolCall:
    return ToolCall(
        id=CallId("call_1"),
        tool="desk.use",
        arguments={} if arguments is None else arguments,
        caller=caller,
        principal=LOCAL,
        countdown=Countdown(left_s, clock=clock or FakeClock()),
    )


class Chain:
    """Sends calls through one policy and keeps what came out at the other end."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.passed: list[ToolCall] = []

    async def send(self, call: ToolCall, tool: CatalogTool) -> ToolResult:
        return await self.policy(call, tool, self.proceed)

    async def proceed(self, call: ToolCall, tool: CatalogTool) -> ToolResult:
        self.passed.append(call)
        return ToolResult(call_id=call.id, value="done")
