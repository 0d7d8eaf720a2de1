"""A stdio front of a running HTTP service, with real clients and services on the loopback."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import anyio
import mcp
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError
from tests.gateway.fake_toolbox import Desk
from tests.gateway.test_gateway_http import BOTH, LOCKED, OPEN, served

from toolweft.bootstrap.serving import build_forwarder
from toolweft.core.errors import ConfigError
from toolweft.core.secret import Secret
from toolweft.gateway.attach import find_headers

pytestmark = pytest.mark.network


@asynccontextmanager
async def forwarded(url: str, *, key: str | None = None) -> AsyncIterator[Any]:
    """A transport through a front of that service."""
    token = None if key is None else Secret(key, reference="file:test")
    forwarder = build_forwarder(url, token=token)
    to_front, from_client = anyio.create_memory_object_stream(0)
    to_client, from_front = anyio.create_memory_object_stream(0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(forwarder.run, from_client, to_client)
        yield nullcontext((from_front, to_front))
        tasks.cancel_scope.cancel()


@asynccontextmanager
async def fronted(url: str, *, mode: str, key: str | None = None) -> AsyncIterator[mcp.Client]:
    async with forwarded(url, key=key) as transport, mcp.Client(transport, mode=mode) as client:
        yield client


async def echo(client: mcp.Client, text: str) -> str:
    return (await client.call_tool("echo", {"text": text})).content[0].text


@BOTH
@pytest.mark.promise("attach.forward")
async def test_what_a_client_sees_is_the_service(mode: str) -> None:
    desk = Desk()
    async with served(OPEN, desk=desk) as url, fronted(url, mode=mode) as client:
        assert client.server_info.name == "toolweft"
        assert client.instructions == "Search."
        names = [tool.name for tool in (await client.list_tools()).tools]
        assert names == ["search_tools", "run_code"]
        assert len(await echo(client, "é" * 100_000)) == 100_000
        failed = await client.call_tool("overload", {})
        assert failed.is_error


@BOTH
@pytest.mark.promise("attach.forward")
async def test_progress_comes_through(mode: str) -> None:
    heard: list[str | None] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)

    async with served(OPEN) as url, fronted(url, mode=mode) as client:
        await client.call_tool("print", {"texts": ["a", "b"]}, progress_callback=hear)
        with anyio.fail_after(5):
            while "".join(filter(None, heard)) != "ab":  # noqa: ASYNC110 (the client has no event)
                await anyio.sleep(0.01)


@BOTH
@pytest.mark.promise("attach.forward")
async def test_a_cancellation_reaches_what_it_started(mode: str) -> None:
    desk = Desk()
    async with served(OPEN, desk=desk) as url, fronted(url, mode=mode) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "hang", {})
            await desk.started.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(10):
            await desk.cancelled.wait()
        assert await echo(client, "on") == "on"


@BOTH
async def test_several_fronts_share_one_service(mode: str) -> None:
    desk = Desk()
    async with (
        served(LOCKED, desk=desk) as url,
        fronted(url, mode=mode, key="anna's key") as one,
        fronted(url, mode=mode, key="ben's key") as other,
    ):
        assert (await one.call_tool("who")).content[0].text == "blue/anna/k1"
        assert (await other.call_tool("who")).content[0].text == "red/ben/k2"


@BOTH
async def test_a_key_that_is_not_known_is_said_so_and_not_shown(mode: str) -> None:
    async with served(LOCKED) as url:
        with pytest.raises(ExceptionGroup) as caught:
            async with fronted(url, mode=mode, key="hunter2"):
                pass
    error: BaseException = caught.value
    while isinstance(error, ExceptionGroup):
        (error,) = error.exceptions
    assert isinstance(error, MCPError)
    assert "answered HTTP 401" in error.message
    assert "hunter2" not in repr(caught.value)


@BOTH
@pytest.mark.promise("attach.again")
async def test_a_service_that_was_started_anew_goes_on(mode: str) -> None:
    async with served(OPEN) as url:
        pass
    there = replace(OPEN, port=urlsplit(url).port)
    first, second = Desk(), Desk()
    async with anyio.create_task_group() as fronts:
        stop, down, up = anyio.Event(), anyio.Event(), anyio.Event()

        async def serve() -> None:
            async with served(there, desk=first):
                up.set()
                await stop.wait()
            down.set()

        fronts.start_soon(serve)
        await up.wait()
        async with fronted(url, mode=mode) as client:
            assert await echo(client, "first") == "first"
            stop.set()
            await down.wait()
            with pytest.raises(MCPError, match="cannot connect to"):
                await echo(client, "nobody")
            async with served(there, desk=second):
                answers: list[str] = []

                async def ask(text: str) -> None:
                    answers.append(await echo(client, text))

                async with anyio.create_task_group() as tasks:
                    for text in ("a", "b", "c"):
                        tasks.start_soon(ask, text)
                assert sorted(answers) == ["a", "b", "c"]
                assert len(second.opened) == 1


def test_a_key_is_not_sent_where_others_could_listen() -> None:
    token = Secret("hunter2", reference="file:test")
    with pytest.raises(ConfigError, match="would show the key"):
        build_forwarder("http://example.test/mcp", token=token)
    build_forwarder("https://example.test/mcp", token=token)
    build_forwarder("http://example.test/mcp", token=None)


@pytest.mark.parametrize("url", ["", "example.test", "ftp://a/mcp", "http://", "http://a:b/"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="is not an http:// or https:// address"):
        build_forwarder(url, token=None)


def test_messages_are_routed_by_the_headers_of_their_revision() -> None:
    meta = {types.PROTOCOL_VERSION_META_KEY: "2026-07-28"}
    modern = types.JSONRPCRequest(
        jsonrpc="2.0", id=1, method="tools/call", params={"name": "é", "_meta": meta}
    )
    hello = types.JSONRPCRequest(jsonrpc="2.0", id=1, method="initialize", params={})
    older = types.JSONRPCRequest(jsonrpc="2.0", id=1, method="tools/list")
    done = types.JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")
    assert find_headers(modern, version="2025-11-25") == {
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": "=?base64?w6k=?=",
    }
    assert find_headers(hello, version="2025-11-25") == {}
    assert find_headers(older, version="2025-11-25") == {"mcp-protocol-version": "2025-11-25"}
    assert find_headers(done, version="") == {}
