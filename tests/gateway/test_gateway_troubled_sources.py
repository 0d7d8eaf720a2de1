"""The gateway over the whole application, where parts of it are in trouble."""

import json
import socket
import sys
import time
from functools import partial
from pathlib import Path

import anyio
import pytest
from mcp.client import Client

from toolweft.bootstrap import open_app, serve_http
from toolweft.config import Settings, load_settings
from toolweft.core.errors import ConfigError

pytestmark = pytest.mark.network


def settings_for(folder: Path, *, port: int = 0, python: str = "") -> Settings:
    hanging = json.dumps(["-c", "import time; time.sleep(600)"])
    (folder / "toolweft.toml").write_text(
        f"[http]\nport = {port}\n"
        f"[servers.hanging]\ncommand = {json.dumps(sys.executable)}\nargs = {hanging}\n{python}"
    )
    return load_settings(
        config=folder / "toolweft.toml",
        overrides={"ledger.url": f"sqlite:///{folder / 'ledger.db'}"},
        environ={},
        cwd=folder,
        home=folder,
    )


async def test_a_hanging_server_does_not_hold_up_the_first_listing(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise SystemExit('no')")
    python = '[python.bad]\ntarget = "broken.py"\n'
    addresses: list[str] = []
    listening = anyio.Event()

    def note(address: str) -> None:
        addresses.append(address)
        listening.set()

    async with (
        open_app(settings_for(tmp_path, python=python)) as app,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(partial(serve_http, app, on_listening=note))
        await listening.wait()
        began_s = time.monotonic()
        async with Client(addresses[0]) as client:
            listed = await client.list_tools()
        assert time.monotonic() - began_s < 15
        assert "run_code" in {tool.name for tool in listed.tools}
        states = {name: status.state for name, status in app.sources.statuses().items()}
        assert states == {"hanging": "starting", "bad": "failed"}
        assert "python.bad" in app.sources.statuses()["bad"].reason
        tasks.cancel_scope.cancel()


async def test_a_taken_port_is_an_error_of_its_own(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with open_app(settings_for(tmp_path, port=port)) as app:
            with pytest.raises(ConfigError, match="cannot listen on"):
                await serve_http(app)
