"""The protocols through which folders of one rank meet. Start reading here.

Those of search stand in `core/search.py`.

Each is small. Where there is more than one implementation, a suite runs over all of them:
`tests/contracts` for the ledger, `tests/conformance` for sandboxes.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from types import TracebackType
from typing import Literal, Protocol, Self, TypeAlias

from toolweft.core.calls import Blob, Failure, Principal, RawResult, ToolCall, ToolResult
from toolweft.core.countdown import Countdown
from toolweft.core.events import Event
from toolweft.core.ids import RunId, SourceName, ToolName
from toolweft.core.json import Json, JsonObject
from toolweft.core.programs import (
    SESSION_LIMITS,
    LimitName,
    ProgramError,
    ProgramLimits,
    ProgramStats,
)
from toolweft.core.snapshot import CatalogTool, Snapshot, SourceStatus
from toolweft.core.tools import ToolDefinition

__all__ = (
    "GuestBlob",
    "GuestCall",
    "GuestCallHandler",
    "GuestNames",
    "GuestReply",
    "IsolationReport",
    "Ledger",
    "LedgerReader",
    "Policy",
    "Proceed",
    "SandboxBackend",
    "SandboxCapabilities",
    "SandboxOutcome",
    "SandboxSession",
    "SnapshotHolder",
    "Source",
    "SourceListener",
)


# ------------------------------------------------------------------------------------- sources


class SourceListener(Protocol):
    """Who hears of a source's tools and state: the catalog."""

    async def prepare(self, status: SourceStatus, definitions: Sequence[ToolDefinition]) -> None:
        """Look through what `source_changed` is about to be told, without holding up the loop.

        A source that may have thousands of tools awaits this first; the others need not.
        """
        ...

    def source_changed(
        self, status: SourceStatus, definitions: Sequence[ToolDefinition] | None
    ) -> None:
        """Take a source's new state; `definitions` is None where the tools stay as they were."""
        ...


class Source(Protocol):
    """Where tools come from."""

    @property
    def name(self) -> SourceName:
        """The configured name: the namespace of its tools."""
        ...

    async def call_tool(self, name: ToolName, call: ToolCall) -> RawResult:
        """Use one tool.

        Args:
            name: the tool's original name.
            call: on whose behalf; its arguments stand under their original names and are valid.
                The road ends the call with its countdown by cancelling; a source may pass it on,
                and holds it while it waits for a person. Ask it again rather than note a time.
                Questions go to its client.

        Raises:
            SourceUnavailable: the source is down or broke off.
            ResultTooLarge: an answer is above what the source reads.
        """
        ...


# ------------------------------------------------------------------------------------- catalog


class SnapshotHolder(Protocol):
    """Who knows the current snapshot."""

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot; hold it for one piece of work, then ask again."""
        ...


# --------------------------------------------------------------------------------------- calls

Proceed: TypeAlias = Callable[[ToolCall, CatalogTool], Awaitable[ToolResult]]


class Policy(Protocol):
    """One small wrapper around a call, with one job."""

    async def __call__(self, call: ToolCall, tool: CatalogTool, proceed: Proceed) -> ToolResult:
        """Let the call through by awaiting `proceed`, change it, or raise a `ToolweftError`."""
        ...


class Ledger(Protocol):
    """Where events are recorded, in the order given."""

    @property
    def durability(self) -> str:
        """What a committed event survives: "process kill" or "power loss"."""
        ...

    def record(self, event: Event) -> None:
        """Queue an event; it is written as soon as the writer is free.

        Raises:
            LedgerUnavailable: the writer cannot write.
        """
        ...

    async def commit(self, event: Event) -> None:
        """Write an event and return once it is committed.

        Raises:
            LedgerUnavailable: the writer cannot write.
        """
        ...

    async def flush(self) -> None:
        """Return once every event recorded before is committed."""
        ...


class LedgerReader(Protocol):
    """Reads what the ledger holds; newest first."""

    async def runs(self, *, principal: Principal | None, limit: int) -> Sequence[JsonObject]:
        """The latest runs, one row each, with the events' own field names."""
        ...

    async def run(self, run_id: RunId) -> JsonObject | None:
        """One run with `calls`, its calls in order; None where there is no such run."""
        ...

    async def totals(self, *, principal: Principal | None) -> Mapping[str, Json]:
        """Counts and sums over all calls: calls, failures, tokens_out, tokens_withheld."""
        ...

    async def models(
        self,
        *,
        since: datetime,
        until: datetime,
        principal: Principal | None = None,
        run_id: RunId | None = None,
    ) -> Sequence[JsonObject]:
        """What each model took and cost in each role from `since` to before `until`."""
        ...

    async def used_queries(self, *, tenant: str, limit: int) -> Sequence[tuple[str, str]]:
        """A tenant's queries whose text was kept, each with a tool called after it, once each."""
        ...


