"""A live server over streamable HTTP on loopback, and endpoints that refuse."""

import json
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import Process, SocketStream
from tests.sources.support import (
    AT_ONCE,
    NEVER,
    PATIENT_S,
    SERVERS,
    WaitingListener,
    use,
)

from toolweft.core.calls import Blob
from toolweft.core.clock import SystemClock
from toolweft.core.errors import ResultTooLarge, SourceUnavailable
from toolweft.core.ids import SourceName
from toolweft.core.secret import Secret
from toolweft.sources import HttpServerOptions, HttpSource, SourceGroup
from toolweft.sources.mcp.backoff import Patience

pytestmark = pytest.mark.network


def build(listener: WaitingListener, url: str, **options: Any) -> HttpSource:
    return HttpSource(
        HttpServerOptions(name=SourceName("web"), url=url, **options),
        listener=listener,
        clock=SystemClock(),
        patience=Patience(start_timeout_s=PATIENT_S, again=AT_ONCE, never_ready=NEVER),
    )


@asynccontextmanager
async def real_server(port: int = 0) -> AsyncIterator[tuple[Process, int]]:
    """The SDK's own server in a child process, and its port."""
    command = [sys.executable, str(SERVERS / "modern.py"), "http", str(port)]
    async with await anyio.open_process(command) as process:
        assert process.stdout is not None
        line = b""
        with anyio.fail_after(PATIENT_S):
            while not line.endswith(b"\n"):
                line += await process.stdout.receive()
        try:
            yield process, int(line)
        finally:
            if process.returncode is None:
                process.kill()


Respond = Callable[[dict[str, Any]], tuple[str, str, bytes]]


@asynccontextmanager
async def answering(respond: Respond) -> AsyncIterator[str]:
    """An HTTP endpoint whose POSTs are answered by a function of the message."""

    async def serve(stream: SocketStream) -> None:
        async with stream:
            data = b""
            while b"\r\n\r\n" not in data:
                data += await stream.receive()
            head, body = data.split(b"\r\n\r\n", 1)
            lengths = [
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ]
            while len(body) < sum(lengths):
                body += await stream.receive()
            status, kind, text = respond(json.loads(body) if body else {})
            answer = f"HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nconnection: close\r\n\r\n"
            await stream.send(answer.encode() + text)

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as tcp,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(tcp.serve, serve)
        port = tcp.extra(anyio.abc.SocketAttribute.local_port)
        yield f"http://127.0.0.1:{port}/mcp"
        tasks.cancel_scope.cancel()


async def find_failure(listener: WaitingListener, source: HttpSource) -> str:
    async with SourceGroup([source], listener=listener):
        return (await listener.wait_for("web", "failed")).reason


async def test_a_real_server_is_listed_and_called(listener: WaitingListener) -> None:
    async with real_server() as (_, port):
        key = Secret("Bearer abc", reference="env:KEY")
        source = build(
            listener, f"http://127.0.0.1:{port}/mcp", headers={"authorization": key, "x-team": "a"}
        )
        async with SourceGroup([source], listener=listener):
            status = await listener.wait_for("web", "ready")
            assert (status.kind, status.protocol_version) == ("mcp http", "2026-07-28")
            echoed = await use(source, "echo", none=None, big=2**60)
            assert echoed.structured == {"none": None, "big": 2**60}
            sent = (await use(source, "headers")).structured
            assert (sent["authorization"], sent["x-team"]) == ("Bearer abc", "a")
            picture = await use(source, "picture")
            assert picture.content == (Blob(data=b"hello", media_type="image/png"),)
            with anyio.move_on_after(0.05) as scope:
                await use(source, "hang")
            assert scope.cancelled_caught
            assert (await use(source, "echo", a=1)).structured == {"a": 1}


async def test_a_lost_server_fails_calls_with_its_address_and_comes_back(
    listener: WaitingListener,
) -> None:
    async with real_server() as (process, port):
        source = build(listener, f"http://127.0.0.1:{port}/mcp")
        async with SourceGroup([source], listener=listener):
            await listener.wait_for("web", "ready")
            process.kill()
            await process.wait()
            with pytest.raises(SourceUnavailable, match=f"http://127.0.0.1:{port}/mcp"):
                await use(source, "echo")
            async with real_server(port):
                while True:
                    try:
                        result = await use(source, "echo", a=2)
                        break
                    except SourceUnavailable:
                        await listener.wait_for("web", "ready")
                        await anyio.lowlevel.checkpoint()
                assert result.structured == {"a": 2}


