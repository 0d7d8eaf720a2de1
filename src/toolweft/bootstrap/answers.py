"""What was answered about tools: read at the start, kept when more is answered.

Another process may be given an answer meanwhile: the file is looked at when a tool is called of
which nothing is said, and at no other time.
"""

from typing import Protocol

import anyio
import anyio.to_thread

from toolweft.catalog import Catalog
from toolweft.config import Settings
from toolweft.core.answers import Answers
from toolweft.core.calls import ToolCall, ToolResult
from toolweft.core.snapshot import CatalogTool
from toolweft.stores import AnswerFile

__all__ = ("AnswerBook", "AnsweredRoad")


class AnswerBook:
    """The answers, in the catalog and on disk.

    Args:
        settings: where they are kept.
        catalog: decides with them.

    Attributes:
        known: all of them.
    """

    def __init__(self, settings: Settings, *, catalog: Catalog) -> None:
        self._file = AnswerFile(settings.answers_path, reached=settings.pins.servers)
        self._catalog = catalog
        self._turn = anyio.Lock()
        # Taken first: what is written meanwhile is read at the next look.
        self._stamp = self._file.stamp()
        self.known: Answers = self._file.read()
        if any(self.known.values()):
            catalog.answered(self.known)

    async def add(self, answers: Answers) -> None:
        """Decide with more answers, and keep them.

        Raises:
            OSError: they count, but cannot be written.
        """
        names = {*self.known, *answers}
        self.known = {n: {**self.known.get(n, {}), **answers.get(n, {})} for n in names}
        self._catalog.answered(self.known)
        await anyio.to_thread.run_sync(self._file.add, answers)

    async def refresh(self) -> None:
        """Take what another process was answered since the last look, if anything."""
        async with self._turn:
            stamp = await anyio.to_thread.run_sync(self._file.stamp)
            if stamp in (None, self._stamp):
                # A file that was taken away takes no answer away.
                return
            self._stamp = stamp
            known = await anyio.to_thread.run_sync(self._file.read)
            if known != self.known:
                self.known = known
                self._catalog.answered(known)


class _Road(Protocol):
    """Makes calls; whatever goes wrong is in the result."""

    async def call(self, call: ToolCall) -> ToolResult: ...


class AnsweredRoad:
    """A road in front of which an answer is looked for where a call depends on one.

    Args:
        road: makes the calls.
        book: the answers.
        catalog: decides with them.
    """

    def __init__(self, road: _Road, *, book: AnswerBook, catalog: Catalog) -> None:
        self._road = road
        self._book = book
        self._catalog = catalog

    async def call(self, call: ToolCall) -> ToolResult:
        """Make one call."""
        tool = self._catalog.snapshot.find(call.tool)
        # One that is not known yet may be of a source that is still starting.
        if tool is None or _is_undecided(tool):
            await self._book.refresh()
        return await self._road.call(call)


def _is_undecided(tool: CatalogTool) -> bool:
    """Whether an answer could open it: nothing says what it does, so that the worst is assumed."""
    definition = tool.definition
    is_said = definition.severity is not None or definition.hints.read_only is not None
    return tool.severity == "destructive" and not is_said
