"""Runs a program again with the answers it got the first time; nothing reaches a tool.

What differs is told, and what a replay cannot hold still is named. Used for debugging, and as the
test of a saved program.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import anyio

from toolweft.core.calls import Failure
from toolweft.core.clock import Clock, IdSource
from toolweft.core.errors import RunNotReplayable
from toolweft.core.ids import RunId
from toolweft.core.journal import JournalCall, JournalRun
from toolweft.core.json import Json, decode_json
from toolweft.core.ports import GuestCall, GuestReply, Ledger, SandboxOutcome
from toolweft.core.principals import Principal
from toolweft.core.programs import ProgramOutcome
from toolweft.core.snapshot import Snapshot
from toolweft.programs.check import CheckReport
from toolweft.programs.handles import RunHandles
from toolweft.programs.outcomes import build_outcome
from toolweft.programs.pool import ContainerPool
from toolweft.programs.program_names import collect_names
from toolweft.programs.run_records import record_end, record_start
from toolweft.programs.runs import Run

__all__ = ("Answers", "ReplayReport", "Replayer", "check_replayable")

# An answer waits for those that came before it the first time, for as long as the whole run took
# then, and this.
_PATIENCE_S: Final = 2.0
_MAX_SHOWN: Final = 120
_NO_TOOLS: Final = Snapshot(version=0, tools={}, sources={})
# What a program reads there is new at each run.
_UNFIXED_MODULES: Final = {
    "the clock": ("time", "datetime"),
    "random numbers": ("random", "secrets", "uuid"),
}
_UNFIXED_NAMES: Final = {
    "set": "the order of sets",
    "frozenset": "the order of sets",
    "hash": "hash()",
    "id": "id()",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """What came of a replay."""

    # The recorded run.
    run_id: RunId
    outcome: ProgramOutcome
    # One sentence each; empty where all was as the first time.
    differences: tuple[str, ...]
    # What the program uses and no replay holds still.
    not_fixed: tuple[str, ...]

    @property
    def is_same(self) -> bool:
        """Whether nothing differs."""
        return not self.differences

    def to_dict(self) -> dict[str, Json]:
        """The report as plain JSON."""
        return {
            "run_id": self.run_id,
            "is_same": self.is_same,
            "differences": list(self.differences),
            "not_fixed": list(self.not_fixed),
            "outcome": self.outcome.to_dict(),
        }


class Replayer:
    """Replays runs in fresh containers.

    Args:
        pool: lends the containers.
        ledger: records that something ran.
        clock: for records.
        ids: names the replay's own run.
    """

    def __init__(self, *, pool: ContainerPool, ledger: Ledger, clock: Clock, ids: IdSource) -> None:
        self._pool = pool
        self._ledger = ledger
        self._clock = clock
        self._ids = ids

    async def replay(self, recorded: JournalRun, *, principal: Principal) -> ReplayReport:
        """Run it again and compare.

        Raises:
            RunNotReplayable: the journal has not all that went into it.
            Overloaded, SandboxUnavailable: there is no container for it.
            LedgerUnavailable: it could not be recorded, so it did not begin.
        """
        check_replayable(recorded)
        run = Run(
            id=RunId(self._ids.new("run")),
            principal=principal,
            code=recorded.code,
            container_id=None,
            limits=recorded.limits,
            environment=recorded.environment,
        )
        answers = Answers(recorded)
        async with self._pool.lend(
            None, principal=principal, limits=run.limits, environment=run.environment
        ) as container:
            record_start(self._ledger, self._clock, run, container)
            inside = await container.session.run(
                run.code, names=recorded.names, limits=run.limits, on_call=answers.answer
            )
            run.container = self._pool.describe(container)
        outcome = build_outcome(
            run.id,
            inside=inside,
            report=CheckReport(),
            records=(),
            container=run.container,
            snapshot=_NO_TOOLS,
            handles=RunHandles(None, owner=principal, max_result_bytes=0),
        )
        record_end(self._ledger, self._clock, run, outcome)
        await self._pool.close(container.id, principal=principal)
        return ReplayReport(
            run_id=recorded.run_id,
            outcome=outcome,
            differences=tuple(_differences(recorded, inside, answers, container.backend)),
            not_fixed=_not_fixed(recorded.code),
        )


def check_replayable(run: JournalRun) -> None:
    """Check that a run can be replayed alone.

    Raises:
        RunNotReplayable: it went on in a container, or its values were not kept.
    """
    if run.withheld:
        raise RunNotReplayable(
            f"the values of run {run.run_id} were not kept: {run.withheld}",
            hint="run it again with other settings of [journal]",
        )
    if not run.is_fresh:
        raise RunNotReplayable(
            f"run {run.run_id} went on in container {run.container_id}, and may have used what"
            " earlier runs left there",
            hint="run the whole program in a fresh container: leave container_id out",
        )


class Answers:
    """The recorded replies, each given once, in the order of their delivery."""

    def __init__(self, recorded: JournalRun) -> None:
        self._run_id = recorded.run_id
        self._patience_s = recorded.wall_s + _PATIENCE_S
        # By index, so that of equal ones the earlier is given first.
        self._left = {call.index: call for call in recorded.calls}
        self._asked = {call.index: (call.name, _plain(call.arguments)) for call in recorded.calls}
        self._delivered: dict[int, anyio.Event] = {
            call.delivered: anyio.Event() for call in recorded.calls if call.delivered is not None
        }
        # Calls of which the journal knows nothing.
        self.unknown: list[GuestCall] = []
        self.late: list[JournalCall] = []

    @property
    def left(self) -> Sequence[JournalCall]:
        """Recorded calls that nobody asked for again."""
        return tuple(self._left.values())

    async def answer(self, call: GuestCall) -> GuestReply:
        """The recorded reply; a call given up the first time gets none."""
        found = self._take(call)
        if found is None:
            self.unknown.append(call)
            return _refuse(f"the journal of {self._run_id} has no such call of {call.name[:100]}")
        if found.reply is None or found.delivered is None:
            # The program gives it up again, as it did then; or the run ended meanwhile.
            await anyio.sleep(self._patience_s)
            return _refuse(f"{call.name[:100]} had no answer when run {self._run_id} ended")
        if not await self._wait_for_turn(found.delivered):
            self.late.append(found)
        self._delivered[found.delivered].set()
        return found.reply

    def _take(self, call: GuestCall) -> JournalCall | None:
        asked = (call.name, _plain(call.arguments))
        for index in (call.index, *self._left):
            if index in self._left and self._asked[index] == asked:
                return self._left.pop(index)
        return None

    async def _wait_for_turn(self, delivered: int) -> bool:
        """Whether what was delivered before has been delivered again."""
        earlier = self._delivered.get(delivered - 1)
        if earlier is None:
            return True
        with anyio.move_on_after(self._patience_s):
            await earlier.wait()
        return earlier.is_set()


def _refuse(message: str) -> GuestReply:
    hint = "in a replay nothing reaches a tool"
    return GuestReply(failure=Failure(code="not_recorded", message=message, hint=hint))


def _differences(
    recorded: JournalRun, inside: SandboxOutcome, answers: Answers, backend: str
) -> Iterator[str]:
    if inside.status != recorded.status:
        said = "" if inside.error is None else f": {inside.error.type}: {inside.error.message}"
        yield f"it ended as {inside.status}{said[:300]}, not as {recorded.status}"
    for call in answers.unknown:
        yield f"{_place(call.line)}{call.name}({_shown(call.arguments)}) was not recorded"
    for left in answers.left:
        yield f"{_place(left.line)}{left.name}({_shown(left.arguments)}) was not called again"
    for late in answers.late:
        yield f"{_place(late.line)}{late.name}() was answered out of turn: a call before is missing"
    if inside.stdout != recorded.stdout:
        yield _text_difference(recorded.stdout, inside.stdout)
    if _plain(inside.value) != _plain(recorded.value):
        yield f"its value is {_shown(inside.value)}, and was {_shown(recorded.value)}"
    if backend.partition("/")[0] != recorded.backend.partition("/")[0]:
        yield f"it ran in {backend}, and was recorded in {recorded.backend}"


def _text_difference(before: str, now: str) -> str:
    old, new = before.splitlines(), now.splitlines()
    line = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    if line is None:
        line = min(len(old), len(new))
    was = old[line] if line < len(old) else "the end"
    is_ = new[line] if line < len(new) else "the end"
    return (
        f"line {line + 1} of what it printed is {is_[:_MAX_SHOWN]!r}, and was {was[:_MAX_SHOWN]!r}"
    )


def _not_fixed(code: str) -> tuple[str, ...]:
    try:
        tree = ast.parse(code)
    except (SyntaxError, ValueError, RecursionError):
        return ()
    imported = {
        (name.name if isinstance(node, ast.Import) else node.module or "").partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in node.names
    }
    read = collect_names(tree).read
    found = [
        f"{what} ({module})"
        for what, modules in _UNFIXED_MODULES.items()
        for module in modules
        if module in imported
    ]
    found += [said for name, said in _UNFIXED_NAMES.items() if name in read]
    if any(isinstance(node, ast.Set | ast.SetComp) for node in ast.walk(tree)):
        found.append("the order of sets")
    return tuple(dict.fromkeys(found))


def _plain(data: bytes) -> Json:
    """What JSON text says, however it is written; text that is none as itself."""
    text = data.decode("utf-8", "replace")
    try:
        return decode_json(text)
    except (ValueError, RecursionError):
        return text


def _shown(data: bytes) -> str:
    text = data.decode("utf-8", "replace")
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}…"


def _place(line: int | None) -> str:
    return "" if line is None else f"line {line}: "
