"""The server over HTTP on the loopback interface, with real clients."""

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import httpx2
import mcp
import mcp_types
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp.client.streamable_http import streamable_http_client
from tests.gateway.fake_toolbox import Desk

from toolweft.core.calls import LOCAL, Principal
from toolweft.core.errors import ConfigError
from toolweft.gateway.http import serve_http
from toolweft.gateway.keys import hash_key
from toolweft.gateway.options import MAX_MESSAGE_BYTES, ApiKey, HttpOptions
from toolweft.testing import FakeClock

pytestmark = pytest.mark.network

ROOT = Path(__file__).resolve().parents[2]
OPEN = HttpOptions(port=0)
LOCKED = replace(
    OPEN,
    keys=(
        ApiKey(id="k1", sha256=hash_key("anna's key"), tenant="blue", user="anna"),
        ApiKey(id="k2", sha256=hash_key("ben's key"), tenant="red", user="ben"),
    ),
)
BOTH = pytest.mark.parametrize("mode", ["auto", "legacy"])
ACCEPT = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "0"},
    },
}


@asynccontextmanager
async def served(
    options: HttpOptions, *, desk: Desk | None = None, **more: Any
) -> AsyncIterator[str]:
    """The address of a server that stops at the end of the block."""
    address = ""
    listening = anyio.Event()

    def on_listening(url: str) -> None:
        nonlocal address
        address = url
        listening.set()

    async def serve() -> None:
        server = (desk or Desk()).server()
        await serve_http(server, options, on_listening=on_listening, **more)

    with anyio.fail_after(50):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve)
            await listening.wait()
            yield address
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def connected(url: str, *, mode: str, key: str | None = None) -> AsyncIterator[mcp.Client]:
    headers = {} if key is None else {"authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=20) as http,
        mcp.Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


async def ask_who(url: str, *, mode: str, key: str | None = None) -> str:
    async with connected(url, mode=mode, key=key) as client:
        return (await client.call_tool("who")).content[0].text


@BOTH
async def test_the_official_client_lists_and_calls(mode: str) -> None:
    desk = Desk()
    async with served(OPEN, desk=desk) as url, connected(url, mode=mode) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool("echo", {"text": "x" * 100_000})

    assert names == ["search_tools", "run_code"]
    assert len(result.content[0].text) == 100_000
    assert desk.listed == [LOCAL]


@BOTH
async def test_calls_list_nothing(mode: str) -> None:
    desk = Desk()
    call = mcp_types.CallToolRequest(
        params=mcp_types.CallToolRequestParams(name="echo", arguments={"text": "a"})
    )
    async with served(OPEN, desk=desk) as url, connected(url, mode=mode) as client:
        result = await client.session.send_request(call, mcp_types.CallToolResult)

    assert result.content[0].text == "a"
    assert desk.listed == []


@BOTH
async def test_printed_text_is_streamed(mode: str) -> None:
    seen: list[str | None] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append(message)

    async with served(OPEN) as url, connected(url, mode=mode) as client:
        await client.call_tool("print", {"texts": ["one ", "two"]}, progress_callback=on_progress)

    assert "".join(message or "" for message in seen) == "one two"


@BOTH
async def test_a_client_that_goes_away_cancels_what_it_started(mode: str) -> None:
    desk = Desk()
    async with served(OPEN, desk=desk) as url:
        async with connected(url, mode=mode) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.call_tool, "hang")
            await desk.started.wait()
            tasks.cancel_scope.cancel()
        await desk.cancelled.wait()


async def test_a_handshake_session_is_a_conversation_of_its_own() -> None:
    desk = Desk()
    async with served(OPEN, desk=desk) as url:
        for _ in range(2):
            async with connected(url, mode="legacy") as client:
                await client.call_tool("remember", {"a": 1})
                await client.call_tool("remember", {"b": 1})

    assert desk.opened == [LOCAL, LOCAL]


async def test_requests_without_sessions_share_the_conversation_of_their_principal() -> None:
    desk = Desk()
    async with served(OPEN, desk=desk) as url:
        for _ in range(2):
            async with connected(url, mode="auto") as client:
                await client.call_tool("remember", {"a": 1})

    assert desk.opened == [LOCAL]


