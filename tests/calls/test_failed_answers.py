import logging

import pytest

from toolweft.calls.caller import answer
from toolweft.core.calls import ToolResult
from toolweft.core.errors import CallTimeout, ToolweftError
from toolweft.core.ids import CallId

ID = CallId("call_1")


async def fail(error: Exception) -> ToolResult:
    raise error


async def test_an_error_of_ours_keeps_code_message_and_hint() -> None:
    result = await answer(ID, fail(CallTimeout("too slow", hint="wait longer")))

    assert result.call_id == ID
    assert result.is_error
    assert result.failure is not None
    assert (result.failure.code, result.failure.message, result.failure.hint) == (
        "timeout",
        "too slow",
        "wait longer",
    )
    assert result.failure.retryable


async def test_a_foreign_error_is_named_and_logged_once_without_its_message(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.ERROR):
        result = await answer(ID, fail(KeyError("secret")))

    assert result.failure is not None
    assert result.failure.code == "internal_error"
    assert result.failure.message == "KeyError: 'secret'"
    (record,) = caplog.records
    assert record.message == "call.failed_unexpectedly"
    assert record.__dict__["error_type"] == "KeyError"
    assert "secret" not in caplog.text


async def test_the_message_of_a_foreign_error_is_bounded() -> None:
    result = await answer(ID, fail(ValueError("x" * 1_000_000)))

    assert result.failure is not None
    assert len(result.failure.message) == 2_000


async def test_a_group_of_one_error_is_that_error() -> None:
    inner = ExceptionGroup("tasks", [CallTimeout("too slow")])

    result = await answer(ID, fail(ExceptionGroup("more tasks", [inner])))

    assert result.failure is not None
    assert result.failure.code == "timeout"


async def test_a_group_of_several_errors_is_unexpected() -> None:
    errors = [ToolweftError("one"), ToolweftError("two")]

    result = await answer(ID, fail(ExceptionGroup("tasks", errors)))

    assert result.failure is not None
    assert result.failure.code == "internal_error"
