"""Notes what one run asks of its host and what it gets, for the journal.

It stands between the sandbox and whoever answers, holds on to bytes that are there anyway, and
knows no file. Called by `toolweft.programs.runner`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fnmatch import fnmatchcase

from toolweft.core.clock import Clock
from toolweft.core.ids import QualifiedName
from toolweft.core.journal import Journal, JournalCall, JournalRun
from toolweft.core.ports import GuestCall, GuestCallHandler, GuestNames, GuestReply, SandboxOutcome
from toolweft.core.principals import LOCAL
from toolweft.core.programs import CallRecord, ProgramStats
from toolweft.core.snapshot import CatalogTool, Snapshot
from toolweft.programs.containers import LiveContainer
from toolweft.programs.runs import Run

__all__ = ("JournalKeeper", "RunNotes")

_ENDED_OTHERWISE = SandboxOutcome(status="crashed", stats=ProgramStats())


@dataclass(slots=True, eq=False)
class _Note:
    call: GuestCall
    reply: GuestReply | None = None
    delivered: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalKeeper:
    """What all runs write their notes with."""

    # None: nothing is kept.
    journal: Journal | None = None
    # Whether runs of others than the local principal are kept too.
    keeps_others: bool = False
    # Of what one run asked, got and printed; a larger one is kept without any of it.
    max_run_bytes: int = 4 * 1024 * 1024
    # Globs of qualified names: once one is called, no value of its container's runs is kept.
    exclude: tuple[str, ...] = ()

    def open(
        self, run: Run, container: LiveContainer, names: GuestNames, *, clock: Clock
    ) -> "RunNotes":
        """The notes of a run that begins now."""
        return RunNotes(self, run, container=container, names=names, started_at=clock.now())


class RunNotes:
    """One run, as it goes on."""

    def __init__(
        self,
        keeper: JournalKeeper,
        run: Run,
        *,
        container: LiveContainer,
        names: GuestNames,
        started_at: datetime,
    ) -> None:
        is_kept = keeper.keeps_others or run.principal == LOCAL
        self._journal = keeper.journal if is_kept else None
        self._keeper = keeper
        self._run = run
        # The run's own is dropped when it ends.
        self._code = run.code
        self._container = container
        self._names = names
        self._started_at = started_at
        self._notes: list[_Note] = []
        self._delivered = 0
        self._left_bytes = keeper.max_run_bytes
        # Set by whoever runs it, once it is known.
        self.inside = _ENDED_OTHERWISE

    def watch(self, answer: GuestCallHandler) -> GuestCallHandler:
        """The handler with every call and reply noted."""
        if self._journal is None:
            return answer

        async def answer_and_note(call: GuestCall) -> GuestReply:
            note = _Note(call)
            self._notes.append(note)
            reply = await answer(call)
            self._delivered += 1
            note.delivered = self._delivered
            note.reply = reply
            self._left_bytes -= _size(call, reply)
            if self._left_bytes < 0:
                # They are not kept, so nobody need hold on to them either.
                self._notes.clear()
            return reply

        return answer_and_note

    def keep(self, records: Sequence[CallRecord], snapshot: Snapshot, language: str) -> None:
        """Hand the run, which is over, to the journal.

        Args:
            records: its calls of tools.
            snapshot: knows the tools.
            language: of the sandbox.
        """
        if self._journal is None:
            return
        run, inside = self._run, self.inside
        # A run that was stopped has its outcome already.
        ended = inside if run.outcome is None else run.outcome
        tools = {record.index: snapshot.find(record.tool) for record in records}
        self._container.private |= self._private_tools(tools.values())
        withheld = self._reason_to_withhold()
        kept = JournalRun(
            run_id=run.id,
            principal=run.principal,
            at=self._started_at,
            code="" if self._container.private else self._code,
            names=self._names,
            limits=run.limits,
            backend=self._container.backend,
            language=language,
            environment=self._container.environment,
            container_id=self._container.id,
            is_fresh=run.container_id is None,
            status=ended.status,
            limit=inside.limit,
            wall_s=ended.stats.wall_s,
            withheld=withheld,
        )
        if not withheld:
            kept = replace(
                kept,
                stdout=ended.stdout,
                error=ended.error,
                value=inside.value,
                value_is_repr=inside.value_is_repr,
                calls=tuple(_call_of(note, tools.get(note.call.index)) for note in self._notes),
            )
        self._journal.keep(kept)

    def _private_tools(self, tools: Iterable[CatalogTool | None]) -> set[QualifiedName]:
        """Those that `exclude` names, called here or by what was called here."""
        if not self._keeper.exclude:
            return set()
        called = [tool for tool in tools if tool is not None]
        names = {name for tool in called for name in (tool.qualified, *tool.definition.needs)}
        return {n for n in names if any(fnmatchcase(n, glob) for glob in self._keeper.exclude)}

    def _reason_to_withhold(self) -> str:
        if self._container.private:
            listed = ", ".join(sorted(self._container.private))
            return f"its container has seen results of {listed}, which journal.exclude names"
        left = self._left_bytes - len(self.inside.stdout) - len(self.inside.value)
        if left < 0:
            limit = self._keeper.max_run_bytes
            return f"its values have more than journal.max_run_bytes, which is {limit:,}"
        return ""


def _call_of(note: _Note, tool: CatalogTool | None) -> JournalCall:
    call = note.call
    return JournalCall(
        index=call.index,
        name=call.name,
        arguments=call.arguments,
        line=call.line,
        tool=None if tool is None else tool.qualified,
        severity=None if tool is None else tool.severity,
        reply=note.reply,
        delivered=note.delivered,
    )


def _size(call: GuestCall, reply: GuestReply) -> int:
    blobs = sum(len(blob.data) for blob in reply.blobs)
    return len(call.arguments) + len(reply.payload) + blobs
