"""Runs programs at once or in the background, and tells how they go.

It knows no tool and no model. The toolbox, the library and the command line call it.
"""

from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup

from toolweft.core.calls import Principal
from toolweft.core.client import NOBODY, CallingClient
from toolweft.core.clock import Clock, IdSource
from toolweft.core.countdown import Countdown
from toolweft.core.handles import HandleStore
from toolweft.core.ids import ContainerId, RunId
from toolweft.core.ports import (
    Ledger,
    SandboxBackend,
    SandboxCapabilities,
    SnapshotHolder,
)
from toolweft.core.programs import ProgramGauges, ProgramLimits, ProgramOutcome
from toolweft.core.search import Searcher
from toolweft.core.workers import Workers
from toolweft.programs.asking import RunClient
from toolweft.programs.bridge import CallRoad, Desk, ReaderFor
from toolweft.programs.execution import Execution
from toolweft.programs.journalling import JournalKeeper
from toolweft.programs.limits import check_limits
from toolweft.programs.options import ProgramOptions
from toolweft.programs.pool import ContainerPool
from toolweft.programs.runs import OnOutput, Run, RunTable, Watch
from toolweft.programs.upkeep import reap, watch_memory

__all__ = ("ProgramRunner",)


class ProgramRunner:
    """Runs programs for principals, in containers that keep their variables.

    An async context manager: leaving it cancels every run and ends every container.

    Args:
        backend: where programs run; already entered.
        road: makes their calls.
        holder: knows the newest snapshot.
        searcher: finds tools.
        ledger: records runs and searches.
        clock: for deadlines and expiry.
        ids: names runs and containers.
        options: limits, checks and containers.
        handles: keeps results that are too large to hand over.
        journal: keeps what runs asked and got.
        reader_for: reads the resources that links lead to, for a principal.
    """

    def __init__(  # noqa: PLR0913 -- everything it uses is handed in; nothing is looked up
        self,
        *,
        backend: SandboxBackend,
        road: CallRoad,
        holder: SnapshotHolder,
        searcher: Searcher,
        ledger: Ledger,
        clock: Clock,
        ids: IdSource,
        options: ProgramOptions,
        handles: HandleStore | None = None,
        journal: JournalKeeper | None = None,
        reader_for: ReaderFor | None = None,
    ) -> None:
        self._backend = backend
        self._desk = Desk(
            road=road,
            holder=holder,
            searcher=searcher,
            ledger=ledger,
            clock=clock,
            handles=handles,
            reader_for=reader_for,
        )
        self._ids = ids
        self._options = options
        self._runs = RunTable(clock=clock, keep_finished_s=options.keep_finished_s)
        containers = options.containers
        self._pool = ContainerPool(backend=backend, clock=clock, ids=ids, options=containers)
        self._execution = Execution(
            backend=backend,
            desk=self._desk,
            pool=self._pool,
            options=options,
            journal=journal or JournalKeeper(),
        )
        self._exits = AsyncExitStack()
        self._tasks: TaskGroup | None = None

    async def __aenter__(self) -> Self:
        """Start to end containers whose time is up."""
        self._exits.push_async_callback(self._pool.close_all)
        self._tasks = await self._exits.enter_async_context(anyio.create_task_group())
        self._exits.callback(self._tasks.cancel_scope.cancel)
        self._tasks.start_soon(reap, self._pool, self._runs)
        self._tasks.start_soon(watch_memory, self._pool)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Cancel every run and end every container."""
        self._tasks = None
        # Without the error: a task group would wrap it.
        await self._exits.aclose()

    @property
    def capabilities(self) -> SandboxCapabilities:
        """What the backend can do, as proven at its start."""
        return self._backend.capabilities

    @property
    def options(self) -> ProgramOptions:
        """The limits, checks and container times that hold unless a run says otherwise."""
        return self._options

    @property
    def pool(self) -> ContainerPool:
        """The containers, for whoever runs code whose calls reach no tool."""
        return self._pool

    async def run(  # noqa: PLR0913 -- all that one run may differ in
        self,
        code: str,
        *,
        principal: Principal,
        container_id: ContainerId | None = None,
        environment: str | None = None,
        limits: ProgramLimits | None = None,
        on_output: OnOutput | None = None,
        watch: Watch | None = None,
        workers: Workers | None = None,
        client: CallingClient = NOBODY,
    ) -> ProgramOutcome:
        """Run a program to its end; cancelling the await cancels the run.

        Args:
            code: Python source with top-level `await`.
            principal: on whose behalf it calls.
            container_id: a container of this principal to go on in; None for a fresh one.
            environment: packages the program may import, by name; None for none.
            limits: of this run; None for the configured ones.
            on_output: gets printed text as it is printed.
            watch: stands between the program and whoever answers its calls.
            workers: answer its `worker` calls; None where nobody does.
            client: who is asked what its calls ask.

        Raises:
            ContainerNotFound, ContainerExpired, ContainerBusy: about `container_id`.
            InvalidArguments: that container has another environment; a limit cannot be as asked.
            Overloaded: no container became free in time.
            SandboxUnavailable: no container could be made.
            LedgerUnavailable: the run could not be recorded, so it did not begin.
        """
        run = self._new_run(code, principal, container_id, limits)
        run.environment, run.workers = environment, workers
        run.on_output, run.watch = on_output, watch
        run.client = RunClient(client, park_s=self._options.park_s, stop=run.stop)
        with run.client.attend(client):
            await self._execute_apart(run)
        return run.so_far()

    async def start(  # noqa: PLR0913 -- as above
        self,
        code: str,
        *,
        principal: Principal,
        container_id: ContainerId | None = None,
        environment: str | None = None,
        limits: ProgramLimits | None = None,
        workers: Workers | None = None,
        client: CallingClient = NOBODY,
    ) -> RunId:
        """Begin a run in the background; `wait` tells how it goes, errors of `run` included."""
        run = self._new_run(code, principal, container_id, limits)
        run.environment, run.workers = environment, workers
        run.client = RunClient(client, park_s=self._options.park_s, stop=run.stop)
        assert self._tasks is not None, "the runner has been entered"
        self._runs.add(run)
        self._tasks.start_soon(self._execute_apart, run)
        return run.id

    async def wait(
        self,
        run_id: RunId,
        *,
        principal: Principal,
        wait_s: float,
        on_output: OnOutput | None = None,
        client: CallingClient = NOBODY,
    ) -> ProgramOutcome:
        """How a started run ended, or after `wait_s` that it goes on and what it printed.

        Where it asks something and nobody else waits for it, the status is "awaiting_input".

        Args:
            run_id: from `start`.
            principal: whoever started it.
            wait_s: at most this long, without the time in which it asks; cancelling the await does
                not cancel the run.
            on_output: gets what is printed while this waits.
            client: who is asked while this waits.

        Raises:
            RunNotFound: no such run of this principal, or it ended too long ago.
            ToolweftError: the run never began; as `run`.
        """
        run = self._runs.find(run_id, principal=principal)
        await run.wait(Countdown(wait_s, clock=self._desk.clock), client, on_output=on_output)
        return run.so_far()

    def cancel(self, run_id: RunId, *, principal: Principal, reason: str = "") -> None:
        """Stop a started run; one that is over stays as it is.

        Args:
            run_id: from `start`.
            principal: whoever started it.
            reason: what its outcome says of why.

        Raises:
            RunNotFound: no such run of this principal.
        """
        self._runs.find(run_id, principal=principal).stop(reason)

    async def close_container(self, container_id: ContainerId, *, principal: Principal) -> None:
        """End a container before its time; errors as of `ContainerPool.close`."""
        await self._pool.close(container_id, principal=principal)

    async def reset_container(self, container_id: ContainerId, *, principal: Principal) -> None:
        """Give a container a fresh start under its id; its variables are gone.

        Raises:
            ContainerNotFound: no such container of this principal.
            ContainerExpired: it is over.
            ContainerBusy: a run is in it.
            SandboxUnavailable: no fresh one could be made; it stays as it was.
        """
        await self._pool.reset(container_id, principal=principal)

    def gauges(self) -> ProgramGauges:
        """What all programs use now."""
        return self._pool.gauges(calls_in_flight=self._desk.traffic.calls_in_flight)

    # ---------------------------------------------------------------------------------- one run

    def _new_run(
        self,
        code: str,
        principal: Principal,
        container_id: ContainerId | None,
        limits: ProgramLimits | None,
    ) -> Run:
        if limits is not None:
            check_limits(limits)
        return Run(
            id=RunId(self._ids.new("run")),
            principal=principal,
            code=code,
            container_id=container_id,
            limits=limits or self._options.limits,
        )

    async def _execute_apart(self, run: Run) -> None:
        with run.scope:
            await self._execution.carry_out(run)
