from typing import Any

import pytest

from toolweft.core.calls import RawResult, TextContent
from toolweft.core.errors import SourceUnavailable, ToolFailed
from toolweft.core.ids import ToolName
from toolweft.core.ports import Source, SourceListener
from toolweft.core.snapshot import SourceStatus
from toolweft.testing import (
    FakeClock,
    FakeSource,
    RecordingListener,
    SourceRequest,
    build_call,
    build_definition,
)


async def ask(source: Source, tool: str, **arguments: Any) -> RawResult:
    call = build_call(tool, arguments, timeout_s=5.0, clock=FakeClock(monotonic_s=0.0))
    return await source.call_tool(ToolName(tool), call)


async def test_a_plain_value_comes_as_structured() -> None:
    source = FakeSource("git", {"log": ["first", "second"]})
    assert (await ask(source, "log")).structured == ["first", "second"]


async def test_a_whole_result_comes_as_it_is() -> None:
    result = RawResult(content=(TextContent("no such branch"),), is_error=True)
    assert await ask(FakeSource("git", {"log": result}), "log") is result


async def test_a_function_answers_from_the_arguments() -> None:
    source = FakeSource("math", {"double": lambda arguments: arguments["n"] * 2})
    assert (await ask(source, "double", n=4)).structured == 8


async def test_an_async_function_answers_too() -> None:
    async def answer(arguments: dict[str, Any]) -> str:
        return f"hello {arguments['name']}"

    source = FakeSource("greeter", {"greet": answer})
    assert (await ask(source, "greet", name="Ada")).structured == "hello Ada"


@pytest.mark.parametrize("answer", [ToolFailed("no"), lambda _: ToolFailed("no")])
async def test_an_error_is_raised(answer: Any) -> None:
    with pytest.raises(ToolFailed, match="no"):
        await ask(FakeSource("git", {"log": answer}), "log")


async def test_a_tool_without_an_answer_is_unavailable() -> None:
    with pytest.raises(SourceUnavailable, match="'push'"):
        await ask(FakeSource("git"), "push")


async def test_calls_are_remembered_in_order() -> None:
    source = FakeSource("git", {"log": None})
    await ask(source, "log", n=1)
    with pytest.raises(SourceUnavailable):
        await ask(source, "push")

    assert source.requests == [
        SourceRequest(name=ToolName("log"), arguments={"n": 1}, deadline_s=5.0),
        SourceRequest(name=ToolName("push"), arguments={}, deadline_s=5.0),
    ]


def status(state: Any) -> SourceStatus:
    return SourceStatus(name=FakeSource("git").name, python_name="git", kind="fake", state=state)


def test_a_listener_knows_the_latest_state_and_tools() -> None:
    listener = RecordingListener()
    heard: SourceListener = listener
    definition = build_definition("git.log")

    heard.source_changed(status("starting"), None)
    heard.source_changed(status("ready"), [definition])
    heard.source_changed(status("failed"), None)

    assert [change.status.state for change in listener.changes] == ["starting", "ready", "failed"]
    assert listener.latest("git") == status("failed")
    assert listener.tools("git") == (definition,)


def test_a_source_that_never_spoke_is_unknown() -> None:
    listener = RecordingListener()
    listener.source_changed(status("ready"), [])
    assert listener.latest("time") is None
    assert listener.tools("time") == ()
