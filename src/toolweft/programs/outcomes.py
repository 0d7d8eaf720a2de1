"""What came out of a run, put together: the sandbox's part, the calls, the container.

Pure. What a guest said of itself is shown, never trusted.
"""

import re
from collections.abc import Sequence
from dataclasses import replace

from toolweft.calls.measure import repair
from toolweft.core.budgets import estimate_tokens
from toolweft.core.ids import RunId
from toolweft.core.json import Json, decode_json
from toolweft.core.ports import SandboxOutcome
from toolweft.core.programs import (
    CallRecord,
    Container,
    ProgramError,
    ProgramOutcome,
    ProgramStats,
)
from toolweft.core.snapshot import Snapshot
from toolweft.programs.check import CheckReport
from toolweft.programs.handles import RunHandles

__all__ = ("build_outcome", "cancelled_outcome", "crashed_outcome", "refused_outcome")

_MAX_SHOWN_VALUE_CHARACTERS = 1_000
_UNKNOWN_NAME = re.compile(r"name '([A-Za-z_][A-Za-z0-9_]{0,99})' is not defined")


def build_outcome(  # noqa: PLR0913 -- an outcome has as many parts
    run_id: RunId,
    *,
    inside: SandboxOutcome,
    report: CheckReport,
    records: Sequence[CallRecord],
    container: Container,
    snapshot: Snapshot,
    handles: RunHandles,
) -> ProgramOutcome:
    """The outcome of a program that ran."""
    value, value_is_repr = _parse_value(inside)
    tokens_out = sum(record.tokens_out for record in records)
    tokens_out += estimate_tokens(handles.read_bytes())
    shown = estimate_tokens(len(inside.stdout.encode("utf-8", "replace")) + len(inside.value))
    return ProgramOutcome(
        run_id=run_id,
        status=inside.status,
        limit=inside.limit,
        stdout=inside.stdout,
        stdout_characters=inside.stdout_characters,
        value=value,
        value_is_repr=value_is_repr,
        media=inside.media,
        error=_with_near_tools(inside.error, snapshot),
        warnings=report.warnings,
        calls=_in_order(records),
        handles=tuple(handle.to_dict() for handle in handles.made),
        stats=replace(inside.stats, tokens_withheld=max(0, tokens_out - shown)),
        container=container,
    )


def refused_outcome(
    run_id: RunId, *, report: CheckReport, container: Container | None
) -> ProgramOutcome:
    """The outcome of a program that its check did not let run."""
    return ProgramOutcome(
        run_id=run_id,
        status="invalid" if report.limit is None else "limit",
        limit=report.limit,
        error=report.error,
        warnings=report.warnings,
        container=container,
    )


def cancelled_outcome(
    run_id: RunId,
    *,
    stdout: str,
    reason: str = "",
    records: Sequence[CallRecord] = (),
    took_s: float = 0.0,
    held_s: float = 0.0,
) -> ProgramOutcome:
    """The outcome of a run that was stopped from outside."""
    message = f"the run was stopped: {reason or 'from outside'}"
    hint = "calls that ended are done; run the rest again if it is still wanted"
    return ProgramOutcome(
        run_id=run_id,
        status="cancelled",
        stdout=stdout,
        stdout_characters=len(stdout),
        error=ProgramError(type="Cancelled", message=message, hint=hint),
        calls=_in_order(records),
        stats=_stats_of(records, took_s=took_s, held_s=held_s),
    )


def crashed_outcome(
    run_id: RunId,
    error: Exception,
    *,
    records: Sequence[CallRecord],
    took_s: float,
    held_s: float,
) -> ProgramOutcome:
    """The outcome of a run that its sandbox could not bring to an end."""
    return ProgramOutcome(
        run_id=run_id,
        status="crashed",
        error=ProgramError(type=type(error).__name__, message=str(error)[:1_000]),
        calls=_in_order(records),
        stats=_stats_of(records, took_s=took_s, held_s=held_s),
    )


def _stats_of(records: Sequence[CallRecord], *, took_s: float, held_s: float) -> ProgramStats:
    """What is known of a run whose sandbox did not say."""
    tokens = sum(record.tokens_out for record in records)
    return ProgramStats(
        wall_s=took_s - held_s, held_s=held_s, calls=len(records), tokens_withheld=tokens
    )


def _in_order(records: Sequence[CallRecord]) -> tuple[CallRecord, ...]:
    return tuple(sorted(records, key=lambda record: record.index))


def _parse_value(inside: SandboxOutcome) -> tuple[Json, bool]:
    if not inside.value:
        return None, False
    text = inside.value.decode("utf-8", "replace")
    try:
        value = decode_json(text)
        # Nobody could send a lone surrogate on; only an escape makes one.
        return (repair(value) if "\\u" in text else value), inside.value_is_repr
    except (ValueError, RecursionError):
        return text[:_MAX_SHOWN_VALUE_CHARACTERS], True


def _with_near_tools(error: ProgramError | None, snapshot: Snapshot) -> ProgramError | None:
    """Add tools of a like name where the program used a name that nothing has."""
    if error is None or error.type != "NameError" or error.hint:
        return error
    unknown = _UNKNOWN_NAME.search(error.message)
    near = snapshot.near_names(unknown[1]) if unknown else []
    if not near:
        return error
    return replace(error, hint=f"a tool? did you mean {', '.join(near)}?")
