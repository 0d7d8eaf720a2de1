"""Arguments in, results out."""

import asyncio
import contextlib
import enum
import math
import sys
import threading
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from functools import wraps
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel
from tests.sources.support import PATIENT_S, WaitingListener, use

from toolweft.core.calls import MISSING, Blob, RawResult, TextContent
from toolweft.core.errors import InvalidArguments, Overloaded, SourceUnavailable
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.tools import ToolDefinition, ToolSpec
from toolweft.sources import BoundTool, PythonSource
from toolweft.sources.python.results import read_returned
from toolweft.testing import build_call


class Colour(enum.Enum):
    RED = "red"


class Team(BaseModel):
    name: str
    founded: date


@dataclass
class Expense:
    amount: Decimal
    team: Team


def serve(*tools: Any) -> PythonSource:
    return PythonSource(SourceName("local"), tools, listener=WaitingListener())


async def test_arguments_arrive_as_the_types_the_function_asks_for() -> None:
    seen: list[Any] = []

    async def book(expense: Expense, teams: list[Team], days: set[int], json: date) -> None:
        seen.extend([expense, teams, days, json])

    team = {"name": "a", "founded": "2020-01-02"}
    result = await use(
        serve(book),
        "book",
        expense={"amount": "1.50", "team": team},
        teams=[team],
        days=[1, 1, 2],
        json="2024-05-06",
    )
    built = Team(name="a", founded=date(2020, 1, 2))
    assert seen == [Expense(Decimal("1.50"), built), [built], {1, 2}, date(2024, 5, 6)]
    assert result == RawResult(structured=None)


async def test_arguments_left_out_are_the_functions_own_defaults() -> None:
    marker = object()

    async def check(value: Any = marker) -> bool:
        return value is marker

    assert (await use(serve(check), "check")).structured is True
    assert (await use(serve(check), "check", value=None)).structured is False


async def test_what_a_spec_describes_is_passed_on_to_further_keywords() -> None:
    async def echo(**more: Any) -> dict[str, Any]:
        return more

    given = {"filter-query": "x", "from": 1}
    spec = ToolSpec(name="echo", handler=echo, parameters={"type": "object"})
    assert (await use(serve(spec), "echo", **given)).structured == given


async def test_every_fault_of_the_arguments_is_told_with_its_place() -> None:
    async def pay(team: Team, amount: int) -> None: ...

    with pytest.raises(InvalidArguments) as refused:
        await use(serve(pay), "pay", team={"name": 1, "founded": "2020-01-01"}, x=2)
    assert refused.value.message == (
        "the arguments of pay do not fit: $.team.name: Input should be a valid string; "
        "$.amount: Field required; $.x: Extra inputs are not permitted"
    )


async def test_an_error_becomes_its_type_and_text_without_a_traceback() -> None:
    async def fail() -> None:
        raise LookupError("no such report")

    def leave() -> None:
        sys.exit(3)

    async def leave_loop() -> None:
        sys.exit(4)

    def empty() -> None:
        raise TimeoutError

    source = serve(fail, leave, leave_loop, empty)
    for name, text in [
        ("fail", "LookupError: no such report"),
        ("leave", "SystemExit: 3"),
        ("leave_loop", "SystemExit: 4"),
        ("empty", "TimeoutError"),
    ]:
        assert await use(source, name) == RawResult(content=(TextContent(text),), is_error=True)


async def test_sync_functions_run_in_another_thread_and_async_ones_in_the_loop() -> None:
    def sync() -> int:
        return threading.get_ident()

    async def in_loop() -> int:
        return threading.get_ident()

    source = serve(sync, in_loop)
    assert (await use(source, "sync")).structured != threading.get_ident()
    assert (await use(source, "in_loop")).structured == threading.get_ident()


async def test_a_cancelled_sync_function_is_left_behind() -> None:
    started, release = threading.Event(), threading.Event()

    def wait() -> None:
        started.set()
        release.wait(30)

    with anyio.fail_after(10), anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use, serve(wait), "wait")
            await anyio.to_thread.run_sync(started.wait)
            scope.cancel()
    assert scope.cancelled_caught
    release.set()


async def test_threads_that_are_left_behind_count_until_they_return() -> None:
    release, all_begun = threading.Event(), anyio.Event()
    begun: list[int] = []

    def wait() -> str:
        begun.append(threading.get_ident())
        if len(begun) == 40:
            anyio.from_thread.run_sync(all_begun.set)
        release.wait(60)
        return "done"

    source = serve(wait)

    async def leave_behind() -> None:
        async with anyio.create_task_group() as tasks:
            for _ in range(40):
                tasks.start_soon(use, source, "wait")
            await all_begun.wait()
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()

    try:
        with anyio.fail_after(PATIENT_S):
            for _ in range(3):
                await leave_behind()
            with pytest.raises(Overloaded, match=r"wait was not called: all 40 threads .* 40 of"):
                await source.call_tool(ToolName("wait"), build_call("wait", timeout_s=0.1))
        assert len(set(begun)) == len(begun) == 40
    finally:
        release.set()
    # They return, and their places with them.
    assert (await use(source, "wait")).structured == "done"


