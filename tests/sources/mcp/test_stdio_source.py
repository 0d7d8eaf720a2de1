"""A live server over stdio: what works, and what its death looks like."""

import json
import os

import anyio
import pytest
from tests.sources.support import WaitingListener, build_stdio, use

from toolweft.core.calls import RawResult, TextContent
from toolweft.core.errors import ResultTooLarge
from toolweft.core.secret import Secret
from toolweft.core.tools import ToolExample
from toolweft.sources import SourceGroup, StdioSource

pytestmark = pytest.mark.process


def running(listener: WaitingListener, *sources: StdioSource) -> SourceGroup:
    return SourceGroup(sources, listener=listener)


@pytest.mark.parametrize(
    ("script", "version", "said"),
    [
        (("plain.py",), "2025-11-25", "Be plain."),
        (("modern.py", "stdio"), "2026-07-28", "Be modern."),
    ],
)
async def test_servers_of_both_eras_are_listed_and_called(
    listener: WaitingListener, script: tuple[str, ...], version: str, said: str
) -> None:
    source = build_stdio(listener, *script)
    async with running(listener, source):
        status = await listener.wait_for("plain", "ready")
        assert (status.protocol_version, status.instructions) == (version, said)
        assert status.kind == "mcp stdio"
        assert status.tool_count == len(listener.tool_names("plain")) > 0
        assert status.start_s is not None
        assert status.reason == ""
        result = await use(source, "echo", none=None, big=2**60, text="é\n")
        assert result.structured == {"none": None, "big": 2**60, "text": "é\n"}
    assert listener.latest("plain").state == "stopped"


async def test_examples_in_the_metadata_of_a_server_arrive(listener: WaitingListener) -> None:
    async with running(listener, build_stdio(listener, "plain.py", "examples")):
        await listener.wait_for("plain", "ready")
        first, second, third, *_ = listener.tools("plain")
    assert first.input_examples == (ToolExample(scenario="echo a word", input={"word": "tide"}),)
    assert second.input_examples == (ToolExample(scenario="", input={"word": "tide"}),)
    assert third.input_examples == ()


async def test_calls_run_at_the_same_time(listener: WaitingListener) -> None:
    source = build_stdio(listener)
    results: dict[int, RawResult] = {}

    async def call(number: int) -> None:
        results[number] = await use(source, "echo", number=number)

    async with running(listener, source):
        await listener.wait_for("plain", "ready")
        async with anyio.create_task_group() as tasks:
            for number in range(50):
                tasks.start_soon(call, number)
    assert {n: r.structured for n, r in results.items()} == {n: {"number": n} for n in range(50)}


async def test_pages_of_tools_are_put_together(listener: WaitingListener) -> None:
    async with running(listener, build_stdio(listener, "plain.py", "pages")):
        await listener.wait_for("plain", "ready")
        assert listener.tool_names("plain")[:2] == ["echo", "environment"]
        assert len(listener.tool_names("plain")) == len(set(listener.tool_names("plain"))) > 10


async def test_a_cursor_that_loops_ends_the_listing_with_what_is_known(
    listener: WaitingListener, caplog: pytest.LogCaptureFixture
) -> None:
    async with running(listener, build_stdio(listener, "plain.py", "loop")):
        status = await listener.wait_for("plain", "ready")
        assert listener.tool_names("plain")[0] == "echo"
    assert "cursor 'again'" in status.notes[0]
    (odd,) = [r for r in caplog.records if r.message == "source.odd_tool_list"]
    assert "cursor 'again'" in str(odd.__dict__["faults"])


async def test_a_server_without_tools_is_ready_and_empty(listener: WaitingListener) -> None:
    async with running(listener, build_stdio(listener, "plain.py", "no-tools")):
        assert (await listener.wait_for("plain", "ready")).tool_count == 0


@pytest.mark.parametrize("script", [("plain.py",), ("modern.py", "stdio")])
async def test_a_changed_list_is_listed_again(
    listener: WaitingListener, script: tuple[str, ...]
) -> None:
    source = build_stdio(listener, *script)
    async with running(listener, source):
        await listener.wait_for("plain", "ready")
        # A subscription opens beside the calls, so the first change may come before it.
        while not any("grown" in name for name in listener.tool_names("plain")):
            before = len(listener.changes)
            await use(source, "grow")
            with anyio.move_on_after(1.0):
                await listener.wait_until(lambda: len(listener.changes) > before)  # noqa: B023 (used before the next round)
        assert listener.latest("plain").state == "ready"


async def test_only_a_small_environment_and_what_is_configured_reaches_the_server(
    listener: WaitingListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLWEFT_TEST_PRIVATE", "1")
    key = Secret("s3cr3t-value", reference="env:KEY")
    source = build_stdio(listener, env={"API_KEY": key, "PLAIN": "1"})
    async with running(listener, source):
        await listener.wait_for("plain", "ready")
        (content,) = (await use(source, "environment")).content
    environment = json.loads(content.text)
    assert environment["API_KEY"] == "s3cr3t-value"
    assert environment["PLAIN"] == "1"
    assert "TOOLWEFT_TEST_PRIVATE" not in environment
    assert environment["PATH"] == os.environ["PATH"]


async def test_an_error_answer_is_a_failed_result(listener: WaitingListener) -> None:
    source = build_stdio(listener)
    async with running(listener, source):
        await listener.wait_for("plain", "ready")
        locked = await use(source, "error")
        unknown = await use(source, "nonesuch")
        malformed = await use(source, "malformed")
    assert locked == RawResult(
        content=(TextContent("the index is locked (-32000)"),), is_error=True
    )
    assert unknown.is_error
    assert malformed.content == (TextContent("the answer is no JSON-RPC response"),)


async def test_noise_on_stdout_is_skipped(listener: WaitingListener) -> None:
    source = build_stdio(listener)
    async with running(listener, source):
        await listener.wait_for("plain", "ready")
        assert (await use(source, "noise")).content == (TextContent("done"),)


@pytest.mark.parametrize("tool", ["huge", "huge_id_last"])
async def test_an_answer_above_the_cap_fails_its_own_call_only(
    listener: WaitingListener, tool: str
) -> None:
    source = build_stdio(listener, max_message_bytes=100_000)
    async with running(listener, source):
        await listener.wait_for("plain", "ready")
        with pytest.raises(ResultTooLarge, match=r"the cap is 100,000"):
            await use(source, tool, size=1_000_000)
        (content,) = (await use(source, tool, size=90_000)).content
        assert len(content.text) == 90_000


async def test_a_large_answer_below_the_cap_arrives_whole(listener: WaitingListener) -> None:
    source = build_stdio(listener)
    async with running(listener, source):
        await listener.wait_for("plain", "ready")
        (content,) = (await use(source, "huge", size=20_000_000)).content
        assert len(content.text) == 20_000_000


async def test_cancelling_a_call_cancels_it_in_the_server(listener: WaitingListener) -> None:
    source = build_stdio(listener)
    async with running(listener, source):
        await listener.wait_for("plain", "ready")
        with anyio.move_on_after(0.05) as scope:
            await use(source, "hang")
        assert scope.cancelled_caught
        (content,) = (await use(source, "cancelled")).content
        assert len(json.loads(content.text)) == 1
