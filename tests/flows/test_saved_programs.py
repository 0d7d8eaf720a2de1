"""Saved programs through the library: on whose behalf they run, and how far."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

import toolweft
from toolweft.bootstrap import App, open_app
from toolweft.config import load_settings
from toolweft.core.calls import LOCAL, Principal, ToolCall, ToolResult
from toolweft.core.errors import CallDenied
from toolweft.core.ids import RunId
from toolweft.core.ports import Policy, Proceed
from toolweft.core.snapshot import CatalogTool
from toolweft.providers.scripted import ScriptedProvider

pytestmark = pytest.mark.process

ANN = Principal("acme", "ann")


@toolweft.tool(severity="read_only")
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


@toolweft.tool(severity="write")
def note_down(text: str) -> int:
    """Note a text down."""
    return len(text)


@toolweft.tool(severity="destructive")
def erase(text: str) -> int:
    """Erase a text."""
    raise AssertionError("never called by a program")


class Watch:
    """A policy that sees every call."""

    def __init__(self) -> None:
        self.calls: list[ToolCall] = []

    async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
        self.calls.append(call)
        return await proceed(call, tool)


@asynccontextmanager
async def open_desk(
    folder: Path, watch: Policy | None = None, **overrides: Any
) -> AsyncIterator[App]:
    settings = load_settings(
        config=None,
        look_up=False,
        overrides={
            "ledger.url": f"sqlite:///{folder / 'ledger.db'}",
            "journal.folder": str(folder / "journal"),
            "saved.folder": str(folder / "saved"),
            **overrides,
        },
        environ={},
        cwd=folder,
        home=folder,
    )
    policies = () if watch is None else (watch,)
    async with open_app(settings, tools=[add, note_down, erase], policies=policies) as app:
        await app.settle()
        yield app


async def save(box: toolweft.Toolbox, name: str, code: str, **options: Any) -> Any:
    outcome = await box.run(code)
    assert outcome.status == "ok", outcome.error
    return await box.save(outcome.run_id, name, description=f"Does {name}.", **options)


@pytest.mark.promise("saved.on-behalf")
async def test_a_program_runs_on_behalf_of_whoever_calls_and_each_call_is_checked(
    tmp_path: Path,
) -> None:
    watch = Watch()
    async with open_desk(tmp_path, watch) as app:
        box = app.toolbox_for(LOCAL)
        await save(box, "total", "A = 1\nawait local.add(a=A, b=1)")
        watch.calls.clear()
        result = await app.toolbox_for(ANN).call("saved.total", {"a": 5})
        wrong = await app.toolbox_for(ANN).call("saved.total", {"a": "many"})
        await app.ledger.flush()
        runs = await app.reader.runs(principal=ANN, limit=5)

    outer, inner = watch.calls
    assert result.value == 6
    assert wrong.failure is not None
    assert wrong.failure.code == "invalid_arguments"
    assert [call.principal for call in watch.calls] == [ANN, ANN]
    assert outer.tool == "saved.total"
    assert (inner.tool, inner.caller.type) == ("local.add", "programmatic")
    assert inner.countdown.ends_s <= outer.countdown.ends_s + 0.001
    assert [run["run_id"] for run in runs] == [inner.caller.program_id]


class AskSomebody:
    """A policy that waits for a person before it lets `local.add` through."""

    async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
        if tool.qualified == "local.add" and call.arguments["a"] == 5:
            with call.countdown.hold():
                await anyio.sleep(2.5)
        return await proceed(call, tool)


async def test_while_a_person_is_asked_the_clocks_of_its_caller_stand_still(tmp_path: Path) -> None:
    async with open_desk(tmp_path, AskSomebody()) as app:
        box = app.toolbox_for(LOCAL)
        await save(box, "total", "A = 1\nawait local.add(a=A, b=1)")
        result = await box.call("saved.total", {"a": 5}, timeout_s=2.0)

    assert result.failure is None
    assert result.value == 6


async def test_its_containers_are_not_left_behind(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as app:
        box = app.toolbox_for(LOCAL)
        await save(box, "total", "A = 1\nawait local.add(a=A, b=1)")
        before = box.containers.gauges().containers_idle
        for number in range(3):
            assert (await box.call("saved.total", {"a": number})).value == number + 1
        assert box.containers.gauges().containers_idle == before


async def test_others_neither_save_nor_test_nor_remove_nor_see_the_runs(tmp_path: Path) -> None:
    async with open_desk(tmp_path, **{"journal.principals": "all"}) as app:
        box, other = app.toolbox_for(LOCAL), app.toolbox_for(ANN)
        await save(box, "total", "A = 1\nawait local.add(a=A, b=1)")
        outcome = await other.run("print(1)")
        for attempt in (
            other.save(outcome.run_id, "mine", description="Mine."),
            other.saved.remove("total"),
            # It would show them what the run of another got.
            other.saved.test("total"),
        ):
            with pytest.raises(CallDenied, match="whoever runs this toolweft"):
                await attempt
        assert (await box.saved.test("total")).is_same
        assert (await other.saved.replay(outcome.run_id)).is_same
        # Not even by the id.
        with pytest.raises(toolweft.ToolweftError, match="the journal has no run"):
            await box.saved.replay(outcome.run_id)


async def test_runs_of_others_are_not_kept_unless_that_is_asked_for(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as app:
        other = app.toolbox_for(ANN)
        outcome = await other.run("print(1)")
        with pytest.raises(toolweft.ToolweftError, match="the journal has no run"):
            await other.saved.replay(outcome.run_id)
    assert not (tmp_path / "journal").exists()


async def test_severity_is_that_of_the_worst_tool_called_or_named_or_of_any(
    tmp_path: Path,
) -> None:
    programs = {
        "print(1)": "read_only",
        "await local.add(a=1, b=2)": "read_only",
        "await local.add(a=1, b=2)\nawait note_down(text='x')": "write",
        # Named on a way that was not taken.
        "if False:\n    await local.note_down(text='x')": "write",
        "await tools.call('local.add', {'a': 1, 'b': 2})": "read_only",
        "name = 'local.add'\nawait tools.call(name, {'a': 1, 'b': 2})": "destructive",
        "f = getattr(local, 'add')\nawait f(a=1, b=2)": "destructive",
        "call = tools.call\nawait call('local.add', {'a': 1, 'b': 2})": "destructive",
        # Closed to programs, so it reaches nothing through it.
        "try:\n    await local.erase(text='x')\nexcept ToolError:\n    print('no')": "read_only",
    }
    async with open_desk(tmp_path) as app:
        box = app.toolbox_for(LOCAL)
        for number, (code, severity) in enumerate(programs.items()):
            program = await save(box, f"p{number}", code)
            tool = box.snapshot.resolve(f"saved.p{number}")
            assert (code, program.severity, tool.severity) == (code, severity, severity)
            assert tool.status == "available"
            assert ("programmatic" in tool.callers) == (severity != "destructive")


@pytest.mark.promise("saved.bounded")
async def test_programs_that_call_one_another_end_at_a_depth(tmp_path: Path) -> None:
    async with open_desk(tmp_path, **{"saved.max_depth": 2}) as app:
        box = app.toolbox_for(LOCAL)
        await save(box, "one", "A = 1\nawait local.add(a=A, b=1)")
        await save(box, "two", "A = 1\nawait saved.one(a=A)")
        await save(box, "three", "A = 1\nawait saved.two(a=A)")
        fits = await box.call("saved.two", {"a": 4})
        deep = await box.call("saved.three", {"a": 4})
        # By name now: what calls itself ends too.
        await save(box, "one", "A = 0\nif A:\n    await saved.one(a=A)\nA")
        round_ = await box.call("saved.one", {"a": 1})

    assert fits.value == 5
    for result in (deep, round_):
        assert result.failure is not None
        assert "2 deep already" in result.failure.message


async def test_all_programs_below_one_run_share_its_number_of_calls(tmp_path: Path) -> None:
    async with open_desk(tmp_path, **{"limits.max_calls": 5}) as app:
        box = app.toolbox_for(LOCAL)
        await save(box, "two_calls", "A = 1\nawait local.add(a=A, b=1)\nawait local.add(a=A, b=2)")
        outcome = await box.run(
            "for n in range(3):\n"
            "    try:\n"
            "        print(await saved.two_calls(a=n))\n"
            "    except ToolError as error:\n"
            "        print('have made all the calls they may' in str(error))\n"
        )
        again = await box.call("saved.two_calls", {"a": 7})

    assert outcome.stdout == "2\n3\nTrue\n"
    assert again.value == 9


async def test_a_program_that_fails_says_where_and_one_that_is_slow_ends_in_time(
    tmp_path: Path,
) -> None:
    async with open_desk(tmp_path) as app:
        box = app.toolbox_for(LOCAL)
        await save(box, "divide", "BY = 2\n\n12 // BY")
        await save(box, "sleep", "import asyncio\nFOR_S = 0\nawait asyncio.sleep(FOR_S)")
        failed = await box.call("saved.divide", {"by": 0})
        with anyio.fail_after(20):
            idle = box.containers.gauges().containers_idle
            slow = await box.call("saved.sleep", {"for_s": 60}, timeout_s=0.5)
        left = box.containers.gauges()

    assert failed.failure is not None
    assert "ZeroDivisionError" in failed.failure.message
    assert "(its line 3)" in failed.failure.message
    assert slow.failure is not None
    assert slow.failure.code == "timeout"
    assert (left.containers_idle, left.containers_busy) == (idle, 0)


async def test_another_process_sees_what_was_saved_without_a_new_start(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as serving:
        assert "saved" not in serving.catalog.snapshot.sources
        async with open_desk(tmp_path) as other:
            await save(other.toolbox_for(LOCAL), "total", "A = 1\nawait local.add(a=A, b=1)")
        with anyio.fail_after(30):
            seen = anyio.Event()
            serving.catalog.subscribe(lambda snapshot: "saved" in snapshot.sources and seen.set())
            if "saved" not in serving.catalog.snapshot.sources:
                await seen.wait()
        assert (await serving.toolbox_for(LOCAL).call("saved.total", {"a": 2})).value == 3


async def test_a_saved_program_is_the_template_found_for_a_request(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as app:
        box = app.toolbox_for(LOCAL)
        outcome = await box.run('"""Sum up what a trip costs."""\nNIGHTS = 2\nNIGHTS * 80')
        program = await box.save(RunId("last"), "trip_costs")
        found = await box.search("what does a trip cost", namespace="saved")

    assert program.run_id == outcome.run_id
    assert found.queries[0].hits[0].qualified == "saved.trip_costs"
    assert replace(program, version=7).input_schema()["properties"] == {
        "nights": {"type": "integer", "default": 2}
    }


async def test_a_saved_program_answers_where_no_model_does(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as app:
        box = app.toolbox_for(LOCAL)
        outcome = await box.run("print(await add(a=20, b=22))")
        await box.save(outcome.run_id, "total", description="Sum of the accounts.")
        planner = ScriptedProvider((), name="scripted:away")
        result = await toolweft.Agent(planner, toolbox=box).run("What is the sum of the accounts?")
    assert result.status == "saved_program", result
    assert result.error is not None
    assert result.error.code == "model_unavailable"
    assert "42" in result.text
