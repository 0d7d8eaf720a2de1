"""The source `saved`: shown while there is something to show."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import anyio
from tests.stores.test_saved_store import PROGRAM

from toolweft.core.errors import ConfigError
from toolweft.core.ids import SourceName
from toolweft.core.saved import SavedProgram
from toolweft.core.snapshot import SourceStatus
from toolweft.core.tools import ToolDefinition
from toolweft.sources import SavedSource, SourceGroup


class Heard:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.states: list[str] = []
        self.tools: list[str] = []

    async def prepare(self, status: SourceStatus, definitions: Sequence[ToolDefinition]) -> None:
        """Do nothing: what comes is taken as it comes."""

    def source_changed(
        self, status: SourceStatus, definitions: Sequence[ToolDefinition] | None
    ) -> None:
        self.states.append(status.state)
        if definitions is not None:
            self.tools = [definition.name for definition in definitions]


class Store:
    """Programs in a list; with a fault it cannot be read."""

    def __init__(self, *programs: SavedProgram) -> None:
        self.programs = list(programs)
        self.fault: ConfigError | None = None

    async def stamp(self) -> str:
        if self.fault is not None:
            raise self.fault
        return repr(self.programs)

    async def latest(self) -> Sequence[SavedProgram]:
        return self.programs


@asynccontextmanager
async def open_source(store: Store, heard: Heard) -> AsyncIterator[tuple[SavedSource, SourceGroup]]:
    source = SavedSource(store, listener=heard)  # type: ignore[arg-type]  # what it uses of one
    async with SourceGroup([source], listener=heard) as group:
        with anyio.fail_after(5):
            await source.reporter.settled.wait()
        yield source, group


async def test_without_programs_nobody_hears_of_it() -> None:
    heard, store = Heard(), Store()
    async with open_source(store, heard) as (source, group):
        assert group.statuses() == {}
        store.programs.append(PROGRAM)
        await source.refresh()
        assert [s.state for s in group.statuses().values()] == ["ready"]
        assert heard.tools == ["count_people"]
        store.programs.clear()
        await source.refresh()
        assert heard.tools == []
    assert heard.states == ["ready", "ready", "stopped"]


async def test_a_store_that_cannot_be_read_is_a_failed_source_until_it_can() -> None:
    heard, store = Heard(), Store(PROGRAM)
    store.fault = ConfigError("the folder is shut", hint="open it")
    async with open_source(store, heard) as (source, group):
        assert "the folder is shut" in group.statuses()[SourceName("saved")].reason
        store.fault = None
        await source.refresh()
        assert group.statuses()[SourceName("saved")].state == "ready"
    assert heard.states == ["failed", "ready", "stopped"]
