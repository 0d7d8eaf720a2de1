"""What tools ask over real wires: HTTP, stdio and a stdio front of an HTTP service."""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp
import pytest
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client
from mcp.shared.exceptions import MCPError
from tests.gateway.asking import Asking, Person, opened, server_of, text_of, use
from tests.gateway.test_gateway_asks import PROGRAM, answer_all, call_once
from tests.gateway.test_gateway_attach import forwarded
from tests.gateway.test_gateway_resuming import breakable

from toolweft.bootstrap import App
from toolweft.core.calls import Principal
from toolweft.gateway.http import serve_http
from toolweft.gateway.keys import hash_key
from toolweft.gateway.options import ApiKey, HttpOptions

pytestmark = [pytest.mark.process, pytest.mark.network]

ROOT = Path(__file__).resolve().parents[2]
BOTH = pytest.mark.parametrize("mode", ["auto", "legacy"])
EXPECTED = ["ann: one", "plain ann: one", "ann: two", "ann: three"]
OPEN = HttpOptions(port=0)
USERS = ("anna", "ben")
LOCKED = HttpOptions(
    port=0,
    keys=tuple(
        ApiKey(id=user, sha256=hash_key(f"{user}'s key"), tenant="acme", user=user)
        for user in USERS
    ),
)


@asynccontextmanager
async def served(folder: Path, asking: Asking, options: HttpOptions = OPEN) -> AsyncIterator[str]:
    """The address of the service."""
    addresses: list[str] = []
    listening = anyio.Event()

    def on_listening(url: str) -> None:
        addresses.append(url)
        listening.set()

    async def serve(app: App) -> None:
        await serve_http(server_of(app), options, on_listening=on_listening)

    with anyio.fail_after(50):
        async with opened(folder, asking) as app, anyio.create_task_group() as tasks:
            tasks.start_soon(serve, app)
            await listening.wait()
            yield addresses[0]
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def over_http(
    url: str, person: Person, *, mode: str, key: str | None = None
) -> AsyncIterator[mcp.Client]:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    async with (
        create_mcp_http_client(headers=headers) as http,
        person.client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        yield client


@BOTH
@pytest.mark.promise("front.program")
async def test_a_program_asks_over_http(mode: str, tmp_path: Path) -> None:
    person = Person()
    async with (
        served(tmp_path, Asking()) as url,
        over_http(url, person, mode=mode) as client,
    ):
        assert str(EXPECTED) in text_of(await client.call_tool("run_code", {"code": PROGRAM}))
        assert await use(client, "open", "look") == "accept"
        assert await use(client, "sample", "think") == "ann thinks"
        assert await use(client, "roots") == '["file:///ann"]'


@BOTH
@pytest.mark.promise("front.program")
async def test_a_program_asks_over_stdio(mode: str, tmp_path: Path) -> None:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tests.gateway.asking", str(tmp_path)],
        cwd=ROOT,
        env=dict(os.environ),
    )
    person = Person()
    with anyio.fail_after(50):
        async with person.client(stdio_client(command), mode=mode) as client:
            assert str(EXPECTED) in text_of(await client.call_tool("run_code", {"code": PROGRAM}))
            assert await use(client, "roots") == '["file:///ann"]'


@BOTH
@pytest.mark.promise("front.program")
async def test_a_program_asks_through_a_front(mode: str, tmp_path: Path) -> None:
    person = Person()
    async with (
        served(tmp_path, Asking()) as url,
        forwarded(url) as transport,
        person.client(transport, mode=mode) as client,
    ):
        assert str(EXPECTED) in text_of(await client.call_tool("run_code", {"code": PROGRAM}))
        assert await use(client, "sample", "think") == "ann thinks"


@BOTH
@pytest.mark.promise("front.cancel")
@pytest.mark.parametrize("way", ["http", "front"])
async def test_cancelling_over_a_wire_withdraws_the_prompt(
    way: str, mode: str, tmp_path: Path
) -> None:
    person, asking = Person(), Asking()
    person.may_answer = anyio.Event()
    async with (
        served(tmp_path, asking) as url,
        _reached(url, way) as transport,
        person.client(transport, mode=mode) as client,
    ):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(use, client, "word", "hello")
            await person.asked.wait()
            tasks.cancel_scope.cancel()
        if mode == "legacy":
            await asking.cancelled.wait()
        while not person.withdrawn:  # noqa: ASYNC110 (the client has no event)
            await anyio.sleep(0.01)

    assert person.withdrawn == ["hello"]


@asynccontextmanager
async def _reached(url: str, way: str) -> AsyncIterator[Any]:
    if way == "http":
        yield streamable_http_client(url)
        return
    async with forwarded(url) as front:
        yield front


async def test_a_network_that_breaks_while_somebody_thinks_loses_nothing(tmp_path: Path) -> None:
    person, asking = Person(), Asking()
    person.may_answer = anyio.Event()
    said: list[str] = []
    async with (
        served(tmp_path, asking) as url,
        breakable(url) as (line, near),
        over_http(near, person, mode="legacy") as client,
    ):

        async def work() -> None:
            said.append(await use(client, "word", "hello"))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            await person.asked.wait()
            line.cut()
            person.may_answer.set()

    assert said == ["ann: hello"]
    # Asked once, though the stream was read again.
    assert person.prompts == ["hello"]


@BOTH
@pytest.mark.promise("front.nobody-else")
async def test_two_users_are_each_asked_what_is_theirs(mode: str, tmp_path: Path) -> None:
    people = [Person(user) for user in USERS]
    said: dict[str, list[str]] = {user: [] for user in USERS}
    asking = Asking()

    async def work(url: str, person: Person) -> None:
        async with over_http(url, person, mode=mode, key=f"{person.name}'s key") as client:

            async def one(number: int) -> None:
                said[person.name].append(await use(client, "word", f"{person.name} {number}"))

            async with anyio.create_task_group() as tasks:
                for number in range(10):
                    tasks.start_soon(one, number)

    async with served(tmp_path, asking, LOCKED) as url, anyio.create_task_group() as tasks:
        for person in people:
            tasks.start_soon(work, url, person)

    for person in people:
        own = [f"{person.name} {number}" for number in range(10)]
        assert sorted(person.prompts) == own
        assert sorted(said[person.name]) == [f"{person.name}: {text}" for text in own]
    assert set(asking.principals) == {
        Principal(tenant="acme", user=user, key=user) for user in USERS
    }


@pytest.mark.promise("front.state")
async def test_the_state_of_another_user_is_refused(tmp_path: Path) -> None:
    asking = Asking()
    arguments = {"name": "local.word", "arguments": {"text": "a"}}
    async with (
        served(tmp_path, asking, LOCKED) as url,
        over_http(url, Person(), mode="auto", key="anna's key") as anna,
        over_http(url, Person(), mode="auto", key="ben's key") as ben,
    ):
        asked = await call_once(anna, "call_tool", arguments)
        with pytest.raises(MCPError, match="requestState") as caught:
            await answer_all(ben, "call_tool", arguments, asked)
        done = await answer_all(anna, "call_tool", arguments, asked)

    assert caught.value.error.code == -32602
    assert text_of(done) == "to a"
    assert asking.calls == ["word"]
