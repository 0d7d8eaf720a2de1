"""The whole application over servers with contents, and clients of both eras before it."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import mcp
import mcp_types as types

from toolweft.bootstrap import App, open_app, serve_http
from toolweft.config import load_settings

LIBRARY = Path(__file__).parents[1] / "fixtures" / "servers" / "library.py"
# Long enough for a busy machine; nothing waits for it unless it fails.
PATIENT_S = 30.0


def library(*modes: str, **more: Any) -> dict[str, Any]:
    """The configuration of one such server, over stdio."""
    return {"command": sys.executable, "args": [str(LIBRARY), "stdio", *modes], **more}


@asynccontextmanager
async def library_over_http(*modes: str) -> AsyncIterator[dict[str, Any]]:
    """The configuration of one that runs in a process of its own."""
    async with await anyio.open_process([sys.executable, str(LIBRARY), "http", *modes]) as process:
        assert process.stdout is not None
        line = b""
        with anyio.fail_after(PATIENT_S):
            while not line.endswith(b"\n"):
                line += await process.stdout.receive()
        try:
            yield {"url": f"http://127.0.0.1:{int(line)}/mcp"}
        finally:
            if process.returncode is None:
                process.kill()


def write_config(folder: Path, servers: dict[str, Any], *, toml: str = "") -> None:
    (folder / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    (folder / "toolweft.toml").write_text('include = ["mcp.json"]\n[http]\nport = 0\n' + toml)


async def serve(
    app: App,
    note: Callable[[str], None],
    stop: anyio.Event | None,
    *,
    pass_through: bool = False,
) -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(serve_http, app, on_listening=note, pass_through=pass_through))
        if stop is not None:
            await stop.wait()
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def gateway(
    folder: Path,
    servers: dict[str, Any],
    *,
    settles: bool = True,
    stop: anyio.Event | None = None,
    pass_through: bool = False,
    toml: str = "",
    **more: Any,
) -> AsyncIterator[tuple[App, str]]:
    """The application, and the address where it is served, until `stop` is set."""
    write_config(folder, servers, toml=toml)
    settings = load_settings(
        config=folder / "toolweft.toml",
        overrides={
            "ledger.url": f"sqlite:///{folder / 'ledger.db'}",
            **more,
        },
        environ={"TOKEN": "hunter2hunter2"},
        cwd=folder,
        home=folder,
    )
    addresses: list[str] = []
    listening = anyio.Event()

    def note(address: str) -> None:
        addresses.append(address)
        listening.set()

    async with open_app(settings) as app, anyio.create_task_group() as tasks:
        tasks.start_soon(partial(serve, app, note, stop, pass_through=pass_through))
        with anyio.fail_after(PATIENT_S):
            await listening.wait()
            for source in app.sources.content_sources() if settles else ():
                await source.settle_contents()
        yield app, addresses[0]
        tasks.cancel_scope.cancel()


class Ear:
    """Hears what a client is told without asking, and can be waited for."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self._changed = anyio.Event()

    async def __call__(self, message: Any) -> None:
        self.heard.append(message)
        self._changed.set()
        self._changed = anyio.Event()

    @property
    def updated(self) -> list[str]:
        return [
            str(message.params.uri)
            for message in self.heard
            if isinstance(message, types.ResourceUpdatedNotification)
        ]

    @property
    def changed(self) -> set[str]:
        return {m.method for m in self.heard if m.method.endswith("list_changed")}

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        with anyio.fail_after(PATIENT_S):
            while not condition():
                await self._changed.wait()


@asynccontextmanager
async def client_of(address: Any, mode: str, ear: Ear | None = None) -> AsyncIterator[mcp.Client]:
    """The official client."""
    async with mcp.Client(address, mode=mode, cache=None, message_handler=ear) as client:
        yield client


@asynccontextmanager
async def following(client: mcp.Client, *uris: str) -> AsyncIterator[None]:
    """Subscriptions in the way of the client's revision; for the block."""
    if client.protocol_version >= "2026":
        async with (
            client.listen(
                resource_subscriptions=list(uris),
                prompts_list_changed=True,
                resources_list_changed=True,
            ) as subscription,
            anyio.create_task_group() as tasks,
        ):

            async def drain() -> None:
                async for _ in subscription:
                    pass

            tasks.start_soon(drain)
            yield
            tasks.cancel_scope.cancel()
        return
    for uri in uris:
        await client.subscribe_resource(uri)
    yield
    for uri in uris:
        await client.unsubscribe_resource(uri)
