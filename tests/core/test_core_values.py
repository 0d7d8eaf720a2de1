"""Callers, results, containers, outcomes and secrets print as wires and people expect."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolweft.core.budgets import estimate_tokens
from toolweft.core.calls import DIRECT, MISSING, Blob, Caller, Failure, Principal, ToolResult
from toolweft.core.clock import RandomIds, SystemClock
from toolweft.core.errors import CallTimeout, ToolNotFound
from toolweft.core.ids import CallId, ContainerId, RunId
from toolweft.core.programs import CallRecord, Container, ProgramError, ProgramOutcome
from toolweft.core.secret import Secret, reveal
from toolweft.core.tools import ToolSpec

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
CONTAINER = Container(
    id=ContainerId("c_1"),
    expires_at=NOON,
    last_active_at=NOON - timedelta(minutes=1),
    status="idle",
    backend="process/ns",
)


def test_a_direct_caller_prints_its_type_alone() -> None:
    assert DIRECT.to_dict() == {"type": "direct"}


def test_a_program_prints_its_id_under_every_spelling() -> None:
    printed = Caller(type="programmatic", program_id=RunId("r_1"), call_index=3).to_dict()
    assert printed["program_id"] == printed["execution_id"] == printed["tool_id"] == "r_1"
    assert printed["call_index"] == 3


def test_a_failed_result_prints_its_failure() -> None:
    failure = Failure(code="timeout", message="too late", hint="ask for less", retryable=True)
    printed = ToolResult(call_id=CallId("1"), is_error=True, failure=failure).to_dict()
    assert printed["is_error"] is True
    assert printed["error"]["code"] == "timeout"
    assert printed["error"]["retryable"] is True


def test_a_blob_in_a_result_prints_as_its_media_type_and_size() -> None:
    blob = Blob(data=b"1234", media_type="image/png")
    shown = {"media_type": "image/png", "size_bytes": 4}
    assert ToolResult(call_id=CallId("1"), value=blob).to_dict()["value"] == shown
    assert ToolResult(call_id=CallId("1"), value=[1, blob]).to_dict()["value"] == [1, shown]
    assert ToolResult(call_id=CallId("1"), value=None).to_dict()["value"] is None
    assert repr(MISSING) == "MISSING"


@pytest.mark.parametrize(
    ("after_s", "expired", "remaining_s"), [(-10, False, 10.0), (0, True, 0.0), (5, True, 0.0)]
)
def test_a_container_is_over_at_its_expiry_too(
    after_s: float, expired: bool, remaining_s: float
) -> None:
    now = NOON + timedelta(seconds=after_s)
    assert CONTAINER.is_expired(now) is expired
    assert CONTAINER.time_remaining_s(now) == remaining_s


def test_an_outcome_prints_as_plain_json() -> None:
    call = CallRecord(
        call_id=CallId("k"),
        execution_id=RunId("r_1"),
        index=1,
        tool="git.log",
        line=2,
        status="ok",
        duration_ms=1.23456,
        bytes_out=4,
        tokens_out=1,
    )
    outcome = ProgramOutcome(
        run_id=RunId("r_1"),
        status="error",
        error=ProgramError(type="ValueError", message="no", line=3),
        calls=(call,),
        container=CONTAINER,
    )
    printed = json.loads(json.dumps(outcome.to_dict()))
    assert printed["run_id"] == printed["execution_id"] == "r_1"
    assert printed["error"]["line"] == 3
    assert printed["calls"][0]["tool_id"] == "r_1"
    assert printed["calls"][0]["duration_ms"] == 1.235
    assert printed["container"]["expires_at"] == "2026-01-01T12:00:00+00:00"
    assert ProgramOutcome(run_id=RunId("r"), status="ok").to_dict()["container"] is None


def test_a_secret_is_never_printed() -> None:
    secret = Secret("s3cr3t", reference="env:KEY")
    assert f"{secret} {secret!r} {[secret]}" == "*** *** [***]"
    assert reveal(secret) == reveal("s3cr3t") == secret.reveal()
    assert secret == Secret("s3cr3t", reference="elsewhere")
    assert len({secret, Secret("s3cr3t", reference="x"), Secret("other", reference="x")}) == 2
    assert secret != "s3cr3t"


def test_an_error_says_its_hint_where_it_has_one() -> None:
    assert str(ToolNotFound("no 'x'", hint="look for 'y'")) == "no 'x' (look for 'y')"
    assert str(ToolNotFound("no 'x'")) == "no 'x'"
    assert (CallTimeout.code, CallTimeout.retryable) == ("timeout", True)


@given(st.integers(0, 10**9))
def test_tokens_are_estimated_as_bytes_over_four_rounded_up(size_bytes: int) -> None:
    assert 4 * estimate_tokens(size_bytes) - size_bytes in range(4)


def test_the_systems_clock_and_ids_are_real() -> None:
    clock = SystemClock()
    assert clock.monotonic_s() <= clock.monotonic_s()
    assert clock.now().utcoffset() == timedelta(0)
    first, second = RandomIds().new("run"), RandomIds().new("run")
    assert first != second
    assert first.startswith("run_")


def test_a_declaration_prints_without_its_handler() -> None:
    printed = ToolSpec(name="add", handler=print).to_dict()
    assert printed["name"] == "add"
    assert "handler" not in printed


def test_one_user_is_one_principal_with_every_key() -> None:
    assert Principal("acme", "ann", "k1") == Principal("acme", "ann", "k2")
    assert len({Principal("acme", "ann", "k1"), Principal("acme", "ann")}) == 1
    assert Principal("acme", "ann", "k1") != Principal("acme", "ben", "k1")
