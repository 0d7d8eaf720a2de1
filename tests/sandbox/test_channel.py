"""The host's end of a guest's channel, against a socket the test holds."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from toolweft.sandbox.channel import Channel
from toolweft.sandbox.guest.wire import Frame, FrameDecoder, FrameKind
from toolweft.sandbox.session import SessionStart

MIB = 1024 * 1024
ANY = dict.fromkeys(FrameKind, (1 << 20, 1 << 26))


@asynccontextmanager
async def open_channel() -> AsyncIterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.setblocking(False)
    channel = Channel(SessionStart())
    with theirs:
        await asyncio.get_running_loop().create_connection(lambda: channel, sock=ours)
        yield channel, theirs
        channel.close()
        # The transport closes its socket in the next turn of the loop.
        await asyncio.sleep(0)


async def read_frames(theirs: socket.socket, count: int) -> list[Frame]:
    decoder, frames = FrameDecoder(ANY), list[Frame]()
    with anyio.fail_after(20):
        while len(frames) < count:
            data = await asyncio.get_running_loop().sock_recv(theirs, 65536)
            assert data, "the channel was closed"
            frames += decoder.feed(data)
    return frames


@settings(max_examples=20, deadline=None)
@given(
    st.lists(
        st.sampled_from([0, 1, 1000, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, MIB, 3 * MIB]),
        max_size=6,
    )
)
def test_bodies_of_any_size_arrive_whole_and_in_order(sizes):
    bodies = [bytes([65 + index]) * size for index, size in enumerate(sizes)]

    async def exchange() -> None:
        async with open_channel() as (channel, theirs):
            for index, body in enumerate(bodies):
                channel.send(FrameKind.REPLY, number=index, head={"n": index}, body=body)
            frames = await read_frames(theirs, len(bodies))
            assert [(frame.number, frame.body) for frame in frames] == list(enumerate(bodies))
            with anyio.fail_after(5):
                await channel.writable()

    anyio.run(exchange)


async def test_a_small_frame_does_not_overtake_a_large_one_that_waits():
    async with open_channel() as (channel, theirs):
        channel.send(FrameKind.REPLY, number=1, body=b"x" * 8 * MIB)
        channel.send(FrameKind.REPLY, number=2, body=b"1")
        assert [frame.number for frame in await read_frames(theirs, 2)] == [1, 2]


async def test_it_is_writable_again_only_after_the_guest_took_most():
    async with open_channel() as (channel, theirs):
        channel.send(FrameKind.REPLY, number=1, body=b"x" * 8 * MIB)
        with anyio.move_on_after(0) as gave_up:
            await channel.writable()
        assert gave_up.cancelled_caught
        await read_frames(theirs, 1)
        with anyio.fail_after(5):
            await channel.writable()


async def test_send_tells_the_size_of_the_whole_frame():
    async with open_channel() as (channel, _theirs):
        small = channel.send(FrameKind.REPLY, number=1, body=b"x" * 10)
        large = channel.send(FrameKind.REPLY, number=1, body=b"x" * MIB)
        assert large - small == MIB - 10


async def test_closing_lets_go_of_what_waits_and_of_who_waits():
    async with open_channel() as (channel, theirs):
        channel.send(FrameKind.REPLY, number=1, body=b"x" * 8 * MIB)
        channel.close()
        with anyio.fail_after(5):
            await channel.writable()
        assert channel.send(FrameKind.REPLY, number=2, body=b"1") == 0
        received = 0
        with anyio.fail_after(5):
            while data := await asyncio.get_running_loop().sock_recv(theirs, MIB):
                received += len(data)
        assert received < 8 * MIB