# ------------------------------------------------------------------------------------- sandbox


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestNames:
    """What a program finds bound; everything resolves lazily, by name, in the host."""

    # `github` -> github.list_issues(...) reaches the host as "github.list_issues".
    namespaces: tuple[str, ...] = ()
    # `list_issues(...)` reaches the host as "list_issues".
    functions: tuple[str, ...] = ()
    # `load(handle)`, which reaches the host as "load.info" and "load.read".
    has_handles: bool = False
    # `worker(prompt)` and `worker_map(items, prompt)`, which reach the host as "worker".
    has_workers: bool = False
    # Full name -> parameter names, for the few functions that take arguments by position too.
    positional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestCall:
    """A program asks for a call. The host side of the channel counted it; nothing is checked."""

    # From 1 within the run.
    index: int
    name: str
    # JSON text as the guest sent it: at most `max_argument_bytes`, not parsed.
    arguments: bytes
    # The program's line, from 1, as far as the guest knows; for display only.
    line: int | None
    # The run's: the very clock by which its wall time is up.
    countdown: Countdown


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestBlob:
    """Bytes that stand in a reply: at the top (position None) or as item of a top-level list."""

    position: int | None
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestReply:
    """The answer to a `GuestCall`."""

    # JSON text, passed through and decoded inside; blobs stand as null.
    payload: bytes = b"null"
    blobs: tuple[GuestBlob, ...] = ()
    # Set: the result is stored, and the program gets a handle with these facts instead.
    handle: JsonObject | None = None
    # Set: the program gets a ToolError instead.
    failure: Failure | None = None


GuestCallHandler: TypeAlias = Callable[[GuestCall], Awaitable[GuestReply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOutcome:
    """How one piece of code ended inside."""

    status: Literal["ok", "error", "invalid", "limit", "crashed", "cancelled"]
    limit: LimitName | None = None
    stdout: str = ""
    stdout_characters: int = 0
    # JSON text of the last expression's value; b"" where there is none.
    value: bytes = b""
    value_is_repr: bool = False
    # The images and sounds in the value, in order; each stands there as its type and size.
    media: tuple[Blob, ...] = ()
    error: ProgramError | None = None
    stats: ProgramStats


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxCapabilities:
    """What a backend can do; what it lacks is said, never hidden."""

    # "process"
    backend: str
    # "ns", "landlock", "noopen", "unsafe"
    tier: str
    # "CPython 3.11.7"
    language: str
    state: bool = True
    # All of Python's syntax; without it a program that uses more is invalid and nothing of it runs.
    full_language: bool = True
    full_asyncio: bool = True
    standard_library: bool = True
    # Any module of it can be imported, not only those that were loaded before the lock.
    every_module: bool = True
    # A writable scratch folder.
    files: bool = True
    # The limit on that folder bounds the number of files too; else many end as much memory.
    counted_files: bool = True
    # Stored results can be read inside, with `load`.
    handles: bool = False
    # Packages a program may ask for: the environment's name -> what was installed, "numpy 2.4.6".
    environments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # The limits that programs are held to; the others have nothing to limit there.
    limits: frozenset[LimitName] = SESSION_LIMITS
    # Those of them that end the session together with the run that met them.
    ended_by: frozenset[LimitName] = frozenset()
    # A session lives on after its run was cancelled, unless the program ignored that.
    survives_cancelling: bool = True
    # A ToolError has `code`, `message` and `hint`, and bytes from tools their media type.
    rich_results: bool = True
    # Whether anything keeps programs from the machine they run on.
    is_isolated: bool = True
    # What programs have to do without, in words for whoever writes them; empty for nothing.
    lacks: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolationReport:
    """Whether one tier held in its dry run, and the reason where it did not."""

    tier: str
    holds: bool
    reason: str = ""
    # What to do about the reason; "" where that is not known.
    hint: str = ""


class SandboxSession(Protocol):
    """One live container's inside; it keeps variables between runs."""

    @property
    def is_alive(self) -> bool:
        """Whether another run is possible."""
        ...

    def memory_bytes(self) -> int:
        """What it holds now beside what all sessions share; 0 where nobody knows."""
        ...

    def stop(self, limit: LimitName, error: ProgramError) -> None:
        """End the run that is going, at once, and the session with it; without a run, nothing.

        Args:
            limit: the reason, which the run's outcome names.
            error: of the run's outcome.
        """
        ...

    async def run(
        self,
        code: str,
        *,
        names: GuestNames,
        limits: ProgramLimits,
        on_call: GuestCallHandler,
        on_output: Callable[[str], None] | None = None,
    ) -> SandboxOutcome:
        """Run one piece of code to its end.

        Never raises for what the code does. Cancelling the await stops the run and every call it
        has in flight; the session may be dead afterwards.

        Args:
            code: source text with top-level `await`.
            names: what is bound for this run, beside what earlier runs left.
            limits: of this run; memory, disk and threads were fixed when the session opened.
            on_call: answers calls, concurrently up to `max_in_flight`; may take as long as it
                likes within the wall time, which stands still while it holds the call's
                `countdown`. What it answers once that is over is not told.
            on_output: gets printed text as it is printed, in order, at most `kept_characters`.
        """
        ...

    async def close(self) -> None:
        """End the child; idempotent."""
        ...


class SandboxBackend(Protocol):
    """Opens sessions. It gets code and names, and knows nothing of catalogs."""

    async def __aenter__(self) -> Self:
        """Prove the isolation and get ready.

        Raises:
            SandboxUnavailable: no tier holds; the message says why for each.
        """
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End every session."""
        ...

    @property
    def capabilities(self) -> SandboxCapabilities:
        """What was proven at start."""
        ...

    @property
    def reports(self) -> Sequence[IsolationReport]:
        """Every tier's dry run, strongest first."""
        ...

    async def open(
        self, limits: ProgramLimits, *, environment: str | None = None
    ) -> SandboxSession:
        """A fresh session.

        Args:
            limits: of all its runs.
            environment: packages its programs may import, by name; None for none.

        Raises:
            SandboxUnavailable: it could not be made, or there is no such environment.
        """
        ...
