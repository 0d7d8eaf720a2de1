"""Saved programs as a source: their newest versions are its tools, and a call runs one.

It knows no sandbox: how a program is run is handed in once there is something that runs programs.
"""

from collections.abc import Sequence

import anyio

from toolweft.core.calls import RawResult, TextContent, ToolCall
from toolweft.core.errors import SourceUnavailable, ToolweftError
from toolweft.core.ids import ToolName
from toolweft.core.ports import SourceListener
from toolweft.core.programs import ProgramOutcome
from toolweft.core.saved import SAVED_SOURCE, RunSaved, SavedProgram, SavedStore
from toolweft.core.tools import ToolDefinition
from toolweft.sources.reporting import Reporter

__all__ = ("SavedSource",)

# A process that serves sees what another one saved within this.
_LOOK_EVERY_S = 5.0


class SavedSource:
    """The source `saved`.

    Without any program it is not shown at all.

    Args:
        store: has the programs.
        listener: hears of them.
        look_every_s: how often the store is asked whether others changed it.
    """

    kind = "saved"

    def __init__(
        self,
        store: SavedStore,
        *,
        listener: SourceListener,
        look_every_s: float = _LOOK_EVERY_S,
    ) -> None:
        self.name = SAVED_SOURCE
        self.reporter = Reporter(self.name, kind=self.kind, listener=listener)
        self._store = store
        self._look_every_s = look_every_s
        self._programs: dict[ToolName, SavedProgram] = {}
        self._stamp = ""
        self._is_shown = False
        self._refreshing = anyio.Lock()
        self._run: RunSaved | None = None

    def run_with(self, run: RunSaved) -> None:
        """Run programs so from now on."""
        self._run = run

    async def run(self) -> None:
        """Report the programs, and again whenever they change, until cancelled."""
        try:
            while True:
                await self.refresh()
                await anyio.sleep(self._look_every_s)
        finally:
            if self._is_shown:
                self.reporter.stopped()

    async def refresh(self) -> None:
        """Report the programs as they are now."""
        async with self._refreshing:
            await self._refresh()

    async def _refresh(self) -> None:
        try:
            stamp = await self._store.stamp()
            if stamp == self._stamp:
                return
            programs = await self._store.latest()
        except ToolweftError as exc:
            self._is_shown, self._stamp = True, ""
            self.reporter.failed(str(exc))
            return
        self._stamp = stamp
        self._programs = {ToolName(program.name): program for program in programs}
        if programs or self._is_shown:
            self._is_shown = True
            self.reporter.ready([_define(program) for program in programs])
        else:
            self.reporter.nothing()

    async def call_tool(self, name: ToolName, call: ToolCall) -> RawResult:
        """Run one program on behalf of whoever calls.

        Raises:
            SourceUnavailable: there is none of that name, or nothing runs programs yet.
            ToolweftError: it never began.
        """
        program = self._programs.get(name)
        if program is None or self._run is None:
            why = "is not saved any more" if program is None else "cannot be run yet"
            raise SourceUnavailable(f"the program {name!r} {why}", hint="try again, or search")
        return _result(program, await self._run(program, call))


def _define(program: SavedProgram) -> ToolDefinition:
    return ToolDefinition(
        name=ToolName(program.name),
        namespace=SAVED_SOURCE,
        description=program.description,
        input_schema=program.input_schema(),
        output_schema=program.output_schema,
        severity=program.severity,
        timeout_s=program.timeout_s,
        version=str(program.version),
        needs=program.needs,
    )


def _result(program: SavedProgram, outcome: ProgramOutcome) -> RawResult:
    if outcome.status == "ok":
        if program.returns == "text":
            return RawResult(structured=outcome.stdout)
        return RawResult(structured=outcome.value)
    parts: Sequence[str] = (f"the saved program ended as {outcome.status}",)
    error = outcome.error
    if error is not None:
        place = "" if error.line is None else f" (its line {error.line})"
        hint = f"; {error.hint}" if error.hint else ""
        parts = (*parts, f"{error.type}: {error.message}{place}{hint}")
    return RawResult(content=(TextContent(": ".join(parts)),), is_error=True)
