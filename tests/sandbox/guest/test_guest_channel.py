"""The guest's end of the channel, against a socket the test holds."""

import asyncio
import json
import socket
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.sandbox.guest.channel import Channel, check_size, decode_reply, encode_arguments
from toolweft.sandbox.guest.names import Blob, ToolError
from toolweft.sandbox.guest.wire import Frame, FrameDecoder, FrameKind, encode_frame

ANY = dict.fromkeys(FrameKind, (1 << 20, 1 << 26))

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


class Peer:
    """The host's side, as bare frames."""

    def __init__(self) -> None:
        self.socket, theirs = socket.socketpair()
        self.socket.setblocking(False)
        self.channel = Channel(
            asyncio.get_running_loop(), read_fd=theirs.fileno(), write_fd=theirs.fileno()
        )
        self.theirs = theirs
        self._decoder = FrameDecoder(ANY)
        self._frames: list[Frame] = []

    async def frame(self) -> Frame:
        loop = asyncio.get_running_loop()
        while not self._frames:
            self._frames += self._decoder.feed(await loop.sock_recv(self.socket, 65536))
        return self._frames.pop(0)

    async def send(self, kind, **fields) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, encode_frame(kind, **fields))

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.theirs.fileno())
        asyncio.get_running_loop().remove_writer(self.theirs.fileno())
        self.socket.close()
        self.theirs.close()


@pytest.fixture
async def peer():
    peer = Peer()
    peer.channel.open_run(max_argument_bytes=1 << 20)
    yield peer
    peer.close()


async def test_a_call_carries_name_line_and_arguments_and_gets_its_answer(peer):
    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(peer.channel.call("t.f", {"x": "é"}, 3))
        frame = await peer.frame()
        assert (frame.kind, frame.number) == (FrameKind.CALL, 1)
        assert frame.head == {"name": "t.f", "line": 3}
        assert json.loads(frame.body) == {"x": "é"}
        await peer.send(FrameKind.REPLY, number=1, body=b'{"y":2}')
    assert call.result() == {"y": 2}


async def test_answers_find_their_calls_in_any_order(peer):
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(peer.channel.call("t.f", {"i": i}, None)) for i in range(3)]
        numbers = [(await peer.frame()).number for _ in calls]
        for number in reversed(numbers):
            await peer.send(FrameKind.REPLY, number=number, body=b"%d" % number)
    assert [call.result() for call in calls] == numbers == [1, 2, 3]


async def test_a_failure_is_raised_as_a_tool_error(peer):
    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(_expect_error(peer.channel.call("t.f", {}, None)))
        await peer.frame()
        failure = {"code": "denied", "message": "no", "hint": "ask"}
        await peer.send(FrameKind.REPLY, number=1, head={"failure": failure})
    error = call.result()
    assert (error.code, error.message, error.hint, error.tool) == ("denied", "no", "ask", "t.f")


async def _expect_error(call):
    with pytest.raises(ToolError) as caught:
        await call
    return caught.value


async def test_a_call_nobody_waits_for_any_more_is_cancelled_at_the_host(peer):
    task = asyncio.ensure_future(peer.channel.call("t.f", {}, None))
    await peer.frame()
    task.cancel()
    frame = await peer.frame()
    assert (frame.kind, frame.number) == (FrameKind.CANCEL, 1)
    with pytest.raises(asyncio.CancelledError):
        await task
    # An answer that crossed the cancellation is dropped.
    await peer.send(FrameKind.REPLY, number=1, body=b"1")
    await peer.send(FrameKind.RUN, body=b"next")
    assert (await peer.channel.next_program()).body == b"next"


async def test_after_the_end_of_a_run_calls_are_refused(peer):
    peer.channel.close_run()
    with pytest.raises(ToolError, match="after the end of the run"):
        await peer.channel.call("t.f", {}, None)


async def test_a_call_from_a_thread_is_refused(peer):
    errors = []

    def run():
        try:
            asyncio.run(peer.channel.call("t.f", {}, None))
        except ToolError as error:
            errors.append(error.code)

    thread = threading.Thread(target=run)
    thread.start()
    await asyncio.get_running_loop().run_in_executor(None, thread.join)
    assert errors == ["wrong_thread"]


