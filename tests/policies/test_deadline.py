import anyio
import pytest
from tests.policies.chains import Chain, build_call, build_tool

from toolweft.core.calls import ToolCall, ToolResult
from toolweft.core.clock import SystemClock
from toolweft.core.errors import CallTimeout
from toolweft.core.snapshot import CatalogTool
from toolweft.policies import Deadline
from toolweft.testing import FakeClock


@pytest.mark.parametrize("late_s", [0.0, 0.001, 3_600.0])
async def test_a_deadline_that_is_past_stops_a_tool_that_never_suspends(
    clock: FakeClock, late_s: float
) -> None:
    chain = Chain(Deadline())

    with pytest.raises(CallTimeout, match="was not called") as caught:
        await chain.send(build_call(left_s=-late_s, clock=clock), build_tool())

    assert chain.passed == []
    assert "limits.wall_s" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("left_s", "timeout_s", "expected_s"), [(10.0, 60.0, 10.0), (60.0, 10.0, 10.0)]
)
async def test_the_earlier_of_deadline_and_time_limit_is_passed_on(
    clock: FakeClock, left_s: float, timeout_s: float, expected_s: float
) -> None:
    chain = Chain(Deadline())
    call = build_call(left_s=left_s, clock=clock)

    await chain.send(call, build_tool(timeout_s=timeout_s))

    assert [c.countdown.left_s() for c in chain.passed] == [expected_s]


@pytest.mark.promise("calls.deadline")
@pytest.mark.parametrize(
    ("left_s", "timeout_s", "hint"),
    [(60.0, 0.001, "timeout_s = 0.001"), (0.001, 60.0, "the time of the run")],
    ids=["the tool's limit", "the caller's deadline"],
)
async def test_a_tool_that_hangs_is_cancelled_and_the_limit_named(
    clock: FakeClock, left_s: float, timeout_s: float, hint: str
) -> None:
    ended: list[str] = []

    async def hang(call: ToolCall, tool: CatalogTool) -> ToolResult:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("cancelled")

    call = build_call(left_s=left_s, clock=clock)
    with anyio.fail_after(5), pytest.raises(CallTimeout, match=r"0\.001 s") as caught:
        await Deadline()(call, build_tool(timeout_s=timeout_s), hang)

    assert ended == ["cancelled"]
    assert hint in str(caught.value.hint)


@pytest.mark.promise("calls.hold")
@pytest.mark.parametrize(
    ("left_s", "timeout_s"), [(60.0, 0.1), (0.1, 60.0)], ids=["the tool's limit", "the caller's"]
)
async def test_time_for_a_person_is_no_time_of_the_call(left_s: float, timeout_s: float) -> None:
    call = build_call(left_s=left_s, clock=SystemClock())

    async def ask(call: ToolCall, tool: CatalogTool) -> ToolResult:
        with call.countdown.hold():
            await anyio.sleep(0.3)
        return ToolResult(call_id=call.id, value="agreed")

    async def ask_and_hang(call: ToolCall, tool: CatalogTool) -> ToolResult:
        await ask(call, tool)
        await anyio.sleep_forever()
        raise AssertionError

    tool = build_tool(timeout_s=timeout_s)
    assert (await Deadline()(call, tool, ask)).value == "agreed"
    with anyio.fail_after(5), pytest.raises(CallTimeout, match=r"gave no answer"):
        await Deadline()(call, tool, ask_and_hang)


@pytest.mark.promise("calls.hold")
async def test_a_call_goes_on_while_another_of_its_run_asks_but_not_beyond_its_own_limit() -> None:
    run = build_call(left_s=0.1, clock=SystemClock())

    async def work(call: ToolCall, tool: CatalogTool) -> ToolResult:
        await anyio.sleep(0.3)
        return ToolResult(call_id=call.id, value="worked")

    with run.countdown.hold():
        assert (await Deadline()(run, build_tool(), work)).value == "worked"
        with pytest.raises(CallTimeout, match=r"within 0\.05 s") as caught:
            await Deadline()(run, build_tool(timeout_s=0.05), work)
    assert "timeout_s = 0.05" in str(caught.value.hint)


async def test_a_timeout_of_the_caller_stays_the_callers(clock: FakeClock) -> None:
    async def hang(call: ToolCall, tool: CatalogTool) -> ToolResult:
        await anyio.sleep_forever()
        raise AssertionError

    with anyio.move_on_after(0.001) as scope:
        await Deadline()(build_call(), build_tool(), hang)

    assert scope.cancelled_caught
