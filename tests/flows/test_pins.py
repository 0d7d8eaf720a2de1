"""A live server that changes its tools while it runs."""

import json
import sys
from pathlib import Path

import anyio
import pytest

from toolweft.bootstrap import App, open_app, open_pins
from toolweft.catalog import Catalog
from toolweft.config import load_settings
from toolweft.core.calls import LOCAL, ToolResult
from toolweft.core.ids import QualifiedName, SourceName, ToolName
from toolweft.core.pins import Pin, PinnedServer, Pins

SERVER = Path(__file__).parents[1] / "fixtures" / "servers" / "plain.py"


class Watched:
    """The catalog's changes, to wait for."""

    def __init__(self) -> None:
        self._changed = anyio.Event()

    def __call__(self, catalog: Catalog) -> None:
        self._changed.set()

    async def until(self, app: App, name: str, status: str) -> None:
        with anyio.fail_after(30):
            while app.catalog.snapshot.tools[QualifiedName(name)].status != status:
                await self._changed.wait()
                self._changed = anyio.Event()


async def call(app: App, name: str, results: dict[str, ToolResult]) -> None:
    results[name] = await app.toolbox_for(LOCAL).call(name, {})


def accept_all(pins: Pins, hashes: dict[str, str]) -> Pins:
    tools = {ToolName(name): Pin(hash=pin_hash, definition={}) for name, pin_hash in hashes.items()}
    return {**pins, SourceName("plain"): PinnedServer(tools=tools)}


@pytest.mark.promise("pins.suspends")
@pytest.mark.process
async def test_a_tool_that_changes_at_run_time_is_suspended_and_calls_in_flight_finish(
    tmp_path: Path,
) -> None:
    server = {"command": sys.executable, "args": [str(SERVER), "rug-pull"]}
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"plain": server}}), encoding="utf-8")
    settings = load_settings(
        config=config,
        overrides={"ledger.url": "sqlite://", "handles.folder": str(tmp_path / "handles")},
        environ={},
        cwd=tmp_path,
        home=tmp_path,
    )
    watched = Watched()
    results: dict[str, ToolResult] = {}
    async with open_app(settings, on_source=watched) as app:
        await app.settle()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(call, app, "plain.grow", results)
            await watched.until(app, "plain.grow", "suspended")
            await call(app, "plain.echo", results)
            await call(app, "plain.cancelled", results)

        assert results["plain.grow"].value == "done"
        assert results["plain.cancelled"].value == "done"
        failure = results["plain.echo"].failure
        assert failure is not None
        assert failure.code == "tool_suspended"

        # What another process accepts is taken over without a restart.
        hashes = {
            tool.definition.name: tool.pin_hash for tool in app.catalog.snapshot.tools.values()
        }
        open_pins(settings).change(lambda pins: accept_all(pins, hashes))
        await watched.until(app, "plain.echo", "available")
        await call(app, "plain.echo", results)

        assert results["plain.echo"].failure is None
