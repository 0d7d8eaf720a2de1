"""Requests over a socket of this machine that nobody waits for any more."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from toolweft.sandbox.container.unix_transport import UnixTransport

pytestmark = pytest.mark.network

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


class Server:
    """Takes requests, and answers when told to."""

    def __init__(self, path: Path) -> None:
        self.path = str(path / "engine.sock")
        self.asked = anyio.Event()
        self._writer: asyncio.StreamWriter | None = None
        self._writers: list[asyncio.StreamWriter] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self._writer = writer
        self._writers.append(writer)
        self.asked.set()

    def answer(self, data: bytes = ANSWER) -> None:
        assert self._writer is not None
        self._writer.write(data)

    def hang_up(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@pytest.fixture
async def server(tmp_path: Path) -> Any:
    made = Server(tmp_path)
    listening = await asyncio.start_unix_server(made.take, made.path)
    yield made
    listening.close()
    made.hang_up()
    await asyncio.sleep(0)


def open_client(server: Server, timeout_s: float = 10) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=UnixTransport(server.path), timeout=timeout_s)


async def test_an_answer_that_comes_with_the_end_of_the_wait_hurts_nobody(server: Server) -> None:
    loop = asyncio.get_running_loop()
    faults: list[Any] = []
    loop.set_exception_handler(lambda _loop, context: faults.append(context))
    here, there = socket.socketpair()
    with here, there, anyio.CancelScope() as scope:
        async with anyio.create_task_group() as tasks, open_client(server) as client:
            tasks.start_soon(client.get, "http://engine/wait")
            await server.asked.wait()
            # Both are seen by one look of the event loop, this one first.
            loop.add_reader(here, scope.cancel)
            there.send(b"x")
            server.answer()
            await anyio.sleep(10)
    loop.remove_reader(here)
    await anyio.sleep(0.05)
    assert scope.cancelled_caught
    assert faults == []


async def test_a_request_is_answered_and_its_connection_closed(server: Server) -> None:
    async with open_client(server) as client, anyio.create_task_group() as tasks:
        answers: list[httpx2.Response] = []

        async def ask() -> None:
            answers.append(await client.get("http://engine/version"))

        tasks.start_soon(ask)
        await server.asked.wait()
        server.answer()
    assert [answer.text for answer in answers] == ["ok"]


async def test_what_fails_is_an_error_of_the_library(server: Server, tmp_path: Path) -> None:
    nowhere = httpx2.AsyncClient(transport=UnixTransport(str(tmp_path / "none.sock")))
    async with nowhere:
        with pytest.raises(httpx2.ConnectError):
            await nowhere.get("http://engine/version")
    async with open_client(server, timeout_s=0.2) as client:
        with pytest.raises(httpx2.ReadTimeout):
            await client.get("http://engine/version")
        server.asked = anyio.Event()
        async with anyio.create_task_group() as tasks:

            async def ask() -> None:
                with pytest.raises(httpx2.RemoteProtocolError):
                    await client.get("http://engine/version", timeout=10)

            tasks.start_soon(ask)
            await server.asked.wait()
            server.hang_up()
