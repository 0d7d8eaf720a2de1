"""One event of each kind."""

from datetime import UTC, datetime

from toolweft.core.calls import DIRECT, Caller, Principal
from toolweft.core.events import (
    CallFinished,
    CallStarted,
    ContentUsed,
    ModelReplied,
    RunFinished,
    RunStarted,
    SearchDone,
)
from toolweft.core.ids import CallId, ContainerId, RunId
from toolweft.core.models import ModelRole, TokenUsage
from toolweft.core.programs import ProgramStats

AT = datetime(2026, 3, 4, 5, 6, 7, 89_000, tzinfo=UTC)
ANN = Principal("acme", "ann", "key_1")
BOB = Principal("acme", "bob")


def call_started(
    call_id: str = "call_1",
    *,
    run_id: str | None = None,
    index: int = 1,
    tool: str = "s.t",
    principal: Principal = ANN,
) -> CallStarted:
    caller = DIRECT
    if run_id is not None:
        caller = Caller(type="programmatic", program_id=RunId(run_id), call_index=index)
    return CallStarted(
        call_id=CallId(call_id),
        at=AT,
        principal=principal,
        caller=caller,
        tool=tool,
        severity="read_only",
        bytes_in=15,
    )


def call_finished(
    call_id: str = "call_1", *, status: str = "ok", principal: Principal = ANN, tokens: int = 10
) -> CallFinished:
    return CallFinished(
        call_id=CallId(call_id),
        at=AT,
        principal=principal,
        status=status,
        duration_ms=1.5,
        bytes_out=4 * tokens,
        tokens_out=tokens,
        tokens_withheld=tokens,
    )


def run_started(run_id: str = "run_1", *, principal: Principal = ANN) -> RunStarted:
    return RunStarted(
        run_id=RunId(run_id),
        at=AT,
        principal=principal,
        container_id=ContainerId("c_1"),
        backend="process/ns",
        code_sha256="ab" * 32,
        code_bytes=120,
    )


def run_finished(
    run_id: str = "run_1", *, principal: Principal = ANN, line: int | None = None
) -> RunFinished:
    return RunFinished(
        run_id=RunId(run_id),
        at=AT,
        principal=principal,
        status="ok",
        limit=None,
        error_type=None,
        error_line=line,
        stats=ProgramStats(wall_s=1.5, calls=2, tokens_withheld=30),
    )


def search_done() -> SearchDone:
    return SearchDone(at=AT, principal=ANN, run_id=None, queries=2, hits=7, duration_ms=0.4)


def model_replied(
    model: str = "lab:small",
    *,
    role: ModelRole = "worker",
    run_id: str | None = "run_1",
    status: str = "ok",
    cost_usd: float | None = 0.25,
    at: datetime = AT,
    principal: Principal = ANN,
) -> ModelReplied:
    return ModelReplied(
        at=at,
        principal=principal,
        run_id=None if run_id is None else RunId(run_id),
        role=role,
        model=model,
        status=status,
        duration_ms=12.5,
        usage=TokenUsage(
            input_tokens=100,
            cache_read_tokens=20,
            cache_write_tokens=3,
            output_tokens=40,
            reasoning_tokens=5,
        ),
        cost_usd=cost_usd,
    )


def content_used() -> ContentUsed:
    return ContentUsed(
        call_id=CallId("call_1"),
        at=AT,
        principal=ANN,
        what="docs: resources/read memo://1",
        status="ok",
        duration_ms=1.5,
        bytes_out=40,
    )


EVERY_KIND = (
    content_used(),
    call_started(),
    call_finished(),
    run_started(),
    run_finished(),
    search_done(),
    model_replied(),
)
