from typing import Any

import pytest

from toolweft.core.errors import ContextFull, ProviderError, RemoteContainerGone
from toolweft.providers.anthropic.failures import build_error


def fail(status: int | None, kind: str, message: str = "No.", **fields: Any) -> ProviderError:
    body = {"type": "error", "error": {"type": kind, "message": message}}
    return build_error(body, where="anthropic:m", status=status, **fields)


@pytest.mark.parametrize(
    ("status", "kind", "is_retryable"),
    [
        (400, "invalid_request_error", False),
        (401, "authentication_error", False),
        (402, "billing_error", False),
        (403, "permission_error", False),
        (404, "not_found_error", False),
        (409, "conflict_error", False),
        (429, "rate_limit_error", True),
        (500, "api_error", True),
        (502, "api_error", True),
        (503, "api_error", True),
        (504, "timeout_error", True),
        (529, "overloaded_error", True),
    ],
)
def test_what_may_pass_is_retryable(status: int, kind: str, is_retryable: bool) -> None:
    error = fail(status, kind)

    assert (error.is_retryable, error.status) == (is_retryable, status)
    assert error.message == f"anthropic:m: No. ({status}, {kind})"


@pytest.mark.parametrize("status", [401, 403, 404, 429, 529])
def test_what_a_user_can_do_about_it_is_said(status: int) -> None:
    assert fail(status, "x").hint


@pytest.mark.parametrize(
    "error",
    [
        fail(400, "invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        fail(400, "invalid_request_error", "input length and `max_tokens` exceed context limit"),
        fail(413, "request_too_large"),
    ],
)
def test_a_history_that_does_not_fit_is_told_apart(error: ProviderError) -> None:
    assert isinstance(error, ContextFull)
    assert not error.is_retryable


def test_a_container_that_is_gone_is_told_apart_from_a_model_that_is_not_there() -> None:
    gone = fail(404, "not_found_error", "Container not found", container_id="c")

    assert isinstance(gone, RemoteContainerGone)
    assert not gone.is_retryable
    assert not isinstance(fail(404, "not_found_error", "model: m", container_id="c"), type(gone))
    assert not isinstance(fail(404, "not_found_error", "Container not found"), type(gone))


def test_an_error_told_within_a_stream_has_the_status_of_its_kind() -> None:
    error = fail(None, "overloaded_error", "Overloaded")

    assert (error.status, error.is_retryable) == (529, True)


def test_a_code_is_told_and_a_long_text_is_cut() -> None:
    body = {"error": {"type": "t", "message": "x" * 9_000, "details": {"error_code": "the_code"}}}

    message = build_error(body, where="w", status=400).message

    assert len(message) < 600
    assert message.endswith("(400, t, the_code)")


@pytest.mark.parametrize("body", [None, "", "<html>", [], {"error": "text"}, {"error": None}, 3])
def test_any_body_is_an_error(body: Any) -> None:
    assert build_error(body, where="w", status=502).is_retryable
