"""Definitions and results as each revision of the protocol has them."""

from dataclasses import replace
from typing import Any

import mcp_types
import pytest
from mcp_types.methods import serialize_server_result
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS
from tests.programs.fakes import make_tool

from toolweft.core.json import encode_canonical
from toolweft.core.snapshot import CatalogTool
from toolweft.core.tools import Hints
from toolweft.gateway.passed import fit_result, pass_tool

NEWEST = "2026-07-28"
OUTPUT = {"type": "object", "properties": {"n": {"type": "integer"}}}
OTHERS = {
    "title": "Search",
    "annotations": {"readOnlyHint": True, "title": "S"},
    "icons": [{"src": "https://docs.example/icon.png"}],
    "_meta": {"vendor/x": {"deep": None}},
    "execution": {"taskSupport": "optional"},
}


def tool_of(other: dict[str, Any] | None = None, **decided: Any) -> CatalogTool:
    tool = make_tool("docs.search", description="Finds pages.", output=OUTPUT, **decided)
    fields = encode_canonical(OTHERS if other is None else other)
    definition = replace(tool.definition, other_fields=fields, hints=Hints(read_only=True))
    return replace(tool, definition=definition)


@pytest.mark.promise("pass-through.definitions")
def test_a_definition_is_what_its_source_sent_but_for_tasks() -> None:
    listed = pass_tool("search", tool_of(), revision=NEWEST, is_mcp=True)

    assert listed == {
        "name": "search",
        "title": "Search",
        "description": "Finds pages.",
        "inputSchema": {"type": "object", "properties": {}, "required": []},
        "outputSchema": OUTPUT,
        "annotations": {"readOnlyHint": True, "title": "S"},
        "icons": [{"src": "https://docs.example/icon.png"}],
        "_meta": {"vendor/x": {"deep": None}},
    }


def test_what_the_user_decided_corrects_what_the_source_claims() -> None:
    listed = pass_tool("s", tool_of(severity="destructive"), revision=NEWEST, is_mcp=True)

    assert listed is not None
    assert listed["annotations"] == {
        "title": "S",
        "readOnlyHint": False,
        "destructiveHint": True,
    }


def test_the_words_of_other_kinds_of_sources_are_not_taken_for_the_protocols() -> None:
    listed = pass_tool("search", tool_of({"title": 5}), revision=NEWEST, is_mcp=False)

    assert listed is not None
    assert not listed.keys() & {"title", "outputSchema"}


@pytest.mark.parametrize("revision", KNOWN_PROTOCOL_VERSIONS)
@pytest.mark.parametrize("bad", [{"icons": 5}, {"title": {}}, {"annotations": "none"}])
def test_a_part_that_the_protocol_does_not_have_costs_that_part(
    revision: str, bad: dict[str, Any]
) -> None:
    listed = pass_tool("search", tool_of(bad), revision=revision, is_mcp=True)

    assert listed is not None
    whole = {"tools": [listed], "resultType": "complete", "ttlMs": 0, "cacheScope": "private"}
    serialize_server_result("tools/list", revision, whole)
    assert listed["outputSchema"] == OUTPUT


RICH = {
    "content": [
        {"type": "text", "text": "a", "_meta": {"k": 1}},
        {"type": "resource_link", "uri": "test://a", "name": "A"},
        {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"},
        {"type": "hologram", "data": 1},
    ],
    "structuredContent": {"nothing": None, "large": 2**60, "float": 1.0},
    "isError": True,
    "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "behind"}, "vendor/y": 2},
}


@pytest.mark.promise("pass-through.results")
def test_a_result_keeps_all_that_its_revision_has() -> None:
    fitted = fit_result(RICH, revision=NEWEST)

    assert fitted["content"][:3] == RICH["content"][:3]
    assert fitted["content"][3] == {"type": "text", "text": '{"type":"hologram","data":1}'}
    assert fitted["structuredContent"] == {"nothing": None, "large": 2**60, "float": 1.0}
    assert fitted["isError"] is True
    assert fitted["_meta"] == {"vendor/y": 2}
    sent = serialize_server_result("tools/call", NEWEST, fitted)
    assert sent["structuredContent"] == {"nothing": None, "large": 2**60, "float": 1.0}
    assert sent["content"][0]["_meta"] == {"k": 1}


@pytest.mark.parametrize(
    ("revision", "kinds"),
    [
        ("2024-11-05", ["text", "text", "text", "text"]),
        ("2025-03-26", ["text", "text", "audio", "text"]),
        ("2025-06-18", ["text", "resource_link", "audio", "text"]),
        ("2025-11-25", ["text", "resource_link", "audio", "text"]),
    ],
)
def test_older_revisions_get_text_in_place_of_what_they_lack(
    revision: str, kinds: list[str]
) -> None:
    fitted = fit_result(RICH, revision=revision)

    assert [block["type"] for block in fitted["content"]] == kinds
    serialize_server_result("tools/call", revision, fitted)


def test_a_list_as_data_goes_to_older_revisions_as_text() -> None:
    fitted = fit_result({"structuredContent": [1, None]}, revision="2025-11-25")

    assert fitted["content"] == [{"type": "text", "text": "[1,null]"}]
    assert "structuredContent" not in fitted
    assert fit_result({"structuredContent": [1]}, revision=NEWEST)["structuredContent"] == [1]


@pytest.mark.parametrize("content", [None, 5, {}, [5], [{"type": "text"}], [{"text": "x"}]])
@pytest.mark.parametrize("revision", KNOWN_PROTOCOL_VERSIONS)
def test_whatever_stands_for_content_can_be_sent(content: Any, revision: str) -> None:
    fitted = fit_result({"content": content}, revision=revision)

    sent = serialize_server_result("tools/call", revision, fitted)
    mcp_types.CallToolResult.model_validate(sent, by_name=False)