async def test_a_sync_wrapper_of_an_async_function_is_awaited() -> None:
    def wrapped(function: Any) -> Any:
        return wraps(function)(lambda **keywords: function(**keywords))

    async def double(number: int) -> int:
        return number * 2

    class Tripled:
        async def __call__(self, number: int) -> int:
            return number * 3

    def promised(number: int) -> Any:
        return double(number)

    source = serve(ToolSpec(name="wrapped", handler=wrapped(double)), promised, Tripled())
    assert (await use(source, "wrapped", number=2)).structured == 4
    assert (await use(source, "promised", number=2)).structured == 4
    assert (await use(source, "Tripled", number=2)).structured == 6


async def test_a_bound_tool_gets_its_arguments_as_they_come() -> None:
    async def replay(**arguments: Any) -> Any:
        return arguments

    bound = BoundTool(definition=ToolDefinition(name="t", namespace="x"), handler=replay)
    assert (await use(serve(bound), "t", **{"a-b": 1})).structured == {"a-b": 1}


async def test_an_unknown_tool_is_told_with_those_there_are() -> None:
    def one() -> None: ...

    with pytest.raises(SourceUnavailable, match=r"no tool named 'two' \(it has: one\)"):
        await use(serve(one), "two")


def test_python_values_become_plain_json() -> None:
    team = Team(name="a", founded=date(2020, 1, 2))
    value = {
        "model": team,
        "dataclass": Expense(Decimal("1.5"), team),
        "enum": Colour.RED,
        "set": {1},
        "path": Path("a/b"),
        "delta": timedelta(hours=1),
        "bytes": b"\xff",
        "numbers": [math.nan, math.inf, 2**70],
    }
    plain = {"name": "a", "founded": "2020-01-02"}
    assert read_returned(value).structured == {
        "model": plain,
        "dataclass": {"amount": "1.5", "team": plain},
        "enum": "red",
        "set": [1],
        "path": "a/b",
        "delta": "PT1H",
        "bytes": "_w==",
        "numbers": [None, None, 2**70],
    }


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=10,
    )
)
def test_plain_json_stays_as_it_is(value: Any) -> None:
    assert read_returned(value) == RawResult(structured=value)


def test_bytes_are_blobs_alone_and_in_a_list() -> None:
    blob = Blob(data=b"png", media_type="image/png")
    assert read_returned(b"x") == RawResult(content=(Blob(data=b"x"),))
    assert read_returned(blob) == RawResult(content=(blob,))
    assert read_returned([bytearray(b"x"), blob, "text", {"a": 1}]) == RawResult(
        content=(Blob(data=b"x"), blob, TextContent("text"), TextContent('{"a":1}'))
    )
    assert read_returned([]).structured == []
    assert read_returned(b"x").structured is MISSING


def test_a_ready_result_is_passed_on() -> None:
    ready = RawResult(structured=1, is_error=True)
    assert read_returned(ready) is ready


@pytest.mark.parametrize("value", [object(), {"a": object()}, [b"x", object()]])
def test_a_value_without_a_json_form_is_an_error(value: Any) -> None:
    with pytest.raises(TypeError, match="no JSON"):
        read_returned(value)


@pytest.mark.parametrize("is_async", [True, False], ids=["async", "sync, with a coroutine"])
async def test_a_function_that_swallows_its_cancellation_is_left_behind(
    listener: WaitingListener, caplog: pytest.LogCaptureFixture, is_async: bool
) -> None:
    started, release, ended = anyio.Event(), anyio.Event(), anyio.Event()

    async def stubborn() -> str:
        started.set()
        while not release.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await release.wait()
        ended.set()
        return "late"

    def make() -> Awaitable[str]:
        return stubborn()

    source = PythonSource(SourceName("local"), [stubborn if is_async else make], listener=listener)
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use, source, "stubborn" if is_async else "make")
            await started.wait()
            tasks.cancel_scope.cancel()
        assert not ended.is_set()
        assert [record.message for record in caplog.records] == ["tool.cancellation_ignored"]
        release.set()
        await ended.wait()
        await anyio.wait_all_tasks_blocked()
    # Dropped without another word.
    assert len(caplog.records) == 1


async def test_a_function_may_clean_up_when_it_is_cancelled(listener: WaitingListener) -> None:
    started, cleaned = anyio.Event(), anyio.Event()

    async def tidy() -> None:
        started.set()
        try:
            await anyio.sleep_forever()
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    source = PythonSource(SourceName("local"), [tidy], listener=listener)
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use, source, "tidy")
            await started.wait()
            tasks.cancel_scope.cancel()
        await cleaned.wait()


async def test_a_source_that_ends_cancels_what_it_left_behind_and_does_not_wait_for_it(
    listener: WaitingListener,
) -> None:
    started, release = anyio.Event(), anyio.Event()
    cancelled = 0

    async def stubborn() -> None:
        nonlocal cancelled
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                cancelled += 1

    source = PythonSource(SourceName("local"), [stubborn], listener=listener)
    with anyio.fail_after(PATIENT_S):
        async with anyio.create_task_group() as lifetime:
            lifetime.start_soon(source.run)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(use, source, "stubborn")
                await started.wait()
                tasks.cancel_scope.cancel()
            lifetime.cancel_scope.cancel()
    assert cancelled == 2
    release.set()
    await anyio.wait_all_tasks_blocked()


async def test_awaiting_something_cancelled_is_a_failed_result(listener: WaitingListener) -> None:
    async def careless() -> None:
        task = asyncio.ensure_future(asyncio.sleep(600))
        task.cancel()
        await task

    source = PythonSource(SourceName("local"), [careless], listener=listener)
    result = await use(source, "careless")
    assert result.is_error
    assert "cancelled" in result.content[0].text
