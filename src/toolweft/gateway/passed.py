"""Tools and answers as their sources sent them, as far as a client's revision has them. Pure.

The SDK drops what a revision does not know and refuses a whole answer for one bad part of it; so
parts are looked at one by one, and what would be refused becomes text or is left out.
"""

import json
from typing import Final

from mcp.shared.exceptions import MCPError
from mcp_types.methods import serialize_server_result
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from toolweft.core.json import Json, JsonObject
from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import Hints, Severity
from toolweft.gateway.wire import fit_block, text_block

__all__ = ("fit_result", "pass_tool", "read_sent", "strip_stamp")

# Which server answered is stamped by the SDK; a stamp of the one behind would stay.
_STAMP: Final = "io.modelcontextprotocol/serverInfo"
# Of a definition: what only tasks need, which are not passed through.
_LEFT_OUT = frozenset({"execution"})
# What the newest revision wants of a list beside its entries.
_LIST_FIELDS: Final = {"resultType": "complete", "ttlMs": 0, "cacheScope": "private"}


def pass_tool(name: str, tool: CatalogTool, *, revision: str, is_mcp: bool) -> JsonObject | None:
    """A tool as its source defined it, but for its name and what the user decided.

    Args:
        name: as clients see it.
        tool: not withheld.
        revision: of the client.
        is_mcp: whether its source speaks MCP, so that all else it says is of use; answers of
            others are text, so nothing is promised of them.

    Returns:
        An entry of `tools/list`; None where even its bare definition does not fit the revision.
    """
    definition = tool.definition
    bare: JsonObject = {"name": name, "inputSchema": definition.input_schema}
    if not _fits(bare, revision):
        return None
    others: JsonObject = {}
    if is_mcp and definition.other_fields:
        others = json.loads(definition.other_fields)
    others = {key: value for key, value in others.items() if key not in _LEFT_OUT}
    annotations = _annotations(others.get("annotations"), tool)
    if annotations:
        others["annotations"] = annotations
    if definition.description:
        others["description"] = definition.description
    if is_mcp and definition.output_schema is not None:
        others["outputSchema"] = definition.output_schema
    whole = {**bare, **others}
    if _fits(whole, revision):
        return whole
    kept = {key: value for key, value in others.items() if _fits({**bare, key: value}, revision)}
    return {**bare, **kept}


def fit_result(raw: JsonObject, *, revision: str) -> JsonObject:
    """A result of `tools/call` for a client of a revision."""
    result = strip_stamp(raw)
    result.setdefault("resultType", "complete")
    content = result.get("content")
    blocks = content if isinstance(content, list) else []
    result["content"] = [fit_block(block, revision=revision) for block in blocks]
    if revision not in MODERN_PROTOCOL_VERSIONS and "structuredContent" in result:
        structured = result["structuredContent"]
        if not isinstance(structured, dict):
            # Older revisions have objects only.
            del result["structuredContent"]
            if not blocks and structured is not None:
                result["content"] = [text_block(structured)]
    return result


def read_sent(sent: JsonObject) -> JsonObject:
    """The result that a source sent.

    Raises:
        MCPError: it sent a refusal.
    """
    error = sent.get("error")
    if error is not None:
        raise MCPError(code=error["code"], message=error["message"], data=error.get("data"))
    result: JsonObject = sent["result"]
    return result


def strip_stamp(raw: JsonObject) -> JsonObject:
    """A result without the stamp of the server that gave it; the rest of `_meta` stays."""
    result = dict(raw)
    meta = result.pop("_meta", None)
    if isinstance(meta, dict):
        kept = {key: value for key, value in meta.items() if key != _STAMP}
        if kept:
            result["_meta"] = kept
    return result


def _fits(entry: JsonObject, revision: str) -> bool:
    try:
        serialize_server_result("tools/list", revision, {**_LIST_FIELDS, "tools": [entry]})
    except ValidationError:
        return False
    return True


def _annotations(claimed: Json, tool: CatalogTool) -> JsonObject:
    """What the source claims, corrected where the user decided otherwise."""
    claims: JsonObject = dict(claimed) if isinstance(claimed, dict) else {}
    if _severity_of(tool.definition.hints) != tool.severity:
        claims["readOnlyHint"] = tool.severity == "read_only"
        claims["destructiveHint"] = tool.severity == "destructive"
    return claims


def _severity_of(hints: Hints) -> Severity:
    if hints.read_only is True:
        return "read_only"
    if hints.read_only is False and hints.destructive is False:
        return "write"
    return "destructive"