async def test_what_requests_without_sessions_share_is_over_when_unused(clock: FakeClock) -> None:
    desk = Desk(clock=clock)
    async with served(OPEN, desk=desk) as url:
        for pause_s in (0.0, 29 * 60, 29 * 60, 31 * 60):
            clock.advance(pause_s)
            async with connected(url, mode="auto") as client:
                await client.list_tools()

    assert desk.listed == [LOCAL, LOCAL]


async def test_a_session_is_never_over_for_its_conversation(clock: FakeClock) -> None:
    desk = Desk(clock=clock)
    async with served(OPEN, desk=desk) as url, connected(url, mode="legacy") as client:
        await client.list_tools()
        clock.advance(10 * 3600)
        await client.list_tools()

    assert desk.listed == [LOCAL]


@BOTH
async def test_a_key_decides_who_calls(mode: str) -> None:
    async with served(LOCKED) as url:
        assert await ask_who(url, mode=mode, key="anna's key") == "blue/anna/k1"
        assert await ask_who(url, mode=mode, key="ben's key") == "red/ben/k2"


@pytest.mark.promise("gateway.principals")
@BOTH
async def test_two_principals_at_once_have_toolboxes_of_their_own(mode: str) -> None:
    desk = Desk()
    async with (
        served(LOCKED, desk=desk) as url,
        connected(url, mode=mode, key="anna's key") as anna,
        connected(url, mode=mode, key="ben's key") as ben,
    ):
        await anna.call_tool("remember", {"secret": 1})
        seen = (await ben.call_tool("remember", {"mine": 1})).content[0].text

    assert seen == "['mine']"
    assert desk.opened == [Principal("blue", "anna", "k1"), Principal("red", "ben", "k2")]


@pytest.mark.promise("gateway.keys")
@pytest.mark.parametrize(
    ("headers", "challenge"),
    [
        ({}, 'Bearer realm="toolweft"'),
        ({"authorization": "Bearer wrong"}, 'Bearer realm="toolweft", error="invalid_token"'),
        ({"authorization": "Basic anna's key"}, 'Bearer realm="toolweft", error="invalid_token"'),
        ({"authorization": "Bearer"}, 'Bearer realm="toolweft", error="invalid_token"'),
    ],
)
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_without_a_known_key_nothing_is_answered(
    method: str, headers: dict[str, str], challenge: str
) -> None:
    async with served(LOCKED) as url, httpx2.AsyncClient() as http:
        answer = await http.request(method, url, headers=headers)

    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == challenge
    assert "wrong" not in answer.text
    assert "Authorization: Bearer KEY" in answer.json()["error"]["hint"]


async def test_a_session_is_unknown_to_everyone_but_its_owner() -> None:
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    async with served(LOCKED) as url, httpx2.AsyncClient(headers=ACCEPT) as http:
        anna = {"authorization": "Bearer anna's key"}
        hello = await http.post(url, json=HELLO, headers=anna)
        session = {"mcp-session-id": hello.headers["mcp-session-id"]}
        ben = {"authorization": "Bearer ben's key", **session}

        assert (await http.post(url, json=listing, headers=ben)).status_code == 404
        assert (await http.get(url, headers=ben)).status_code == 404
        assert (await http.delete(url, headers=ben)).status_code == 404
        assert (await http.post(url, json=listing, headers=session)).status_code == 401
        assert (await http.post(url, json=listing, headers=anna | session)).status_code == 200


async def test_a_made_up_session_is_unknown() -> None:
    async with served(OPEN) as url, httpx2.AsyncClient(headers=ACCEPT) as http:
        answer = await http.post(url, json=HELLO, headers={"mcp-session-id": "0" * 32})

    assert answer.status_code == 404


@pytest.mark.promise("gateway.host-origin")
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "evil.example:80"}, 421),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
    ],
)
@pytest.mark.parametrize("path", ["/mcp", "/health/live", "/elsewhere"])
async def test_foreign_names_and_foreign_pages_are_refused_everywhere(
    path: str, headers: dict[str, str], status: int
) -> None:
    async with served(OPEN) as url, httpx2.AsyncClient(headers=ACCEPT) as http:
        answer = await http.post(url.removesuffix("/mcp") + path, json=HELLO, headers=headers)

    assert answer.status_code == status
    assert "[http]" in answer.json()["error"]["hint"]


