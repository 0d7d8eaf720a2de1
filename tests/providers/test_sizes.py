"""What a server sends is held against the caps while it comes, and a long answer stops nobody."""

import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
import pytest
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from tests.providers.test_clients import FORMS, HELLO, KEY, Form

from toolweft.core.errors import ProviderError
from toolweft.core.messages import ModelRequest, ReplyDone
from toolweft.core.providers import Provider
from toolweft.providers.openai_wire.connection import OpenAIConnection, OpenAIConnectionOptions
from toolweft.testing import FakeClock

pytestmark = pytest.mark.network

MIB = 1024**2
BLANKS = b" " * MIB
SENT_MIB = 100
# The cap, and what stands beside it while pieces are joined or copied.
MAX_HELD_MIB = 80
PLAIN = "content-type: application/json"
EVENTS = "content-type: text/event-stream"


@pytest.fixture(params=sorted(FORMS))
def form(request: pytest.FixtureRequest) -> Form:
    return FORMS[request.param]


@asynccontextmanager
async def talk(
    form: Form, clock: FakeClock, *, headers: str, body: list[bytes], status: str = "200 ok"
) -> AsyncIterator[tuple[Provider, list[int]]]:
    """A client, and how many bytes the server could send on each request."""
    sent: list[int] = []

    async def serve(stream: SocketStream) -> None:
        async with stream:
            request = BufferedByteReceiveStream(stream)
            await request.receive_until(b"\r\n\r\n", 65536)
            sent.append(0)
            head = f"HTTP/1.1 {status}\r\n{headers}\r\nconnection: close\r\n\r\n"
            try:
                await stream.send(head.encode())
                for piece in body:
                    await stream.send(piece)
                    sent[-1] += len(piece)
                await stream.send_eof()
                # The request's body is left unread; closing at once would void what was sent.
                while True:
                    await request.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener:
        port = listener.listeners[0].extra(anyio.abc.SocketAttribute.local_port)
        chosen = {"model": form.model, "base_url": f"http://127.0.0.1:{port}", "key": KEY}
        provider = form.client(
            form.options(**{**chosen, **form.more}),
            environment={},
            clock=clock,
            random=lambda: 0.0,
        )
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, serve)
            async with provider:
                with anyio.fail_after(120):
                    yield provider, sent
            tasks.cancel_scope.cancel()


async def read_stream(provider: Provider, request: ModelRequest) -> None:
    async for _ in provider.stream(request):
        pass


async def complete(provider: Provider, request: ModelRequest) -> None:
    await provider.complete(request)


async def measure_mib(provider: Provider, *, streams: bool = False) -> tuple[ProviderError, float]:
    """What a request fails with, and how much it held at most."""
    tracemalloc.start()
    try:
        ask = read_stream if streams else complete
        with pytest.raises(ProviderError) as caught:
            await ask(provider, HELLO)
        return caught.value, tracemalloc.get_traced_memory()[1] / MIB
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("streams", [False, True])
async def test_an_answer_above_the_cap_is_left_there(
    form: Form, clock: FakeClock, streams: bool
) -> None:
    headers, body = (EVENTS, [b"data: "]) if streams else (PLAIN, [])
    body += [BLANKS] * SENT_MIB
    async with talk(form, clock, headers=headers, body=body) as (provider, sent):
        error, held_mib = await measure_mib(provider, streams=streams)

    assert "above the cap" in error.message
    assert len(sent) == 1
    assert sent[0] < (SENT_MIB - 1) * MIB
    # What splits a stream into events keeps it twice: as bytes in a buffer that grows.
    assert held_mib < MAX_HELD_MIB * (2 if streams else 1)


async def test_an_answer_that_grows_when_it_is_unpacked_is_left_at_the_cap(
    form: Form, clock: FakeClock
) -> None:
    packed = gzip.compress(BLANKS * SENT_MIB, compresslevel=1)
    headers = f"{PLAIN}\r\ncontent-encoding: gzip"
    async with talk(form, clock, headers=headers, body=[packed]) as (provider, _):
        error, held_mib = await measure_mib(provider)

    assert "above the cap" in error.message
    assert error.has_begun
    assert held_mib < MAX_HELD_MIB


async def test_of_a_failure_only_the_first_lines_are_read(form: Form, clock: FakeClock) -> None:
    body = [BLANKS] * SENT_MIB
    status = "404 no"
    async with talk(form, clock, headers=PLAIN, body=body, status=status) as (provider, _):
        error, held_mib = await measure_mib(provider)

    assert error.status == 404
    assert held_mib < MAX_HELD_MIB / 4


async def test_a_long_stream_of_short_events_is_read_to_its_end(clock: FakeClock) -> None:
    def render(**choice: object) -> bytes:
        chunk = {"choices": [{"index": 0, **choice}], "padding": "y" * MIB}
        return f"data: {json.dumps(chunk)}\n\n".encode()

    body = [render(delta={"content": "a"})] * SENT_MIB
    body += [render(delta={}, finish_reason="stop"), b"data: [DONE]\n\n"]
    form = FORMS["openai_chat"]
    async with talk(form, clock, headers=EVENTS, body=body) as (provider, _):
        events = [event async for event in provider.stream(HELLO)]

    done = events[-1]
    assert isinstance(done, ReplyDone)
    assert done.reply.message.text == "a" * SENT_MIB


async def test_others_run_while_a_long_answer_is_parsed(clock: FakeClock) -> None:
    """Counted, not timed: a parser in one go, in a thread too, gives them less than 6 turns."""
    data = json.dumps({"choices": [], "padding": [{"a": n} for n in range(1_200_000)]}).encode()
    assert len(data) > 12 * MIB
    turns = 0
    is_over = False

    async def count_turns() -> None:
        nonlocal turns
        while not is_over:
            turns += 1
            await anyio.sleep(0.001)

    options = OpenAIConnectionOptions(name="openai_chat:m", base_url="http://127.0.0.1:9")
    connection = OpenAIConnection(options, clock=clock)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count_turns)
        with anyio.fail_after(60):
            answer = await connection.parse_answer(data)
        is_over = True

    assert answer == json.loads(data)
    assert turns > 15
