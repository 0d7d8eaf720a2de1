"""From a server that asks, through the whole of toolweft, to the client that answers; and back."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp
import pytest
from tests.gateway.asking import Person, server_of, text_of
from tests.gateway.test_gateway_server import linked

import toolweft
from toolweft.bootstrap import open_app
from toolweft.config import load_settings
from toolweft.core.client import NOBODY, Ask

pytestmark = [pytest.mark.process, pytest.mark.network]

SERVER = Path(__file__).parents[1] / "fixtures" / "servers" / "asking.py"
REVISIONS = ("2026-07-28", "2025-11-25")
# Two in sequence, then two at once; three of the four ask.
PROGRAM = """
import asyncio
first = await desk.ask_form(message="one")
seen = await desk.stay()
both = await asyncio.gather(desk.ask_form(message="two"), desk.ask_sample())
print(first["it"]["content"]["name"], "pid" in seen)
print(both[0]["it"]["content"]["name"], both[1]["it"]["content"]["text"])
"""


class Named(Person):
    """Fills in the form of the server."""

    async def elicit(self, context: Any, params: Any) -> Any:
        answer = await super().elicit(context, params)
        if answer.content is not None:
            answer.content = {"name": f"{self.name} {params.message}"}
        return answer


@asynccontextmanager
async def asked(
    folder: Path, person: Person, *, mode: str, transport: str, revision: str
) -> AsyncIterator[mcp.Client]:
    with anyio.fail_after(50):
        async with _reached(transport, revision) as entry:
            config = folder / "toolweft.toml"
            config.write_text(
                f"[servers.desk]\n{entry}\n"
                '[servers.desk.default_config]\nallowed_callers = ["direct", "programmatic"]\n'
                'severity = "read_only"\n'
            )
            settings = load_settings(
                config=config,
                environ={"XDG_STATE_HOME": str(folder), "XDG_CACHE_HOME": str(folder)},
                cwd=folder,
                home=folder,
            )
            async with open_app(settings) as app:
                await app.settle()
                async with person.client(linked(server_of(app)), mode=mode) as client:
                    yield client


@asynccontextmanager
async def _reached(transport: str, revision: str) -> AsyncIterator[str]:
    command = [sys.executable, str(SERVER), transport, revision]
    if transport == "stdio":
        yield f"command = {command[0]!r}\nargs = {command[1:]!r}"
        return
    async with await anyio.open_process(command, stderr=None) as process:
        try:
            assert process.stdout is not None
            port = (await process.stdout.receive()).decode().strip()
            yield f'url = "http://127.0.0.1:{port}/mcp"'
        finally:
            process.kill()


@pytest.mark.promise("front.program")
@pytest.mark.parametrize("mode", ["auto", "legacy"])
@pytest.mark.parametrize("revision", REVISIONS)
@pytest.mark.parametrize("transport", ["stdio", "http"])
async def test_a_server_asks_the_client_of_a_program(
    transport: str, revision: str, mode: str, tmp_path: Path
) -> None:
    person = Named()
    async with asked(tmp_path, person, mode=mode, transport=transport, revision=revision) as client:
        # A server that cannot say whose question it is is called one at a time, once that is known:
        # where two of its questions met, the next program is answered whole.
        for _ in range(2):
            ran = text_of(await client.call_tool("run_code", {"code": PROGRAM}))
            if "ann thinks" in ran:
                break
        call = {"name": "desk.ask_many", "arguments": {}}
        many = text_of(await client.call_tool("call_tool", call))

    assert "ann desk asks: one True" in ran
    assert "ann desk asks: two ann thinks" in ran
    for part in ("ann desk asks: Who?", "ann thinks", "file:///ann"):
        assert part in many


class Answering(type(NOBODY)):  # type: ignore[misc] -- a client that refuses all but forms
    """Fills in every form alike, from Python."""

    capabilities: dict[str, Any] = {"elicitation": {"form": {}}}  # noqa: RUF012 -- never written

    def __init__(self) -> None:
        self.messages: list[str] = []

    async def ask(self, ask: Ask) -> dict[str, Any]:
        self.messages.append(str(ask.params["message"]))
        return {"action": "accept", "content": {"name": "Ann"}}


def write_config(folder: Path, more: str = "") -> Path:
    config = folder / "toolweft.toml"
    config.write_text(
        f"[servers.desk]\ncommand = {sys.executable!r}\n"
        f'args = [{str(SERVER)!r}, "stdio", "2026-07-28"]\n'
        f'[servers.desk.default_config]\nseverity = "read_only"\n{more}'
    )
    return config


@pytest.mark.promise("front.answered")
async def test_the_library_asks_the_client_that_it_was_given(tmp_path: Path) -> None:
    client = Answering()
    code = "r = await desk.ask_form(message='b')\nprint(r['it']['content'])"
    with anyio.fail_after(50):
        async with toolweft.open(write_config(tmp_path)) as box:
            called = await box.call("desk.ask_form", {"message": "a"}, client=client)
            ran = await box.run(code, client=client)
            nobody = await box.call("desk.ask_form", {"message": "c"})

    assert called.value["it"]["content"] == {"name": "Ann"}
    assert ran.stdout == "{'name': 'Ann'}\n"
    assert client.messages == ["desk asks: a", "desk asks: b"]
    assert nobody.failure is not None
    assert nobody.failure.code == "ask_refused"


@pytest.mark.promise("front.answered")
async def test_a_saved_program_asks_the_client_of_its_call(tmp_path: Path) -> None:
    client = Answering()
    code = "r = await desk.ask_form(message='a')\nr['it']['content']['name']"
    with anyio.fail_after(50):
        async with toolweft.open(write_config(tmp_path)) as box:
            ran = await box.run(code, client=client)
            await box.save(ran.run_id, "who", description="Ask who it is.")
            called = await box.call("saved.who", {}, client=client)

    assert called.value == "Ann", called
    assert client.messages == ["desk asks: a"] * 2


@pytest.mark.promise("front.answered")
async def test_an_agent_asks_the_client_that_it_was_given(tmp_path: Path) -> None:
    call = {"name": "desk.ask_form", "arguments": {"message": "a"}}
    replies = [
        {"calls": [{"id": "c1", "name": "call_tool", "arguments": call}]},
        {"text": "Done."},
    ]
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"replies": replies}))
    client = Answering()
    with anyio.fail_after(50):
        agent = toolweft.Agent(f"scripted:{script}", config=write_config(tmp_path), client=client)
        result = await agent.run("Who is it?")

    assert result.text == "Done."
    assert [made.status for made in result.calls] == ["ok"]
    assert client.messages == ["desk asks: a"]
