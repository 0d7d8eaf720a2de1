"""A road over one fake source, and calls to send along it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from toolweft.calls import CallOptions, ResultKeeper, Road
from toolweft.core.calls import DIRECT, LOCAL, Caller, ToolCall
from toolweft.core.countdown import Countdown
from toolweft.core.events import CallFinished, CallStarted
from toolweft.core.ids import CallId, RunId
from toolweft.core.json import Json
from toolweft.core.ports import Ledger, Policy
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.policies import AllowedCaller, Deadline, ValidateArguments
from toolweft.testing import (
    CountingIds,
    FakeClock,
    FakeSource,
    FixedHolder,
    MemoryHandleStore,
    build_definition,
    build_snapshot,
)
from toolweft.testing.ledger import MemoryLedger

PROGRAM = Caller(type="programmatic", program_id=RunId("run_1"), call_index=1)

CITY = {"city": {"type": "string"}}
TOOLS = (
    build_definition("weather.read", parameters=CITY),
    build_definition("weather.store", parameters=CITY, severity="write"),
    build_definition("weather.erase", parameters=CITY, severity="destructive"),
)


class Rig:
    """Everything one road needs, within reach of the test."""

    def __init__(
        self,
        answers: Mapping[str, Json] | None = None,
        *,
        policies: Sequence[Policy] | None = None,
        options: CallOptions | None = None,
        ledger: Ledger | None = None,
        keeps: bool = False,
    ) -> None:
        self.clock = FakeClock()
        self.memory = MemoryLedger()
        self.source = FakeSource(
            "weather", answers or {"read": "sun", "store": "stored", "erase": "gone"}
        )
        self.holder = FixedHolder(build_snapshot(TOOLS))
        standard = (AllowedCaller(), ValidateArguments(), Deadline())
        self.handles = MemoryHandleStore(clock=self.clock, ids=CountingIds())
        keeper = ResultKeeper(self.handles, options=options or CallOptions())
        self.road = Road(
            holder=self.holder,
            find_source=lambda name: self.source if name == "weather" else None,
            policies=standard if policies is None else policies,
            ledger=ledger or self.memory,
            clock=self.clock,
            options=options or CallOptions(),
            keeper=keeper if keeps else None,
        )

    def call(
        self, tool: str = "weather.read", *, caller: Caller = DIRECT, **arguments: Json
    ) -> ToolCall:
        return ToolCall(
            id=CallId("call_1"),
            tool=tool,
            arguments=arguments or {"city": "Rome"},
            caller=caller,
            principal=LOCAL,
            countdown=Countdown(60, clock=self.clock),
        )

    def change(self, qualified: str, **fields: Json) -> None:
        """Let the catalog show one tool differently."""
        snapshot: Snapshot = self.holder.snapshot
        tools: dict[str, CatalogTool] = dict(snapshot.tools)
        tools[qualified] = replace(tools[qualified], **fields)
        self.holder.snapshot = replace(snapshot, tools=tools)

    @property
    def started(self) -> list[CallStarted]:
        return [event for event in self.memory.events if isinstance(event, CallStarted)]

    @property
    def finished(self) -> list[CallFinished]:
        return [event for event in self.memory.events if isinstance(event, CallFinished)]