async def test_a_refused_connection_names_the_address_without_its_keys(
    listener: WaitingListener,
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        url = f"http://user:password@127.0.0.1:{port}/mcp?key=s3cr3t"
        reason = await find_failure(listener, build(listener, url))
    assert f"cannot connect to http://127.0.0.1:{port}/mcp: " in reason
    assert "password" not in reason
    assert "s3cr3t" not in reason


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ("401 Unauthorized", "answered HTTP 401 Unauthorized; check the server's headers"),
        ("500 Internal Server Error", "answered HTTP 500 Internal Server Error"),
        ("404 Not Found", "answered HTTP 404 Not Found"),
    ],
)
async def test_an_error_status_is_named(listener: WaitingListener, status: str, said: str) -> None:
    async with answering(lambda _: (status, "application/json", b'{"error": "x"}')) as url:
        assert said in await find_failure(listener, build(listener, url))


async def test_an_address_that_is_no_http_address_is_refused(listener: WaitingListener) -> None:
    reason = await find_failure(listener, build(listener, "ftp://example.test/mcp"))
    assert "its url is not an http:// or https:// address" in reason


async def test_a_web_page_is_no_server(listener: WaitingListener) -> None:
    async with answering(lambda _: ("200 OK", "text/html", b"<p>hello</p>")) as url:
        assert "text/html" in await find_failure(listener, build(listener, url))


def respond_plainly(message: dict[str, Any]) -> tuple[str, str, bytes]:
    """A server of the handshake era, with answers of many kinds."""
    match message.get("method"):
        case "initialize":
            result: Any = {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "s", "version": "1"},
            }
        case "tools/list":
            result = {"tools": [{"name": "t", "inputSchema": {"type": "object"}}]}
        case "tools/call" if message["params"]["arguments"].get("size"):
            size = message["params"]["arguments"]["size"]
            result = {"content": [{"type": "text", "text": "x" * size}]}
        case "tools/call":
            return message["params"]["arguments"]["status"], "text/plain", b"no"
        case "server/discover":
            error = {"code": -32601, "message": "no such method"}
            body = {"jsonrpc": "2.0", "id": message["id"], "error": error}
            return "400 Bad Request", "application/json", json.dumps(body).encode()
        case _:
            return "202 Accepted", "text/plain", b""
    body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
    return "200 OK", "application/json", json.dumps(body).encode()


async def test_an_error_status_fails_its_own_call_only(listener: WaitingListener) -> None:
    async with answering(respond_plainly) as url:
        source = build(listener, url, max_message_bytes=10_000)
        async with SourceGroup([source], listener=listener):
            assert (await listener.wait_for("web", "ready")).protocol_version == "2025-11-25"
            with pytest.raises(SourceUnavailable, match=r"'web' did not answer 't': .* HTTP 503"):
                await use(source, "t", status="503 Service Unavailable")
            with pytest.raises(ResultTooLarge, match="above the cap of 10,000"):
                await use(source, "t", size=20_000)
            (content,) = (await use(source, "t", size=9_000)).content
            assert len(content.text) == 9_000


async def test_a_session_that_the_server_forgot_is_opened_again(
    listener: WaitingListener,
) -> None:
    sessions = 0

    def respond(message: dict[str, Any]) -> tuple[str, str, bytes]:
        nonlocal sessions
        status, kind, body = respond_plainly(message)
        if message.get("method") == "initialize":
            sessions += 1
            status += f"\r\nmcp-session-id: s{sessions}"
        if message.get("method") == "tools/call" and sessions == 1:
            return "404 Not Found", "text/plain", b"no such session"
        return status, kind, body

    async with answering(respond) as url:
        source = build(listener, url)
        async with SourceGroup([source], listener=listener):
            await listener.wait_for("web", "ready")
            with pytest.raises(SourceUnavailable, match=f"{url} ended the session"):
                await use(source, "t", size=1)
            await listener.wait_for("web", "failed")
            await listener.wait_for("web", "ready")
            (content,) = (await use(source, "t", size=1)).content
            assert content.text == "x"


