"""The runs that are going or were a short while ago, each known to its principal alone."""

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

import anyio

from toolweft.core.calls import Principal
from toolweft.core.client import CallingClient
from toolweft.core.clock import Clock
from toolweft.core.countdown import Countdown
from toolweft.core.errors import RunNotFound, ToolweftError
from toolweft.core.ids import ContainerId, RunId
from toolweft.core.ports import GuestCallHandler
from toolweft.core.programs import Container, ProgramLimits, ProgramOutcome
from toolweft.core.workers import Workers
from toolweft.programs.asking import RunClient

__all__ = ("OnOutput", "Run", "RunTable", "Watch")

log = logging.getLogger(__name__)

# Gets printed text as it is printed.
OnOutput: TypeAlias = Callable[[str], None]

# The run that begins in its container, and who answers its calls -> who answers them instead.
Watch: TypeAlias = Callable[["Run", GuestCallHandler], GuestCallHandler]

# Finished runs of one principal kept for whoever asks again.
MAX_KEPT = 256
# What they printed and their values as JSON text with their media; read, a value of many small
# parts takes some twenty times as much memory. The newest is kept whatever its size.
MAX_KEPT_BYTES = 2 * 1024 * 1024


@dataclass(slots=True, kw_only=True, eq=False)
class Run:
    """One execution of a program, from its request on."""

    id: RunId
    principal: Principal
    code: str
    container_id: ContainerId | None
    limits: ProgramLimits
    # Packages it may import, by name.
    environment: str | None = None
    # Answer its `worker` calls; None where nobody does.
    workers: Workers | None = None
    # Who is asked what its calls ask; set before it begins.
    client: RunClient | None = None
    on_output: OnOutput | None = None
    watch: Watch | None = None
    # Set once it is in one.
    container: Container | None = None
    printed: list[str] = field(default_factory=list)
    # One of the two is set when it is over: how it ended, or why it never began.
    outcome: ProgramOutcome | None = None
    refusal: ToolweftError | None = None
    # Why it was stopped from outside, if it was.
    stop_reason: str = ""
    finished_s: float | None = None
    # The size of its value as JSON text with its media, and of what it printed, once it is over.
    kept_bytes: int = 0
    finished: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    def take_output(self, text: str) -> None:
        """Keep what was printed and pass it on to whoever listens now."""
        self.printed.append(text)
        if self.on_output is None:
            return
        try:
            self.on_output(text)
        except Exception:
            # A listener's fault is not the program's: it hears no more, and the run goes on.
            log.exception("program.listener_failed", extra={"run_id": self.id})
            self.on_output = None

    def stop(self, reason: str) -> None:
        """End it from outside; its outcome says why."""
        self.stop_reason = reason
        self.scope.cancel()

    async def wait(
        self, countdown: Countdown, client: CallingClient, *, on_output: OnOutput | None
    ) -> None:
        """Return when it or the countdown is over; meanwhile the client is asked, and listens."""
        assert self.client is not None, "it was started"
        if self.finished.is_set():
            return
        self.on_output = on_output
        try:
            with (
                anyio.CancelScope() as scope,
                countdown.drive(scope, anyio.current_time),
                self.client.attend(client, countdown),
            ):
                await self.finished.wait()
        finally:
            if self.on_output is on_output:
                self.on_output = None

    def finish(self, now_s: float) -> None:
        """Note that it is over; what only a going run needs is dropped."""
        self.code = ""
        self.printed.clear()
        self.finished_s = now_s
        self.finished.set()

    def so_far(self) -> ProgramOutcome:
        """How it ended, or that it is still going and what it has printed.

        Raises:
            ToolweftError: it never began; the error says why.
        """
        if self.refusal is not None:
            raise self.refusal
        if self.outcome is not None:
            return self.outcome
        stdout = "".join(self.printed)
        is_parked = self.client is not None and self.client.is_parked
        return ProgramOutcome(
            run_id=self.id,
            status="awaiting_input" if is_parked else "running",
            stdout=stdout,
            stdout_characters=len(stdout),
            container=self.container,
        )


class RunTable:
    """Runs that were started to be waited for.

    Args:
        clock: decides how long a finished run is kept.
        keep_finished_s: for how long.
    """

    def __init__(self, *, clock: Clock, keep_finished_s: float) -> None:
        self._clock = clock
        self._keep_finished_s = keep_finished_s
        self._runs: dict[RunId, Run] = {}
        # Those of them that were going when last looked at.
        self._going: dict[RunId, Run] = {}
        self._finished: dict[Principal, _Finished] = {}

    def add(self, run: Run) -> None:
        """Know a run from now on."""
        self._forget_too_many()
        self._runs[run.id] = self._going[run.id] = run

    def find(self, run_id: RunId, *, principal: Principal) -> Run:
        """The principal's run.

        Raises:
            RunNotFound: unknown, forgotten, or somebody else's; all read the same.
        """
        self._forget_too_many()
        run = self._runs.get(run_id)
        if run is None or run.principal != principal or self._is_old(run):
            raise RunNotFound(
                f"there is no run {run_id!r}",
                hint="run the code again: finished runs are forgotten after"
                f" {self._keep_finished_s:g} s, and before where there are more than {MAX_KEPT}"
                f" or they hold more than {MAX_KEPT_BYTES // 1024**2} MiB, oldest first",
            )
        return run

    def forget_old(self) -> None:
        """Drop finished runs that are too old or too many, oldest first; the reaper calls it."""
        self._forget_too_many()
        for principal, finished in list(self._finished.items()):
            while finished.runs and self._is_old(finished.runs[0]):
                del self._runs[finished.take_oldest().id]
            if not finished.runs:
                del self._finished[principal]

    def _forget_too_many(self) -> None:
        """What it costs depends on the runs that are going, not on those that are kept."""
        ended = [run for run in self._going.values() if run.finished_s is not None]
        for run in sorted(ended, key=lambda run: run.finished_s or 0.0):
            del self._going[run.id]
            finished = self._finished.setdefault(run.principal, _Finished())
            finished.add(run)
            while finished.are_too_many:
                del self._runs[finished.take_oldest().id]

    def _is_old(self, run: Run) -> bool:
        limit_s = self._clock.monotonic_s() - self._keep_finished_s
        return run.finished_s is not None and run.finished_s <= limit_s


class _Finished:
    """The finished runs of one principal, oldest first."""

    def __init__(self) -> None:
        self.runs: deque[Run] = deque()
        self._kept_bytes = 0

    @property
    def are_too_many(self) -> bool:
        is_too_much = self._kept_bytes > MAX_KEPT_BYTES and len(self.runs) > 1
        return is_too_much or len(self.runs) > MAX_KEPT

    def add(self, run: Run) -> None:
        self.runs.append(run)
        self._kept_bytes += run.kept_bytes

    def take_oldest(self) -> Run:
        run = self.runs.popleft()
        self._kept_bytes -= run.kept_bytes
        return run