async def test_allowed_names_and_pages_are_let_in() -> None:
    options = replace(
        OPEN, allowed_hosts=("tools.example:*",), allowed_origins=("https://app.example",)
    )
    headers = {"host": "tools.example", "origin": "https://app.example"}
    async with served(options) as url, httpx2.AsyncClient(headers=ACCEPT) as http:
        answer = await http.post(url, json=HELLO, headers=headers)

    assert answer.status_code == 200


async def test_a_body_above_the_cap_is_refused() -> None:
    async with served(OPEN) as url, httpx2.AsyncClient(headers=ACCEPT) as http:
        answer = await http.post(url, content=b"x" * (MAX_MESSAGE_BYTES + 1))

    assert answer.status_code == 413


async def test_health_says_whether_it_lives_and_whether_it_is_ready() -> None:
    ready = False
    async with served(LOCKED, is_ready=lambda: ready) as url, httpx2.AsyncClient() as http:
        base = url.removesuffix("/mcp")
        live = await http.get(f"{base}/health/live")
        before = await http.get(f"{base}/health/ready")
        ready = True
        after = await http.get(f"{base}/health/ready")

    assert (live.status_code, live.json()) == (200, {"status": "live"})
    assert (before.status_code, before.json()) == (503, {"status": "starting"})
    assert (after.status_code, after.json()) == (200, {"status": "ready"})


async def test_the_path_is_configurable() -> None:
    async with served(replace(OPEN, path="/tools/mcp")) as url:
        assert url.endswith("/tools/mcp")
        assert await ask_who(url, mode="auto") == "local/local/None"


async def test_it_is_always_ready_where_nothing_else_is_said() -> None:
    async with served(OPEN) as url, httpx2.AsyncClient() as http:
        answer = await http.get(f"{url.removesuffix('/mcp')}/health/ready")

    assert answer.status_code == 200


async def test_it_does_not_start_for_others_without_keys() -> None:
    with pytest.raises(ConfigError, match="there is no key"):
        await serve_http(Desk().server(), HttpOptions(host="0.0.0.0", port=0))


async def test_a_taken_address_is_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on '127.0.0.1', port {port}"):
            await serve_http(Desk().server(), HttpOptions(port=port))


async def test_a_name_that_is_no_address_is_named() -> None:
    options = HttpOptions(host="256.256.256.256", port=0, keys=LOCKED.keys)
    with pytest.raises(ConfigError, match=r"cannot listen on '256\.256\.256\.256'"):
        await serve_http(Desk().server(), options)


async def test_stopping_does_not_wait_for_streams_that_only_wait_for_news() -> None:
    async with served(OPEN) as url, httpx2.AsyncClient(headers=ACCEPT, timeout=20) as http:
        hello = await http.post(url, json=HELLO)
        session = {"mcp-session-id": hello.headers["mcp-session-id"]}
        initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        await http.post(url, json=initialized, headers=session)
        async with http.stream("GET", url, headers=session) as news:
            assert news.status_code == 200
            os.kill(os.getpid(), signal.SIGTERM)
            # The stream ends as a whole, not by a broken connection.
            assert [line async for line in news.aiter_lines() if line.startswith("data:")] == []


@pytest.mark.process
async def test_sigterm_ends_the_process_in_order() -> None:
    command = [sys.executable, "-m", "tests.gateway.fake_toolbox", "http"]
    with anyio.fail_after(50):
        async with await anyio.open_process(command, cwd=ROOT) as process:
            said = BufferedByteReceiveStream(process.stdout)
            url = (await said.receive_until(b"\n", 200)).decode()
            async with connected(url, mode="legacy") as client:
                assert len((await client.list_tools()).tools) == 2
                process.send_signal(signal.SIGTERM)
                status = await process.wait()
            last = b"".join([chunk async for chunk in process.stderr])

    assert status == 0
    assert last.endswith(b"served\n")
