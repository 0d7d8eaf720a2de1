"""News of resources and lists: who hears them, and who does not."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import anyio
import mcp
import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError
from tests.gateway.library import (
    PATIENT_S,
    Ear,
    client_of,
    following,
    gateway,
    library,
    library_over_http,
    write_config,
)

pytestmark = [
    pytest.mark.network,
    pytest.mark.filterwarnings("ignore::mcp.shared.exceptions.MCPDeprecationWarning"),
]
BOTH = pytest.mark.parametrize("mode", ["auto", "legacy"])


async def use(client: mcp.Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool of the library through the toolbox; gives what its server knows."""
    result = await client.call_tool("call_tool", {"name": tool, "arguments": arguments})
    assert not result.is_error, result
    return json.loads(result.content[0].text)


async def wait_for_subscriptions(client: mcp.Client, uris: list[str]) -> None:
    with anyio.fail_after(PATIENT_S):
        # The server tells nobody who subscribes to it.
        while (await use(client, "books.state"))["subscribed"] != uris:  # noqa: ASYNC110
            await anyio.sleep(0.02)


@pytest.mark.promise("sources.subscriptions")
@BOTH
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_only_the_session_that_asked_hears_of_a_resource(
    tmp_path: Path, mode: str, era: str
) -> None:
    asking, other, third = Ear(), Ear(), Ear()
    async with (
        library_over_http(era) as books,
        gateway(tmp_path, {"books": books}) as (_, address),
        client_of(address, mode, asking) as asker,
        client_of(address, mode, other) as stranger,
        client_of(address, "legacy", third) as neighbour,
        following(asker, "memo://insights"),
        following(stranger, "memo://picture"),
        following(neighbour, "memo://insights"),
    ):
        await wait_for_stream(asker, asking, "memo://insights")
        await use(asker, "books.touch", uri="memo://insights")
        await asking.wait_until(lambda: asking.updated.count("memo://insights") >= 1)
        await third.wait_until(lambda: "memo://insights" in third.updated)
        # Whatever is on its way to the other comes before this.
        await wait_for_stream(stranger, other, "memo://picture")

    assert set(asking.updated) == {"memo://insights"}
    assert set(other.updated) == {"memo://picture"}


async def wait_for_stream(client: mcp.Client, ear: Ear, uri: str) -> None:
    """Return once the server's news of a resource reach this client."""
    before = ear.updated.count(uri)
    with anyio.fail_after(PATIENT_S):
        while ear.updated.count(uri) == before:
            await use(client, "books.touch", uri=uri)
            await anyio.sleep(0.02)


@BOTH
@pytest.mark.parametrize("era", ["modern", "legacy"])
async def test_changed_lists_are_told_and_listed_anew(tmp_path: Path, mode: str, era: str) -> None:
    ear = Ear()
    async with (
        gateway(tmp_path, {"books": library(era)}) as (_, address),
        client_of(address, mode, ear) as client,
        following(client, "memo://insights"),
    ):
        await wait_for_stream(client, ear, "memo://insights")
        await use(client, "books.add", name="new")
        await ear.wait_until(lambda: len(ear.changed) == 2)
        uris = [one.uri for one in (await client.list_resources()).resources]
        prompts = [one.name for one in (await client.list_prompts()).prompts]
        read = await client.read_resource("memo://new")

    # Its four tools never change for a conversation.
    assert ear.changed == {
        "notifications/resources/list_changed",
        "notifications/prompts/list_changed",
    }
    assert "memo://new" in uris
    assert "new" in prompts
    assert read.contents[0].text == "about memo://new"


async def test_subscriptions_are_counted_and_end_with_their_sessions(tmp_path: Path) -> None:
    async with (
        gateway(tmp_path, {"books": library("legacy")}) as (_, address),
        client_of(address, "legacy") as last,
    ):
        async with client_of(address, "legacy") as first:
            await first.subscribe_resource("memo://insights")
            await first.subscribe_resource("memo://insights")
            await last.subscribe_resource("memo://insights")
            await first.subscribe_resource("memo://picture")
            await wait_for_subscriptions(last, ["memo://insights", "memo://picture"])
            await first.unsubscribe_resource("memo://insights")
        # The first is gone with what only it wanted.
        await wait_for_subscriptions(last, ["memo://insights"])
        async with (
            client_of(address, "auto") as modern,
            modern.listen(resource_subscriptions=["memo://picture"]),
        ):
            await wait_for_subscriptions(last, ["memo://insights", "memo://picture"])
        await wait_for_subscriptions(last, ["memo://insights"])
        await last.unsubscribe_resource("memo://insights")
        await wait_for_subscriptions(last, [])
        with pytest.raises(MCPError) as caught:
            await last.subscribe_resource("toolweft://resources/nowhere/a:b")

    assert caught.value.error.data == {"uri": "toolweft://resources/nowhere/a:b"}


@BOTH
async def test_a_part_of_a_resource_is_told_to_who_follows_the_whole(
    tmp_path: Path, mode: str
) -> None:
    ear = Ear()
    servers = {"books": library("legacy"), "papers": library("legacy")}
    shelf = "toolweft://resources/books/memo://shelf/one"
    async with (
        gateway(tmp_path, servers) as (_, address),
        client_of(address, mode, ear) as client,
        following(client, shelf),
    ):
        await wait_for_subscriptions(client, ["memo://shelf/one"])
        await use(client, "books.touch", uri="memo://shelf/one-and-a-half")
        await use(client, "papers.touch", uri="memo://shelf/one")
        await use(client, "books.touch", uri="memo://shelf/one/second")
        await ear.wait_until(lambda: bool(ear.updated))

    assert ear.updated == [f"{shelf}/second"]


@BOTH
async def test_a_server_that_comes_back_is_subscribed_to_again(tmp_path: Path, mode: str) -> None:
    ear = Ear()
    async with (
        gateway(tmp_path, {"books": library("legacy")}) as (_, address),
        client_of(address, mode, ear) as client,
        following(client, "memo://insights"),
    ):
        await wait_for_subscriptions(client, ["memo://insights"])
        died = await client.call_tool("call_tool", {"name": "books.die", "arguments": {}})
        with anyio.fail_after(PATIENT_S):
            while True:
                result = await client.call_tool("call_tool", {"name": "books.state"})
                if not result.is_error:
                    break
                await anyio.sleep(0.1)
        await wait_for_subscriptions(client, ["memo://insights"])
        await use(client, "books.touch", uri="memo://insights")
        await ear.wait_until(lambda: bool(ear.updated))

    assert died.is_error


async def test_open_streams_end_in_order_when_the_gateway_stops(tmp_path: Path) -> None:
    stop = anyio.Event()
    async with (
        gateway(tmp_path, {"books": library("modern")}, stop=stop) as (_, address),
        client_of(address, "auto") as client,
        client.listen(resource_subscriptions=["memo://insights"]) as subscription,
    ):
        stop.set()
        # One that only broke off raises instead.
        with anyio.fail_after(PATIENT_S):
            assert [event async for event in subscription] == []


@BOTH
@pytest.mark.process
async def test_news_reach_a_client_over_stdio(tmp_path: Path, mode: str) -> None:
    write_config(tmp_path, {"books": library("legacy")})
    ear = Ear()
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "toolweft", "serve"],
        env={**os.environ, "HOME": str(tmp_path)},
        cwd=tmp_path,
    )
    async with (
        client_of(stdio_client(command), mode, ear) as client,
        following(client, "memo://insights"),
    ):
        await wait_for_stream(client, ear, "memo://insights")

    assert set(ear.updated) == {"memo://insights"}
