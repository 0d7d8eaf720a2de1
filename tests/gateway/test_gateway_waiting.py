"""What a client hears of its own call while somebody is asked something, over real wires."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp
import mcp_types as types
import pytest
from tests.gateway.asking import Asking, Person, opened, server_of, text_of
from tests.gateway.library import Ear
from tests.gateway.test_gateway_attach import forwarded

from toolweft.bootstrap import App
from toolweft.gateway.http import serve_http
from toolweft.gateway.options import HttpOptions

pytestmark = [pytest.mark.process, pytest.mark.network]

WAITING = "waiting for an answer"
WAYS = pytest.mark.parametrize("way", ["http", "front"])
OFTEN_S = 0.05


@asynccontextmanager
async def reached(folder: Path, way: str) -> AsyncIterator[Any]:
    """A way to a service that says often that somebody is asked."""
    addresses: list[str] = []
    listening = anyio.Event()

    def on_listening(url: str) -> None:
        addresses.append(url)
        listening.set()

    async def serve(app: App) -> None:
        server = server_of(app, progress_s=OFTEN_S)
        await serve_http(server, HttpOptions(port=0), on_listening=on_listening)

    with anyio.fail_after(50):
        async with opened(folder, Asking()) as app, anyio.create_task_group() as tasks:
            tasks.start_soon(serve, app)
            await listening.wait()
            if way == "http":
                yield addresses[0]
            else:
                async with forwarded(addresses[0]) as front:
                    yield front
            tasks.cancel_scope.cancel()


class Patience:
    """A client that waits for an answer as long as it hears of progress."""

    def __init__(self, person: Person, *, answers_after: int) -> None:
        self.heard: list[tuple[float, float | None, str | None]] = []
        self._person = person
        self._answers_after = answers_after
        person.may_answer = anyio.Event()

    async def hear(self, progress: float, total: float | None, message: str | None) -> None:
        self.heard.append((progress, total, message))
        if [message for *_, message in self.heard].count(WAITING) >= self._answers_after:
            self._person.may_answer.set()

    @property
    def values(self) -> list[float]:
        return [progress for progress, *_ in self.heard]

    @property
    def own(self) -> list[str | None]:
        """What is not said by the gateway."""
        return [message for *_, message in self.heard if message != WAITING]


def client_of(person: Person, transport: Any, *, mode: str, ear: Ear | None = None) -> mcp.Client:
    return mcp.Client(transport, mode=mode, elicitation_callback=person.elicit, message_handler=ear)


@WAYS
@pytest.mark.parametrize("tool", ["word", "report_late"])
@pytest.mark.promise("front.waiting")
async def test_a_client_hears_that_its_call_goes_on_while_it_is_asked(
    way: str, tool: str, tmp_path: Path
) -> None:
    person = Person()
    patience = Patience(person, answers_after=3)
    call = {"name": f"local.{tool}", "arguments": {"text": "hello"}}
    async with (
        reached(tmp_path, way) as transport,
        client_of(person, transport, mode="legacy") as client,
    ):
        answer = await client.call_tool("call_tool", call, progress_callback=patience.hear)

    assert text_of(answer) == "ann: hello"
    assert len(patience.values) >= 3
    assert patience.values == sorted(set(patience.values))
    assert patience.own == (["begun", "done"] if tool == "report_late" else [])
    assert all(total in {None, 2.0} for _, total, _ in patience.heard)


async def test_so_does_the_client_of_a_program(tmp_path: Path) -> None:
    person = Person()
    patience = Patience(person, answers_after=2)
    code = "print('before')\nprint(await local.word(text='hello'))"
    async with (
        reached(tmp_path, "http") as transport,
        client_of(person, transport, mode="legacy") as client,
    ):
        answer = await client.call_tool("run_code", {"code": code}, progress_callback=patience.hear)

    assert "ann: hello" in text_of(answer)
    assert "".join(message or "" for message in patience.own) == "before\nann: hello\n"
    assert patience.values == sorted(set(patience.values))


@pytest.mark.promise("front.waiting")
async def test_without_a_token_it_hears_nothing(tmp_path: Path) -> None:
    person, ear = Person(), Ear()
    person.may_answer = anyio.Event()
    call = {"name": "local.word", "arguments": {"text": "hello"}}
    async with (
        reached(tmp_path, "http") as transport,
        client_of(person, transport, mode="legacy", ear=ear) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(client.call_tool, "call_tool", call)
        await person.asked.wait()
        await anyio.sleep(5 * OFTEN_S)
        person.may_answer.set()

    assert not [one for one in ear.heard if isinstance(one, types.ProgressNotification)]


async def test_a_client_of_2026_has_no_call_that_waits(tmp_path: Path) -> None:
    person = Person()
    patience = Patience(person, answers_after=1)
    person.may_answer.set()
    call = {"name": "local.report_late", "arguments": {"text": "hello"}}
    async with (
        reached(tmp_path, "http") as transport,
        client_of(person, transport, mode="auto") as client,
    ):
        answer = await client.call_tool("call_tool", call, progress_callback=patience.hear)

    assert text_of(answer) == "ann: hello"
    assert WAITING not in [message for *_, message in patience.heard]
