"""Answers as they were sent, for callers that speak MCP themselves. Pure."""

from dataclasses import replace

from mcp.shared.exceptions import MCPError

from toolweft.core.calls import RawResult, Verbatim
from toolweft.core.json import JsonObject
from toolweft.sources.mcp.faults import find_fault_kind

__all__ = ("next_round", "with_error", "with_result")


def next_round(verbatim: Verbatim) -> JsonObject:
    """What a client gives back of a server's questions, as parameters of the request."""
    given: JsonObject = {}
    if verbatim.input_responses is not None:
        given["inputResponses"] = verbatim.input_responses
    if verbatim.request_state is not None:
        given["requestState"] = verbatim.request_state
    return given


def with_result(read: RawResult, raw: JsonObject, verbatim: Verbatim | None) -> RawResult:
    """What was read of a result, with the result itself where the caller wants it."""
    return read if verbatim is None else replace(read, sent={"result": raw})


def with_error(read: RawResult, error: MCPError, verbatim: Verbatim | None) -> RawResult:
    """What was read of a refusal, with the refusal itself where the caller wants it."""
    if verbatim is None or find_fault_kind(error) is not None:
        # Of our own making, or forged.
        return read
    sent: JsonObject = {"code": error.code, "message": error.message}
    if error.data is not None:
        sent["data"] = error.data
    return replace(read, sent={"error": sent})
