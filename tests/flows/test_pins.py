"""A live server that changes its tools while it runs."""

import json
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.sources.openapi.live import describe_paths

from toolweft.bootstrap import App, open_app, open_pins
from toolweft.catalog import Catalog
from toolweft.config import Settings, load_settings
from toolweft.core.calls import LOCAL, ToolResult
from toolweft.core.ids import QualifiedName, SourceName, ToolName
from toolweft.core.pins import Pin, PinnedServer, Pins

NUMBERS = (1, 1.0, True)
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


def load(folder: Path, config: Path) -> Settings:
    return load_settings(
        config=config,
        overrides={"ledger.url": "sqlite://"},
        environ={},
        cwd=folder,
        home=folder,
    )


def numbered(value: Any, position: int) -> dict[str, Any]:
    """A tool with a number in its schema, its hints and its `_meta`."""
    schema = {"type": "object", "properties": {"n": {"const": value}}}
    return {
        "name": f"take_{position}",
        "title": "Take",
        "inputSchema": schema,
        "annotations": {"readOnlyHint": True, "level": value},
        "_meta": {"b": value, "a": ["\u00e9", None, -0.5, 10**20]},
    }


async def states(settings: Settings, *, calls: str = "") -> tuple[dict[str, str], str]:
    """How each tool stands and its server does, after a call where one is named."""
    async with open_app(settings) as app:
        await app.settle()
        if calls:
            # It is answered with an error; what counts is that the server runs.
            await app.toolbox_for(LOCAL).call(calls, {})
        snapshot = app.catalog.snapshot
        (source,) = (s for s in snapshot.sources.values() if s.kind != "saved")
        tools = {tool.definition.name: tool.status for tool in snapshot.tools.values()}
        return tools, source.state


@pytest.mark.promise("pins.no-false-alarm")
@pytest.mark.process
async def test_a_remembered_definition_is_the_one_that_was_accepted_and_so_is_the_live_one(
    tmp_path: Path,
) -> None:
    listed = tmp_path / "tools.json"
    server = {"command": sys.executable, "args": [str(SERVER), "from-file", str(listed)]}
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"plain": server}}), encoding="utf-8")
    tools = [numbered(value, position) for position, value in enumerate(NUMBERS)]
    listed.write_text(json.dumps({"tools": tools}), encoding="utf-8")
    available = {f"take_{position}": "available" for position in range(len(NUMBERS))}
    settings = load(tmp_path, config)

    assert await states(settings) == (available, "ready")
    accepted = (tmp_path / "toolweft.lock").read_bytes()
    assert await states(settings) == (available, "idle")
    assert await states(settings, calls="plain.take_0") == (available, "ready")
    assert (tmp_path / "toolweft.lock").read_bytes() == accepted

    # Each number becomes one that Python takes for equal.
    others = [numbered(value, position) for position, value in enumerate((1.0, True, 1))]
    listed.write_text(json.dumps({"tools": others}), encoding="utf-8")
    assert await states(settings) == (available, "idle")
    suspended = dict.fromkeys(available, "suspended")
    assert await states(settings, calls="plain.take_0") == (suspended, "ready")
    # Now that is remembered.
    assert await states(settings) == (suspended, "idle")


@pytest.mark.promise("pins.suspends", "sources.list-changes")
@pytest.mark.process
@pytest.mark.parametrize(
    ("name", "code"), [("take_0", "tool_suspended"), ("take_1", "tool_gone"), ("take_2", "")]
)
async def test_the_first_call_is_held_against_what_the_server_lists_by_then(
    tmp_path: Path, name: str, code: str
) -> None:
    listed = tmp_path / "tools.json"
    server = {"command": sys.executable, "args": [str(SERVER), "from-file", str(listed)]}
    config = tmp_path / "mcp.json"
    config.write_text(json.dumps({"mcpServers": {"plain": server}}), encoding="utf-8")
    tools = [numbered(value, position) for position, value in enumerate(NUMBERS)]
    listed.write_text(json.dumps({"tools": tools}), encoding="utf-8")
    settings = load(tmp_path, config)
    assert (await states(settings))[1] == "ready"

    # The first is another, the second is no more.
    listed.write_text(json.dumps({"tools": [numbered(7, 0), tools[2]]}), encoding="utf-8")
    async with open_app(settings) as app:
        await app.settle()
        assert app.catalog.snapshot.sources[SourceName("plain")].state == "idle"
        result = await app.toolbox_for(LOCAL).call(f"plain.{name}", {"n": True})

    assert result.failure is not None
    if code:
        assert result.failure.code == code
    else:
        # It reached the server, which knows no such tool.
        assert "unknown tool take_2" in result.failure.message


@pytest.mark.promise("pins.suspends")
@pytest.mark.parametrize(
    ("path", "summary", "server"),
    [
        ("/a", "All of it.", "https://one.example"),
        ("/b", "Some of it.", "https://one.example"),
        ("/a", "Some of it.", "https://two.example"),
    ],
)
async def test_an_operation_that_is_described_otherwise_is_suspended(
    tmp_path: Path, path: str, summary: str, server: str
) -> None:
    described = tmp_path / "openapi.json"
    config = tmp_path / "toolweft.toml"
    config.write_text('[openapi.api]\npath = "openapi.json"\n', encoding="utf-8")

    def describe(path: str, summary: str, server: str) -> None:
        operation = {"operationId": "read", "summary": summary}
        paths = {path: {"get": operation}, "/other": {"get": {"operationId": "other"}}}
        document = describe_paths(paths, servers=[{"url": server}])
        described.write_text(json.dumps(document), encoding="utf-8")

    describe("/a", "Some of it.", "https://one.example")
    same = {"read": "available", "other": "available"}
    assert await states(load(tmp_path, config)) == (same, "ready")
    config.write_text(f"{config.read_text('utf-8')}timeout_s = 5\n", encoding="utf-8")
    assert await states(load(tmp_path, config)) == (same, "ready")

    describe(path, summary, server)
    now, _ = await states(load(tmp_path, config))
    assert now["read"] == "suspended"
