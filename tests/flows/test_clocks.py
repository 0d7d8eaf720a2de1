"""What a run and a call have left, over the whole road: people, slow tools, stubborn tools."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

import toolweft
from toolweft.bootstrap import open_app
from toolweft.config import load_settings
from toolweft.core.calls import LOCAL, ToolCall, ToolResult
from toolweft.core.ports import Proceed
from toolweft.core.programs import ProgramLimits
from toolweft.core.snapshot import CatalogTool
from toolweft.toolbox import Toolbox

pytestmark = pytest.mark.process

# What a run may take, and what a person takes. What only calls takes a fraction of either.
LIMITS = ProgramLimits(wall_s=1.5)
PERSON_S = 2.0
# A run that outlasted its limit by this was held by its tool.
PATIENT_S = 5.0
STUBBORN_S = 20.0


class Approval:
    """Asks a person before each call of `send`, for whom the clocks stop or not."""

    def __init__(self, *, holds: bool = True) -> None:
        self._holds = holds

    async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
        if tool.definition.name == "send":
            with call.countdown.hold() if self._holds else contextlib.nullcontext():
                await anyio.sleep(PERSON_S)
        return await proceed(call, tool)


@toolweft.tool(severity="read_only", timeout_s=0.7)
async def send(text: str) -> str:
    """Send a text, once somebody agreed."""
    return f"sent {text}"


@toolweft.tool(severity="read_only")
async def hang() -> None:
    """Never answer."""
    await anyio.sleep_forever()


@toolweft.tool(severity="read_only")
async def work() -> str:
    """Answer after the time of a whole run."""
    await anyio.sleep(LIMITS.wall_s + 0.2)
    return "worked"


@toolweft.tool(severity="read_only", timeout_s=0.2)
async def impatient() -> None:
    """Never answer, and be given little time."""
    await anyio.sleep_forever()


@pytest.fixture(params=["process", "monty"])
def overrides(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    return {
        "ledger.url": f"sqlite:///{tmp_path / 'ledger.db'}",
        "handles.folder": str(tmp_path / "handles"),
        "profile": "open",
        "sandbox.backend": request.param,
    }


@asynccontextmanager
async def open_box(
    overrides: dict[str, str], *, holds: bool = True, more: Sequence[Callable[..., Any]] = ()
) -> AsyncIterator[Toolbox]:
    home = Path(overrides["handles.folder"]).parent
    settings = load_settings(
        config=None, look_up=False, overrides=overrides, environ={}, cwd=home, home=home
    )
    tools = [send, hang, work, impatient, *more]
    async with open_app(settings, tools=tools, policies=[Approval(holds=holds)]) as app:
        await app.settle()
        yield app.toolbox_for(LOCAL)


@pytest.mark.promise("sandbox.hold")
async def test_nobody_pays_for_the_time_of_a_person(overrides: dict[str, str]) -> None:
    async with open_box(overrides) as box:
        outcome = await box.run("await send(text='x')", limits=LIMITS)
        assert (outcome.status, outcome.value) == ("ok", "sent x")
        assert outcome.stats.held_s > PERSON_S - 0.1
        assert outcome.stats.wall_s < LIMITS.wall_s
        assert outcome.to_dict()["stats"]["held_s"] == round(outcome.stats.held_s, 6)
        for timeout_s in (None, 0.7):
            result = await box.call("send", {"text": "y"}, timeout_s=timeout_s)
            assert (result.failure, result.value) == (None, "sent y")


async def test_who_does_not_hold_pays(overrides: dict[str, str]) -> None:
    async with open_box(overrides, holds=False) as box:
        outcome = await box.run("await send(text='x')", limits=ProgramLimits(wall_s=0.4))
        assert (outcome.status, outcome.limit, outcome.stats.held_s) == ("limit", "wall", 0)
        outcome = await box.run("await send(text='x')")
        assert outcome.error is not None
        assert "within 0.7 s" in outcome.error.message
        result = await box.call("send", {"text": "y"})
        assert result.failure is not None
        assert result.failure.code == "timeout"


@pytest.mark.promise("sandbox.hold")
async def test_a_call_beside_one_that_asks_has_its_own_time_and_its_runs(
    overrides: dict[str, str],
) -> None:
    code = (
        "import asyncio\n"
        "async def try_it():\n"
        "    try:\n        await impatient()\n"
        "    except ToolError as e:\n        return 'timeout' if '0.2 s' in str(e) else str(e)\n"
        "await asyncio.gather(send(text='a'), send(text='b'), work(), try_it())"
    )
    async with open_box(overrides) as box:
        outcome = await box.run(code, limits=LIMITS)
    assert outcome.error is None
    assert outcome.value == ["sent a", "sent b", "worked", "timeout"]
    assert PERSON_S - 0.1 < outcome.stats.held_s < 2 * PERSON_S


@pytest.mark.promise("sandbox.stop")
async def test_a_run_whose_time_is_up_says_so_and_not_its_call(overrides: dict[str, str]) -> None:
    # So long that reading it takes the sandbox a while after the run has begun.
    code = "x = 1\n" * 20_000 + "try:\n    await hang()\nexcept ToolError as e:\n    print(e)"
    async with open_box(overrides) as box:
        outcome = await box.run(code, limits=ProgramLimits(wall_s=1.5))
    assert (outcome.status, outcome.limit, outcome.stdout) == ("limit", "wall", "")


async def test_a_cancelled_run_tells_what_a_person_took_apart(overrides: dict[str, str]) -> None:
    agreed = asyncio.Event()

    @toolweft.tool(severity="read_only")
    async def go_on() -> None:
        """Tell that the person has answered, and never answer."""
        agreed.set()
        await anyio.sleep_forever()

    async with open_box(overrides, more=[go_on]) as box:
        started_s = time.monotonic()
        first = await box.run_code("await send(text='x')\nawait go_on()", wait_s=0.01)
        assert first.status == "running"
        with anyio.fail_after(STUBBORN_S):
            await agreed.wait()
        box._runner.cancel(first.run_id, principal=LOCAL)
        outcome = await box.run_code(run_id=first.run_id, wait_s=PATIENT_S)
        took_s = time.monotonic() - started_s
    assert outcome.status == "cancelled"
    assert outcome.stats.held_s > PERSON_S - 0.1
    assert outcome.stats.wall_s + outcome.stats.held_s <= took_s


@pytest.mark.promise("sandbox.left-behind")
async def test_a_tool_that_swallows_its_cancellation_holds_no_run(
    overrides: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    release, going = asyncio.Event(), 0

    @toolweft.tool(severity="read_only")
    async def stubborn() -> str:
        """Go on, whoever asks it to stop."""
        nonlocal going
        going += 1
        ends_s = time.monotonic() + STUBBORN_S
        while not release.is_set() and time.monotonic() < ends_s:
            with contextlib.suppress(asyncio.CancelledError, TimeoutError):
                await asyncio.wait_for(release.wait(), 0.2)
        going -= 1
        return "late"

    async with toolweft.open(tools=[stubborn, hang], overrides=overrides) as box:
        state = await box.run("x = 5")
        assert state.container is not None
        started_s = time.monotonic()
        code = "import asyncio\nawait asyncio.gather(stubborn(), stubborn())"
        outcome = await box.run(
            code, limits=ProgramLimits(wall_s=0.5), container_id=state.container.id
        )
        direct = await box.call("stubborn", timeout_s=0.2)
        assert time.monotonic() - started_s < PATIENT_S
        assert (outcome.status, outcome.limit, going) == ("limit", "wall", 3)
        assert direct.failure is not None
        assert direct.failure.code == "timeout"
        ignored = [r for r in caplog.records if r.message == "tool.cancellation_ignored"]
        assert [record.tool for record in ignored] == ["stubborn"] * 3
        # Its late answers reach nobody.
        same = overrides["sandbox.backend"] == "process"
        kept = state.container.id if same else None
        release.set()
        code = "try:\n    await hang()\nexcept ToolError: print('told')"
        after = await box.run(code, limits=ProgramLimits(wall_s=1.0), container_id=kept)
        assert (after.limit, after.stdout, going) == ("wall", "", 0)
        assert after.stats.calls == 1
        if same:
            assert (await box.run("x", container_id=kept)).value == 5
