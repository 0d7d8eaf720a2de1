"""Questions of a source that go to the client as they are, and come back with answers. Pure.

Where both sides speak 2026-07-28 a question ends the request, and nothing of it is kept here: the
source's own state goes out with the name of whose it is, sealed by the server, and comes back.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import mcp_types
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from toolweft.core.calls import Verbatim
from toolweft.core.client import CallingClient
from toolweft.core.ids import SourceName
from toolweft.core.json import JsonObject
from toolweft.gateway.clients import FrontClient
from toolweft.gateway.conversations import RequestContext
from toolweft.gateway.exchanges import Asking
from toolweft.gateway.passed import strip_stamp

__all__ = ("PassingWork", "Serve", "is_question", "read_round", "serve_passing")

# As `Exchanges.serve`; results need not be models, a source's answer stays raw.
Serve: TypeAlias = Callable[[RequestContext, Any, Callable[[Any], Awaitable[Any]]], Awaitable[Any]]
PassingWork: TypeAlias = Callable[[CallingClient, Verbatim | None], Awaitable[Any]]


# Before a state that was handed over; states of parked calls have no colon.
_HANDED_OVER: Final = "source:"
# The only revision that has the error -32042.
_URL_ERRORS: Final = "2025-11-25"


async def serve_passing(
    serve: Serve,
    request: RequestContext,
    params: Any,
    *,
    whose: tuple[str, str],
    work: PassingWork,
) -> Any:
    """What the work answers for a client that takes a source's questions as they are.

    Args:
        serve: as `Exchanges.serve`.
        request: of the client.
        params: with the client's answers, where it was asked before.
        whose: the source and its own name of what is used.
        work: gives the source's result as it came.

    Raises:
        MCPError: of the work; or the state belongs to something else.
    """
    verbatim, rest = read_round(params, whose=whose, revision=request.protocol_version)

    async def do(client: CallingClient) -> Any:
        try:
            result = await work(client, verbatim)
        except MCPError as exc:
            if not isinstance(client, FrontClient):
                raise
            raise client.failed(exc, source=SourceName(whose[0])) from exc
        is_raw = isinstance(result, dict) and is_question(result)
        return _wrap_question(result, whose) if is_raw else result

    return await serve(request, rest, do)


def is_question(result: JsonObject) -> bool:
    """Whether a result is one that asks."""
    return result.get("resultType") == "input_required"


def read_round(params: Asking, *, whose: tuple[str, str], revision: str) -> tuple[Verbatim, Asking]:
    """What of a request is for the source, and the rest of it.

    Args:
        params: of the request, its state already unsealed.
        whose: the source and its own name of what is used.
        revision: of the client.

    Raises:
        MCPError: the state belongs to something else.
    """
    if revision not in MODERN_PROTOCOL_VERSIONS:
        return Verbatim(takes_url_errors=revision == _URL_ERRORS), params
    state = params.request_state
    if state is not None and not state.startswith(_HANDED_OVER):
        # Of a call that is parked: it goes on by itself, with what it was begun with.
        return Verbatim(takes_questions=True), params
    answers: JsonObject | None = None
    if params.input_responses is not None:
        answers = {
            key: answer.model_dump(by_alias=True, mode="json", exclude_none=True)
            for key, answer in params.input_responses.items()
        }
    verbatim = Verbatim(
        takes_questions=True,
        input_responses=answers,
        request_state=None if state is None else _unwrap_state(state, whose),
    )
    return verbatim, params.model_copy(update={"request_state": None})


def _wrap_question(question: JsonObject, whose: tuple[str, str]) -> JsonObject:
    """A question whose state names whose it is."""
    wrapped = strip_stamp(question)
    state = wrapped.get("requestState")
    if isinstance(state, str):
        wrapped["requestState"] = _HANDED_OVER + json.dumps([*whose, state])
    return wrapped


def _unwrap_state(wrapped: str, whose: tuple[str, str]) -> str:
    source, name, state = json.loads(wrapped.removeprefix(_HANDED_OVER))
    if (source, name) != whose:
        raise MCPError(
            code=mcp_types.INVALID_PARAMS,
            message="Invalid or expired requestState",
            data={"reason": "invalid_request_state"},
        )
    return str(state)
