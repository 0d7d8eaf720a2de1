import json
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest
from tests.sources.support import WaitingListener, use

from toolweft.core.calls import RawResult, ToolCall
from toolweft.core.errors import ConfigError, SourceUnavailable
from toolweft.core.ids import SourceName, ToolName
from toolweft.core.snapshot import SourceStatus
from toolweft.core.tools import ToolDefinition
from toolweft.sources import BrokenSource, PythonSource, SourceGroup
from toolweft.sources.mcp.recorded import RecordedSource
from toolweft.sources.options import RecordedServerOptions
from toolweft.sources.reporting import Reporter


def double(number: int) -> int:
    return number * 2


class Faulty:
    """A source whose owner raises; with `is_silent` it never says anything."""

    kind = "faulty"

    def __init__(self, name: str, listener: WaitingListener, *, is_silent: bool = False) -> None:
        self.name = SourceName(name)
        self.reporter = Reporter(self.name, kind=self.kind, listener=listener)
        self._is_silent = is_silent

    async def run(self) -> None:
        if self._is_silent:
            await anyio.sleep_forever()
        raise RuntimeError("a fault of ours")

    async def call_tool(self, name: ToolName, call: ToolCall) -> RawResult:
        raise NotImplementedError


async def test_sources_are_found_by_name_and_tell_how_they_stand(
    listener: WaitingListener,
) -> None:
    local = PythonSource(SourceName("local"), [double], listener=listener)
    broken = BrokenSource(SourceName("github"), reason="env:TOKEN is not set", listener=listener)
    async with SourceGroup([local, broken], listener=listener) as group:
        await group.settle(5)
        assert group.get(SourceName("local")) is local
        assert group.get(SourceName("nonesuch")) is None
        states = [(s.name, s.kind, s.state, s.reason) for s in group.statuses().values()]
        assert states == [
            ("local", "python", "ready", ""),
            ("github", "broken", "failed", "env:TOKEN is not set"),
        ]
        with pytest.raises(SourceUnavailable, match="env:TOKEN is not set"):
            await use(broken, "list_issues")
    assert {s.state for s in group.statuses().values()} == {"stopped"}


@pytest.mark.promise("sources.alone")
async def test_a_source_whose_owner_breaks_leaves_the_others_alone(
    listener: WaitingListener,
) -> None:
    local = PythonSource(SourceName("local"), [double], listener=listener)
    sources = [Faulty("faulty", listener), local]
    async with SourceGroup(sources, listener=listener) as group:
        await group.settle(5)
        assert listener.latest("faulty").reason == "internal error: RuntimeError: a fault of ours"
        assert (await use(local, "double", number=4)).structured == 8


async def test_settling_ends_with_its_time(listener: WaitingListener) -> None:
    async with SourceGroup([Faulty("s", listener, is_silent=True)], listener=listener) as group:
        await group.settle(0.01)
        assert group.statuses()[SourceName("s")].state == "starting"


async def test_a_file_is_read_to_its_end_however_short_the_time(
    listener: WaitingListener, tmp_path: Path
) -> None:
    class Slow(WaitingListener):
        async def prepare(
            self, status: SourceStatus, definitions: Sequence[ToolDefinition]
        ) -> None:
            await anyio.sleep(0.2)

    path = tmp_path / "tools.json"
    path.write_text(json.dumps({"tools": [{"name": "a", "inputSchema": {"type": "object"}}]}))
    options = RecordedServerOptions(name=SourceName("recorded"), path=path)
    source = RecordedSource(options, listener=(slow := Slow()))
    hanging = Faulty("hanging", listener, is_silent=True)
    async with SourceGroup([hanging, source], listener=listener) as group:
        await group.settle(0.01)
        assert slow.tool_names("recorded") == ["a"]
        assert group.statuses()[SourceName("hanging")].state == "starting"


def test_two_sources_of_one_name_are_refused(listener: WaitingListener) -> None:
    local = PythonSource(SourceName("local"), [double], listener=listener)
    broken = BrokenSource(SourceName("local"), reason="", listener=listener)
    with pytest.raises(ConfigError, match=r"two sources are named 'local' \(python, broken\)"):
        SourceGroup([local, broken], listener=listener)
