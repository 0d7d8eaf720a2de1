"""An ask in the words of MCP, and what a client's answer is worth. Pure.

What a client declared counts only as far as its protocol revision has it.
"""

import secrets
from collections.abc import Mapping
from typing import Any, Final

import mcp_types
from mcp_types.methods import validate_client_result
from pydantic import RootModel, ValidationError

from toolweft.core.client import Ask
from toolweft.core.forms import find_form_faults
from toolweft.core.json import Json, JsonObject

__all__ = ("RawAnswer", "build_request", "find_answer_fault", "usable_capabilities")

# The first revisions that have it; revisions are dates and compare as text.
_ELICITATION_SINCE: Final = "2025-06-18"
_URLS_SINCE: Final = "2025-11-25"
_STATELESS_SINCE: Final = "2026-07-28"

_METHODS: Final = {
    "elicitation": "elicitation/create",
    "approval": "elicitation/create",
    "sampling": "sampling/createMessage",
    "roots": "roots/list",
}


class RawAnswer(RootModel[dict[str, Any]]):
    """An answer as it came."""


def usable_capabilities(
    declared: mcp_types.ClientCapabilities | None, *, revision: str
) -> JsonObject:
    """What a client of a revision can be asked, as ClientCapabilities on the wire."""
    if declared is None:
        return {}
    usable: JsonObject = declared.model_dump(by_alias=True, mode="json", exclude_none=True)
    if revision < _ELICITATION_SINCE:
        usable.pop("elicitation", None)
    if revision < _URLS_SINCE:
        if "elicitation" in usable:
            usable["elicitation"] = {"form": {}}
        if "sampling" in usable:
            usable["sampling"] = {}
    return usable


def build_request(ask: Ask, *, revision: str) -> mcp_types.ServerRequest:
    """The request by which a client of a revision is asked.

    Raises:
        ValueError: the parameters are none of that kind of ask.
    """
    params = dict(ask.params)
    match ask.kind:
        case "roots":
            return mcp_types.ListRootsRequest()
        case "sampling":
            sampling = mcp_types.CreateMessageRequestParams.model_validate(params, by_name=False)
            return mcp_types.CreateMessageRequest(params=sampling)
        case "elicitation" | "approval":
            return mcp_types.ElicitRequest(params=_elicitation(params, revision))


def _elicitation(params: JsonObject, revision: str) -> mcp_types.ElicitRequestParams:
    if params.get("mode") != "url":
        if revision < _URLS_SINCE:
            params.pop("mode", None)
        return mcp_types.ElicitRequestFormParams.model_validate(params, by_name=False)
    if revision >= _STATELESS_SINCE:
        params.pop("elicitationId", None)
    else:
        # Required there, and not every server has one to give.
        params.setdefault("elicitationId", secrets.token_hex(16))
    return mcp_types.ElicitRequestURLParams.model_validate(params, by_name=False)


def find_answer_fault(ask: Ask, answer: Json) -> str:
    """Why an answer is none to this question; "" where it is one."""
    if not isinstance(answer, Mapping):
        return "it is no object"
    try:
        # The latest revision that has these as results of their own.
        validate_client_result(_METHODS[ask.kind], _URLS_SINCE, answer)
    except ValidationError as exc:
        error = exc.errors(include_url=False, include_input=False, include_context=False)[0]
        return f"${''.join(f'.{part}' for part in error['loc'])}: {error['msg']}"
    is_form = ask.kind in {"elicitation", "approval"} and ask.params.get("mode") != "url"
    if is_form and answer.get("action") == "accept":
        schema = ask.params.get("requestedSchema")
        faults = find_form_faults(answer.get("content") or {}, schema or {})
        return "; ".join(faults)
    return ""
