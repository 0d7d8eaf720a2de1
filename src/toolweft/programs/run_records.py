"""What the ledger gets to know of a run: that it began, and how it ended."""

import hashlib
import logging

from toolweft.core.clock import Clock
from toolweft.core.errors import LedgerUnavailable
from toolweft.core.events import RunFinished, RunStarted
from toolweft.core.ports import Ledger
from toolweft.core.programs import ProgramOutcome
from toolweft.programs.containers import LiveContainer
from toolweft.programs.runs import Run

__all__ = ("record_end", "record_start")

log = logging.getLogger(__name__)


def record_start(ledger: Ledger, clock: Clock, run: Run, container: LiveContainer) -> None:
    """Record that a run begins.

    Raises:
        LedgerUnavailable: it cannot be recorded, so it must not begin.
    """
    code = run.code.encode("utf-8", "surrogatepass")
    ledger.record(
        RunStarted(
            run_id=run.id,
            at=clock.now(),
            principal=run.principal,
            container_id=container.id,
            backend=container.backend,
            code_sha256=hashlib.sha256(code).hexdigest(),
            code_bytes=len(code),
        )
    )


def record_end(ledger: Ledger, clock: Clock, run: Run, outcome: ProgramOutcome) -> None:
    """Record how a run ended; where that fails the log says so."""
    error = outcome.error
    finished = RunFinished(
        run_id=run.id,
        at=clock.now(),
        principal=run.principal,
        status=outcome.status,
        limit=outcome.limit,
        error_type=error.type if error else None,
        error_line=error.line if error else None,
        stats=outcome.stats,
    )
    try:
        ledger.record(finished)
    except LedgerUnavailable as exc:
        # The program has run, so its outcome is not thrown away; the next run is refused.
        log.error(  # noqa: TRY400 -- the reason says it all; frames of ours do not help
            "ledger.finish_lost", extra={"run_id": run.id, "reason": exc.message}
        )
