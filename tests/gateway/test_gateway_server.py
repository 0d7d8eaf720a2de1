"""The server through the SDK's own client, in memory and in both eras."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp
import mcp_types
import pytest
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp.shared.memory import create_client_server_memory_streams
from tests.gateway.fake_toolbox import Desk, FakeTool

from toolweft.core.calls import LOCAL
from toolweft.core.errors import LedgerUnavailable
from toolweft.gateway.server import build_server

pytestmark = pytest.mark.parametrize("mode", ["auto", "legacy"])


@pytest.fixture
def desk() -> Desk:
    return Desk()


@asynccontextmanager
async def linked(server: Server[Any]) -> AsyncIterator[Any]:
    """A transport whose other end the server reads, so that messages cross as on a wire."""
    async with (
        create_client_server_memory_streams() as (client, (read, write)),
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(server.run, read, write, server.create_initialization_options())
        yield client
        tasks.cancel_scope.cancel()


def text_of(result: mcp_types.CallToolResult) -> str:
    return "".join(block.text for block in result.content if block.type == "text")


async def test_the_tools_are_listed_as_the_conversation_is_shown_them(desk: Desk, mode) -> None:
    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        search, run = (await client.list_tools()).tools

    assert search.name == "search_tools"
    assert search.title == "Search tools"
    assert search.description == "Find tools."
    assert search.input_schema["properties"]["queries"]["items"] == {"type": "string"}
    assert search.annotations.read_only_hint is True
    assert search.annotations.open_world_hint is False
    assert search.annotations.destructive_hint is None
    assert run.annotations.destructive_hint is True


async def test_the_list_stays_the_same_during_a_conversation(desk: Desk, mode) -> None:
    async with mcp.Client(desk.server(), mode=mode, cache=None) as client:
        before = await client.list_tools()
        desk.tools = (FakeTool(name="something_else"),)
        after = await client.list_tools()

    assert [tool.name for tool in after.tools] == [tool.name for tool in before.tools]
    assert desk.listed == [LOCAL]


async def test_the_server_names_itself_and_says_what_to_do(desk: Desk, mode) -> None:
    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        assert client.server_info.name == "toolweft"
        assert client.server_info.version == "1.2.3"
        assert client.instructions == "Search."
        assert client.server_capabilities.tools is not None
        assert not client.server_capabilities.tools.list_changed


async def test_a_call_reaches_the_toolbox_with_its_arguments(desk: Desk, mode) -> None:
    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        result = await client.call_tool("echo", {"text": "hello", "n": None})

    assert text_of(result) == "hello"
    assert result.structured_content == {"text": "hello", "n": None}
    assert not result.is_error


async def test_calls_list_nothing(desk: Desk, mode) -> None:
    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        await client.session.send_request(
            mcp_types.CallToolRequest(
                params=mcp_types.CallToolRequestParams(name="echo", arguments={"text": "a"})
            ),
            mcp_types.CallToolResult,
        )

    assert desk.listed == []


async def test_one_conversation_keeps_its_toolbox(desk: Desk, mode) -> None:
    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        await client.call_tool("remember", {"a": 1})
        result = await client.call_tool("remember", {"b": 2})

    assert text_of(result) == "['a', 'b']"
    assert desk.opened == [LOCAL]


async def test_images_and_links_go_on_as_content(desk: Desk, mode) -> None:
    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        text, image, link = (await client.call_tool("picture")).content

    assert text.text == "a picture"
    assert (image.type, image.mime_type, image.data) == ("image", "image/png", "iVBORw==")
    assert (link.type, link.uri, link.name) == ("resource_link", "file:///a", "a")


async def test_printed_text_arrives_as_progress_in_order(desk: Desk, mode) -> None:
    seen: list[tuple[float, str | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, message))

    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        texts = ["one ", "two ", "three"]
        result = await client.call_tool("print", {"texts": texts}, progress_callback=on_progress)

    assert text_of(result) == "printed"
    assert "".join(message or "" for _, message in seen) == "one two three"
    assert [progress for progress, _ in seen] == sorted({progress for progress, _ in seen})
    assert seen[-1][0] == len("one two three")


async def test_a_program_that_prints_nothing_reports_nothing(desk: Desk, mode) -> None:
    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        raise AssertionError(message)

    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        result = await client.call_tool("print", {"texts": []}, progress_callback=on_progress)

    assert text_of(result) == "printed"


async def test_nothing_is_streamed_to_a_client_that_did_not_ask(desk: Desk, mode) -> None:
    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        assert text_of(await client.call_tool("print", {"texts": ["a"]})) == "nobody listens"


async def test_cancelling_a_request_cancels_what_it_started(desk: Desk, mode) -> None:
    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "hang")
            with anyio.fail_after(5):
                await desk.started.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            await desk.cancelled.wait()


async def test_cancelling_a_streamed_request_cancels_what_it_started(desk: Desk, mode) -> None:
    async def ignore(progress: float, total: float | None, message: str | None) -> None: ...

    async def call(client: mcp.Client) -> None:
        await client.call_tool("hang", progress_callback=ignore)

    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, client)
            with anyio.fail_after(5):
                await desk.started.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(5):
            await desk.cancelled.wait()


async def test_an_expected_error_is_a_result_the_model_can_read(desk: Desk, mode) -> None:
    async with mcp.Client(linked(desk.server()), mode=mode) as client:
        result = await client.call_tool("overload")

    assert result.is_error
    assert text_of(result) == "overloaded: every slot is taken\nhint: try again later"


async def test_an_unexpected_error_is_logged_and_not_told(
    desk: Desk, mode, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, logger="toolweft.gateway"):
        async with mcp.Client(linked(desk.server()), mode=mode) as client:
            result = await client.call_tool("crash")

    assert result.is_error
    assert "hunter2" not in text_of(result)
    assert "'crash' failed inside toolweft" in text_of(result)
    assert [record.getMessage() for record in caplog.records] == ["gateway.call_failed"]
    assert caplog.records[0].exc_info is not None


async def test_a_listing_that_fails_says_why(desk: Desk, mode) -> None:
    async def refuse(principal: object) -> object:
        raise LedgerUnavailable("the disk is full", hint="make room")

    server = build_server(desk.toolbox_for, surface_for=refuse, version="0")
    async with mcp.Client(linked(server), mode=mode) as client:
        with pytest.raises(MCPError, match=r"the disk is full \(make room\)"):
            await client.list_tools()


@pytest.mark.promise("gateway.grace")
async def test_what_looks_for_tools_waits_for_sources_and_nothing_else_does(
    desk: Desk, mode
) -> None:
    waited: list[str] = []

    async def settle() -> None:
        waited.append("waited")

    server = build_server(
        desk.toolbox_for, surface_for=desk.surface_for, version="0", settle=settle
    )
    async with mcp.Client(linked(server), mode=mode) as client:
        await client.call_tool("who", {})
        assert waited == []
        await client.call_tool("search_tools", {"queries": ["time"]})
        await client.call_tool("describe_tools", {"names": ["clock.now"]})
    assert waited == ["waited", "waited"]
