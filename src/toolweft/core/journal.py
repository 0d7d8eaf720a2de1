"""What one run was, with the raw values that went in and came out, and where that is kept.

The ledger says that a call was made and how it ended; only the journal says with what. Programs
write it, replay and saved programs read it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from toolweft.core.ids import ContainerId, QualifiedName, RunId
from toolweft.core.ports import GuestNames, GuestReply
from toolweft.core.principals import Principal
from toolweft.core.programs import LimitName, ProgramError, ProgramLimits, ProgramStatus
from toolweft.core.tools import Severity

__all__ = ("Journal", "JournalCall", "JournalRun")


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalCall:
    """One thing a program asked of its host: a tool, a search, a part of a stored result."""

    # From 1 within the run.
    index: int
    # As the program wrote it: "github.list_issues", "tools.search", "load.read".
    name: str
    # JSON text as the guest sent it; never checked.
    arguments: bytes
    # The program's line, from 1.
    line: int | None = None
    # The tool it came to; None where it came to none.
    tool: QualifiedName | None = None
    severity: Severity | None = None
    # None: the program gave the call up, or ended before its answer.
    reply: GuestReply | None = None
    # Its place among the answers, from 1 in the order in which they were delivered.
    delivered: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRun:
    """One run, complete: what a replay needs and what it is compared with."""

    run_id: RunId
    principal: Principal
    at: datetime
    code: str
    # What was bound for it.
    names: GuestNames
    limits: ProgramLimits
    # Backend and tier ("process/ns"), and the language there ("CPython 3.11.7").
    backend: str
    language: str
    environment: str | None
    container_id: ContainerId
    # It had its container from the start; otherwise it may have used variables of earlier runs.
    is_fresh: bool
    status: ProgramStatus
    limit: LimitName | None = None
    stdout: str = ""
    # JSON text of the last expression's value; b"" where there is none.
    value: bytes = b""
    value_is_repr: bool = False
    error: ProgramError | None = None
    wall_s: float = 0.0
    # By index.
    calls: tuple[JournalCall, ...] = ()
    # Why arguments, replies, output and value were not kept; "" where they were.
    withheld: str = ""


class Journal(Protocol):
    """Where runs are kept, for their owners and for a while."""

    def keep(self, run: JournalRun) -> None:
        """Queue a run; never waits and never raises. What cannot be written is logged."""
        ...

    async def find(self, run_id: RunId, *, owner: Principal) -> JournalRun:
        """The owner's run, from the moment it was kept.

        Raises:
            RunNotFound: unknown, too old, or somebody else's; all read the same.
            RunNotReplayable: it is there and cannot be read.
        """
        ...

    async def latest(self, *, owner: Principal) -> RunId:
        """The owner's newest run.

        Raises:
            RunNotFound: there is none.
        """
        ...