async def test_more_than_the_socket_holds_leaves_in_order(peer):
    bodies = [bytes([i]) * 300_000 for i in range(4)]
    for body in bodies:
        peer.channel.send(FrameKind.OUTPUT, body=body)
    assert not peer.channel.is_drained
    assert [(await peer.frame()).body for _ in bodies] == bodies
    await asyncio.sleep(0)
    assert peer.channel.is_drained


async def test_a_large_answer_arrives_in_pieces(peer):
    async with asyncio.TaskGroup() as tasks:
        call = tasks.create_task(peer.channel.call("t.f", {}, None))
        await peer.frame()
        await peer.send(FrameKind.REPLY, number=1, body=json.dumps("x" * 3_000_000).encode())
    assert len(call.result()) == 3_000_000


async def test_an_unreadable_answer_fails_its_call_only(peer):
    task = asyncio.ensure_future(peer.channel.call("t.f", {}, None))
    await peer.frame()
    await peer.send(FrameKind.REPLY, number=1, body=b"{")
    with pytest.raises(ValueError, match="Expecting"):
        await task


async def test_when_memory_ends_in_the_reader_every_waiting_call_is_told(peer):
    class Full:
        def feed(self, data):
            raise MemoryError

    task = asyncio.ensure_future(peer.channel.call("t.f", {}, None))
    await peer.frame()
    peer.channel._decoder = Full()
    await peer.send(FrameKind.REPLY, number=1, body=b"1")
    with pytest.raises(MemoryError, match="no memory left"):
        await task
    assert peer.channel.is_broken
    with pytest.raises(ToolError):
        await peer.channel.call("t.f", {}, None)


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=3))
def test_arguments_arrive_as_they_were(arguments):
    try:
        body = encode_arguments("t.f", arguments, max_bytes=100_000)
    except ToolError:
        # Lone surrogates are not text.
        assert not _is_text(arguments)
    else:
        assert json.loads(body) == arguments


def _is_text(value) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


@pytest.mark.parametrize(
    "value",
    [
        float("nan"),
        {"a": [float("inf")]},
        3 + 4j,
        {(1, 2): "x"},
        {1: "x"},
        object(),
        (i for i in ()),
        "\ud800",
    ],
)
def test_what_is_not_json_is_refused_and_never_changed(value):
    with pytest.raises(ToolError) as caught:
        encode_arguments("echo", {"value": value}, max_bytes=1000)
    assert caught.value.code == "invalid_arguments"


@pytest.mark.parametrize(
    "value", ["x" * 2000, ["x"] * 1000, {"k" + str(i): i for i in range(500)}, "é" * 600, b"".join]
)
def test_arguments_above_the_cap_are_refused(value):
    with pytest.raises(ToolError) as caught:
        encode_arguments("echo", {"value": value}, max_bytes=1000)
    assert caught.value.code in ("argument_too_large", "invalid_arguments")


def test_a_value_that_unfolds_without_end_is_refused_at_once():
    value = ["lol"] * 10
    for _ in range(9):
        value = [value] * 10
    assert check_size({"value": value}, max_size=1 << 20) is None


def test_a_value_nested_without_end_is_refused():
    value = []
    value.append(value)
    with pytest.raises(ToolError, match="nested"):
        check_size(value, max_size=1 << 20)


def test_bytes_return_to_their_places():
    head = {"blobs": [[None, "image/png", 2]], "payload_bytes": 4}
    blob = decode_reply(Frame(FrameKind.REPLY, 1, head, b"null\x01\x02"))
    assert (blob, type(blob), blob.media_type) == (b"\x01\x02", Blob, "image/png")
    head = {"blobs": [[1, "a/b", 1], [2, "c/d", 2]], "payload_bytes": 15}
    value = decode_reply(Frame(FrameKind.REPLY, 1, head, b'["t",null,null]\x01\x02\x03'))
    assert value == ["t", b"\x01", b"\x02\x03"]
    assert value[2].media_type == "c/d"