async def test_a_call_that_lacks_headers_is_made_again_after_a_listing(
    listener: WaitingListener,
) -> None:
    seen: list[str] = []

    def respond(message: dict[str, Any]) -> tuple[str, str, bytes]:
        method = message.get("method", "")
        is_first = method == "tools/call" and method not in seen
        seen.append(method)
        if not is_first:
            return respond_plainly(message)
        error = {"code": -32020, "message": "header mismatch"}
        body = {"jsonrpc": "2.0", "id": message["id"], "error": error}
        return "400 Bad Request", "application/json", json.dumps(body).encode()

    async with answering(respond) as url:
        source = build(listener, url)
        async with SourceGroup([source], listener=listener):
            await listener.wait_for("web", "ready")
            assert not (await use(source, "t", size=1)).is_error
    calls = [method for method in seen if method.startswith("tools/")]
    assert calls == ["tools/list", "tools/call", "tools/list", "tools/call"]


async def test_an_answer_that_is_no_result_is_a_failed_result(listener: WaitingListener) -> None:
    def respond(message: dict[str, Any]) -> tuple[str, str, bytes]:
        if message.get("method") != "tools/call":
            return respond_plainly(message)
        body = {"jsonrpc": "2.0", "id": message["id"], "result": {"content": 7}}
        return "200 OK", "application/json", json.dumps(body).encode()

    async with answering(respond) as url:
        source = build(listener, url)
        async with SourceGroup([source], listener=listener):
            await listener.wait_for("web", "ready")
            result = await use(source, "t")
    assert result.is_error
    assert "does not fit the protocol" in result.content[0].text


async def test_no_planted_secret_is_shown(listener: WaitingListener) -> None:
    source = build(
        listener,
        "http://me:planted-password@127.0.0.1:1/planted-path/mcp?key=planted-query",
        secrets=(Secret("planted-path", reference="env:PATH_KEY"),),
        headers={"authorization": Secret("Bearer planted-header", reference="env:KEY")},
    )
    reason = await find_failure(listener, source)
    assert "planted" not in reason
    assert "http://127.0.0.1:1" in reason


@pytest.mark.parametrize(
    "value", ["planted\n", "planted ", "pl\x00anted", "plänted", "planted\r\nx: y"]
)
async def test_a_value_that_no_header_can_hold_is_told_by_its_name(
    value: str, listener: WaitingListener
) -> None:
    source = build(
        listener,
        "http://127.0.0.1:1/mcp",
        headers={"x-key": Secret(value, reference="env:KEY")},
    )
    reason = await find_failure(listener, source)
    assert "its header 'x-key' holds what no header can" in reason
    assert "planted" not in reason


async def test_an_answer_that_breaks_off_fails_its_own_call_only(listener: WaitingListener) -> None:
    def respond(message: dict[str, Any]) -> tuple[str, str, bytes]:
        match message.get("method"):
            case "initialize":
                result: dict[str, Any] = {
                    "protocolVersion": "2025-11-25",
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": "web", "version": "1"},
                }
            case "tools/list":
                result = {"tools": [{"name": "cut", "inputSchema": {"type": "object"}}]}
            case "tools/call":
                # More is promised than comes.
                kind = "application/json\r\ncontent-length: 1000"
                return "200 OK", kind, b'{"jsonrpc"'
            case _:
                error = {"code": -32601, "message": "no such method"}
                body = {"jsonrpc": "2.0", "id": message.get("id", 0), "error": error}
                return "200 OK", "application/json", json.dumps(body).encode()
        body = {"jsonrpc": "2.0", "id": message["id"], "result": result}
        return "200 OK", "application/json", json.dumps(body).encode()

    async with answering(respond) as url:
        source = build(listener, url)
        async with SourceGroup([source], listener=listener):
            await listener.wait_for("web", "ready")
            for _ in range(2):
                with pytest.raises(SourceUnavailable, match="broke off: RemoteProtocolError"):
                    await use(source, "cut")
            assert listener.latest("web").state == "ready"
