"""Carries one run out: check, container, sandbox, calls, outcome."""

import logging
from dataclasses import replace
from functools import partial

import anyio
import anyio.to_thread

from toolweft.core.client import NOBODY
from toolweft.core.errors import SandboxError, ToolweftError
from toolweft.core.ports import SandboxBackend, SandboxOutcome
from toolweft.core.programs import ProgramOutcome
from toolweft.programs.bridge import Desk, RunBridge
from toolweft.programs.check import CheckReport, check_program, collect_namespaces
from toolweft.programs.containers import LiveContainer
from toolweft.programs.journalling import JournalKeeper
from toolweft.programs.options import ProgramOptions
from toolweft.programs.outcomes import (
    build_outcome,
    cancelled_outcome,
    crashed_outcome,
    refused_outcome,
)
from toolweft.programs.per_snapshot import PerSnapshot
from toolweft.programs.pool import ContainerPool
from toolweft.programs.run_records import record_end, record_start
from toolweft.programs.runs import Run

__all__ = ("Execution",)

# Above this the check takes long enough for others to notice, so a thread does it.
_LONG_CODE_CHARACTERS = 16_000

log = logging.getLogger(__name__)


class Execution:
    """What every run goes through, from its code to its outcome.

    Args:
        backend: where programs run.
        desk: what their calls need.
        pool: lends containers.
        options: how programs are checked.
        journal: keeps what runs asked and got.
    """

    def __init__(
        self,
        *,
        backend: SandboxBackend,
        desk: Desk,
        pool: ContainerPool,
        options: ProgramOptions,
        journal: JournalKeeper,
    ) -> None:
        self._backend = backend
        self._desk = desk
        self._pool = pool
        self._options = options
        self._journal = journal
        self._namespaces = PerSnapshot(collect_namespaces)

    async def carry_out(self, run: Run) -> None:
        """Bring a run to its end and note it there; raises nothing but a cancellation."""
        try:
            run.outcome = await self._check_and_run(run)
        except ToolweftError as exc:
            run.refusal = exc
        except Exception as exc:  # one broken run must not end the others
            log.exception("program.run_failed", extra={"run_id": run.id})
            run.refusal = SandboxError(f"the run failed inside toolweft: {type(exc).__name__}")
        finally:
            if run.outcome is None and run.refusal is None:
                run.outcome = cancelled_outcome(
                    run.id, stdout="".join(run.printed), reason=run.stop_reason
                )
            if run.outcome is not None and run.outcome.status == "cancelled":
                run.outcome = replace(run.outcome, container=run.container)
            run.finish(self._desk.clock.monotonic_s())

    async def _check_and_run(self, run: Run) -> ProgramOutcome:
        snapshot = self._desk.holder.snapshot
        container: LiveContainer | None = None
        if run.container_id is not None:
            container = self._pool.find(run.container_id, principal=run.principal)
        check = partial(
            check_program,
            run.code,
            snapshot=snapshot,
            namespaces=self._namespaces.of(snapshot),
            # A copy: another run may end in the container while a thread reads this one.
            known=frozenset(container.known) if container else frozenset(),
            mode=self._options.static_check,
            max_code_bytes=run.limits.max_code_bytes,
            has_files=self._backend.capabilities.files,
            has_workers=run.workers is not None,
        )
        is_long = len(run.code) > _LONG_CODE_CHARACTERS
        report = await anyio.to_thread.run_sync(check) if is_long else check()
        if report.error is not None:
            seen = self._pool.describe(container) if container else None
            return refused_outcome(run.id, report=report, container=seen)
        try:
            async with self._pool.lend(
                run.container_id,
                principal=run.principal,
                limits=run.limits,
                environment=run.environment,
            ) as container:
                run.container = self._pool.describe(container)
                inside, bridge = await self._run_inside(run, container, report)
        finally:
            # It was given back, however the run ended: it is idle or over now.
            if container is not None and run.container is not None:
                run.container = self._pool.describe(container)
        outcome = build_outcome(
            run.id,
            inside=inside,
            report=report,
            records=bridge.records,
            handles=bridge.handles,
            container=run.container,
            snapshot=snapshot,
        )
        run.kept_bytes = len(inside.value) + len(inside.stdout)
        run.kept_bytes += sum(len(blob.data) for blob in inside.media)
        record_end(self._desk.ledger, self._desk.clock, run, outcome)
        return outcome

    async def _run_inside(
        self, run: Run, container: LiveContainer, report: CheckReport
    ) -> tuple[SandboxOutcome, RunBridge]:
        desk = self._desk
        started_s = desk.clock.monotonic_s()
        bridge = RunBridge.open(desk, run_id=run.id, principal=run.principal, limits=run.limits)
        bridge.workers, bridge.client = run.workers, run.client or NOBODY
        record_start(desk.ledger, desk.clock, run, container)
        notes = self._journal.open(run, container, report.names, clock=desk.clock)
        on_call = notes.watch(bridge.answer)
        container.learn(report.bound)
        try:
            notes.inside = inside = await container.session.run(
                run.code,
                names=report.names,
                limits=run.limits,
                on_call=on_call if run.watch is None else run.watch(run, on_call),
                on_output=run.take_output,
            )
        except Exception as exc:
            # Said to whoever waits by the error itself.
            took_s = desk.clock.monotonic_s() - started_s
            crashed = crashed_outcome(
                run.id, exc, records=bridge.records, took_s=took_s, held_s=bridge.held_s()
            )
            record_end(desk.ledger, desk.clock, run, crashed)
            raise
        except anyio.get_cancelled_exc_class():
            run.outcome = cancelled_outcome(
                run.id,
                stdout="".join(run.printed),
                reason=run.stop_reason,
                records=bridge.records,
                took_s=desk.clock.monotonic_s() - started_s,
                held_s=bridge.held_s(),
            )
            record_end(desk.ledger, desk.clock, run, run.outcome)
            raise
        finally:
            bridge.stop()
            notes.keep(bridge.records, desk.holder.snapshot, self._backend.capabilities.language)
        return inside, bridge
