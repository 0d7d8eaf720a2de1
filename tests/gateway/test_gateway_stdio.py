"""The server over real pipes, as a child process and in this one."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

import anyio
import anyio.to_thread
import mcp
import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from tests.gateway.fake_toolbox import Desk

from toolweft.gateway.options import MAX_MESSAGE_BYTES
from toolweft.gateway.stdio import serve_descriptors, serve_stdio

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "tests.gateway.fake_toolbox"]

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'


def child() -> StdioServerParameters:
    return StdioServerParameters(
        command=COMMAND[0], args=COMMAND[1:], cwd=ROOT, env=dict(os.environ)
    )


@contextmanager
def started() -> Iterator[subprocess.Popen[bytes]]:
    pipe = subprocess.PIPE
    with subprocess.Popen(COMMAND, cwd=ROOT, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.process
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_the_official_client_lists_and_calls(mode) -> None:
    with anyio.fail_after(30):
        async with mcp.Client(stdio_client(child()), mode=mode) as client:
            names = [tool.name for tool in (await client.list_tools()).tools]
            small = await client.call_tool("echo", {"text": "small"})
            large = await client.call_tool("echo", {"text": "x" * 300_000})

    assert names == ["search_tools", "run_code"]
    assert small.content[0].text == "small"
    assert len(large.content[0].text) == 300_000


@pytest.mark.process
async def test_an_answer_that_no_text_can_hold_ends_nothing() -> None:
    with anyio.fail_after(30):
        async with mcp.Client(stdio_client(child())) as client:
            half = await client.call_tool("half", {})
            small = await client.call_tool("echo", {"text": "small"})

    assert half.content[0].text == "half ? of a character"
    assert small.content[0].text == "small"


@pytest.mark.process
def test_what_tools_print_never_reaches_the_wire() -> None:
    call = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "stray", "arguments": {}},
    }
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "t", "version": "0"},
        },
    }
    with started() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(json.dumps(hello).encode() + b"\n")
        process.stdin.flush()
        answers = [process.stdout.readline()]
        process.stdin.write(json.dumps(call).encode() + b"\n")
        process.stdin.flush()
        answers.append(process.stdout.readline())
        process.stdin.close()
        rest = process.stdout.read()
        said = process.stderr.read()
        assert process.wait(timeout=20) == 0

    assert [json.loads(answer)["id"] for answer in answers] == [1, 2]
    assert rest == b""
    assert b"stray" in said


@pytest.mark.process
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_while_it_waits_for_the_client(number: signal.Signals) -> None:
    with started() as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(PING)
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(number)

        assert process.wait(timeout=20) == 0
        assert b"served" in process.stderr.read()


class Wire:
    """A server in this process, at the far ends of two pipes."""

    def __init__(self, stack: ExitStack) -> None:
        self.server_reads, self.to_server = os.pipe()
        from_server, self.server_writes = os.pipe()
        self.answers = stack.enter_context(os.fdopen(from_server, "rb"))

    async def answer(self) -> dict:
        return json.loads(await anyio.to_thread.run_sync(self.answers.readline))


@pytest.fixture
def wire() -> Iterator[Wire]:
    with ExitStack() as stack:
        yield Wire(stack)


def write_all(stream: BinaryIO, data: bytes) -> None:
    while data:
        data = data[stream.write(data) :]


async def serve(wire: Wire, desk: Desk | None = None, **more: float) -> None:
    server = (desk or Desk()).server()
    try:
        await serve_descriptors(
            server, read_fd=wire.server_reads, write_fd=wire.server_writes, **more
        )
    finally:
        os.close(wire.server_reads)
        os.close(wire.server_writes)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"this is not JSON\n", "a line is not a JSON-RPC message"),
        (b'{"jsonrpc":"1.0"}\n', "a line is not a JSON-RPC message"),
        (b"\xff\xfe\n", "a line is not a JSON-RPC message"),
        (b"x" * (MAX_MESSAGE_BYTES + 1) + b"\n", f"a message is above {MAX_MESSAGE_BYTES} bytes"),
    ],
)
async def test_a_line_that_cannot_be_read_is_answered_and_the_next_one_too(
    wire: Wire, line: bytes, reason: str
) -> None:
    with os.fdopen(wire.to_server, "wb", buffering=0) as stream, anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, wire)
            await anyio.to_thread.run_sync(write_all, stream, b"\n" + line + PING)
            refusal = await wire.answer()
            pong = await wire.answer()
            stream.close()

    assert refusal == {"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": reason}}
    assert pong == {"jsonrpc": "2.0", "id": 1, "result": {}}


@pytest.mark.parametrize(
    ("start", "request_id"), [(b'"id":7,"method":"ping"', 7), (b'"id":true,"method":"ping"', None)]
)
async def test_a_request_that_cannot_be_taken_is_answered_under_its_own_id(
    wire: Wire, start: bytes, request_id: int | None
) -> None:
    line = b'{"jsonrpc":"2.0",' + start + b',"params":{"x":"\\ud800"}}\n'
    with os.fdopen(wire.to_server, "wb", buffering=0) as stream, anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve, wire)
            await anyio.to_thread.run_sync(write_all, stream, line)
            refusal = await wire.answer()
            stream.close()

    assert (refusal["id"], refusal["error"]["code"]) == (request_id, -32700)


async def test_it_ends_when_the_client_closes_its_end(wire: Wire) -> None:
    os.close(wire.to_server)

    with anyio.fail_after(5):
        await serve(wire)


async def test_it_ends_when_the_client_no_longer_reads(wire: Wire) -> None:
    wire.answers.close()
    os.write(wire.to_server, PING)
    try:
        with anyio.fail_after(5):
            await serve(wire)
    finally:
        os.close(wire.to_server)


async def test_it_reads_requests_from_a_file(wire: Wire, tmp_path: Path) -> None:
    requests = tmp_path / "requests"
    requests.write_bytes(PING)
    answers = tmp_path / "answers"
    with requests.open("rb") as source, answers.open("wb") as sink, anyio.fail_after(5):
        await serve_descriptors(Desk().server(), read_fd=source.fileno(), write_fd=sink.fileno())
    for descriptor in (wire.server_reads, wire.to_server, wire.server_writes):
        os.close(descriptor)

    assert answers.read_bytes() == b'{"jsonrpc":"2.0","id":1,"result":{}}\n'


async def test_what_was_asked_before_the_end_is_answered(wire: Wire) -> None:
    os.write(wire.to_server, PING)
    os.close(wire.to_server)

    with anyio.fail_after(5):
        await serve(wire)
        answer = await wire.answer()

    assert answer == {"jsonrpc": "2.0", "id": 1, "result": {}}


@pytest.mark.parametrize(
    "how",
    [
        "cancelled",
        pytest.param(
            "gone",
            marks=pytest.mark.skipif(
                not hasattr(select, "poll"), reason="this system does not tell that nobody reads"
            ),
        ),
    ],
)
async def test_what_nobody_waits_for_does_not_delay_the_end(wire: Wire, how: str) -> None:
    desk = Desk()
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "t", "version": "0"},
    }
    requests = [
        {"id": 1, "method": "initialize", "params": hello},
        {"id": 2, "method": "tools/call", "params": {"name": "hang"}},
    ]

    async def close() -> None:
        await desk.started.wait()
        if how == "cancelled":
            write({"method": "notifications/cancelled", "params": {"requestId": 2}})
        else:
            wire.answers.close()
        os.close(wire.to_server)

    def write(message: dict) -> None:
        os.write(wire.to_server, json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    for request in requests:
        write(request)
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(close)
            await serve(wire, desk, last_answers_s=1000)
    await desk.cancelled.wait()


async def test_the_standard_descriptors_are_given_back(capfd: pytest.CaptureFixture[str]) -> None:
    before = (os.fstat(0), os.fstat(1))

    with anyio.fail_after(5):
        # The null device, which pytest puts there, ends at once.
        await serve_stdio(Desk().server())

    assert [(s.st_dev, s.st_ino) for s in (os.fstat(0), os.fstat(1))] == [
        (s.st_dev, s.st_ino) for s in before
    ]
