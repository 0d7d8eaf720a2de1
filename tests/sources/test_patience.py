"""Calls of sources that are still starting."""

from dataclasses import replace

import anyio
import pytest
from tests.sources.support import PATIENT_S

from toolweft.catalog import Catalog, CatalogOptions
from toolweft.core.calls import DIRECT, LOCAL, Caller, ToolCall, ToolResult
from toolweft.core.clock import SystemClock
from toolweft.core.countdown import Countdown
from toolweft.core.ids import CallId, SourceName
from toolweft.core.snapshot import SourceState, SourceStatus
from toolweft.core.tools import Severity
from toolweft.sources import PatientRoad, PythonSource, SourceGroup
from toolweft.testing import build_definition


def double(number: int) -> int:
    return number * 2


class Slow(PythonSource):
    """Starts when it is told to."""

    def __init__(self, catalog: Catalog) -> None:
        super().__init__(SourceName("slow"), [double], listener=catalog)
        self.go = anyio.Event()

    async def run(self) -> None:
        self.reporter.starting()
        await self.go.wait()
        await super().run()


class Seeing:
    """A road that notes which tools were there when a call came."""

    def __init__(self, catalog: Catalog) -> None:
        self.seen: list[bool] = []
        self._catalog = catalog

    async def call(self, call: ToolCall) -> ToolResult:
        self.seen.append(self._catalog.snapshot.find(call.tool) is not None)
        return ToolResult(call_id=call.id)


class Settling:
    """Notes which sources were waited for."""

    def __init__(self) -> None:
        self.asked: list[SourceName] = []

    async def __call__(self, name: SourceName) -> None:
        self.asked.append(name)


def build_call(tool: str, *, timeout_s: float) -> ToolCall:
    return ToolCall(
        id=CallId("1"),
        tool=tool,
        arguments={},
        caller=DIRECT,
        principal=LOCAL,
        countdown=Countdown(timeout_s, clock=SystemClock()),
    )


async def test_a_call_waits_for_its_source_but_not_beyond_its_deadline() -> None:
    catalog = Catalog(CatalogOptions())
    source, road = Slow(catalog), Seeing(catalog)
    async with SourceGroup([source], listener=catalog) as group, anyio.create_task_group() as tasks:
        patient = PatientRoad(road, settle=group.settle_one, holder=catalog)
        await anyio.wait_all_tasks_blocked()
        await patient.call(build_call("slow.double", timeout_s=0.01))
        await patient.call(build_call("other.double", timeout_s=PATIENT_S))
        assert road.seen == [False, False]
        tasks.start_soon(patient.call, build_call("slow.double", timeout_s=PATIENT_S))
        await anyio.wait_all_tasks_blocked()
        assert road.seen == [False, False]
        source.go.set()
        await source.reporter.settled.wait()
        await anyio.wait_all_tasks_blocked()
    assert road.seen == [False, False, True]


@pytest.mark.parametrize(
    ("state", "severity", "caller", "waits"),
    [
        ("idle", "read_only", DIRECT, True),
        ("starting", "read_only", DIRECT, True),
        ("ready", "read_only", DIRECT, False),
        # It will be refused in any case.
        ("idle", "destructive", Caller(type="programmatic"), False),
    ],
)
async def test_a_remembered_tool_is_called_once_its_source_says_that_it_still_has_it(
    state: SourceState, severity: Severity, caller: Caller, *, waits: bool
) -> None:
    catalog = Catalog(CatalogOptions())
    status = SourceStatus(name=SourceName("git"), python_name="", kind="mcp stdio", state=state)
    catalog.source_changed(status, [build_definition("git.log", severity=severity)])
    settle = Settling()
    patient = PatientRoad(Seeing(catalog), settle=settle, holder=catalog)

    await patient.call(replace(build_call("git.log", timeout_s=PATIENT_S), caller=caller))

    assert settle.asked == (["git"] if waits else [])
