"""What nests too deeply to be read costs no more than itself."""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.catalog.cases import DEFAULTS, status
from tests.sources.mcp.test_hiding import Pieces
from tests.sources.mcp.test_http_source import answering, build
from tests.sources.support import WaitingListener, build_stdio

from toolweft.catalog import Catalog
from toolweft.core.ids import SourceName
from toolweft.core.tools import ToolDefinition
from toolweft.sources import RecordedServerOptions, RecordedSource, SourceGroup
from toolweft.sources.mcp.depth import MAX_DEPTH, TooDeepError, find_depth, mend_deep
from toolweft.sources.mcp.mending import MendingStream

MANY = (201, 450, 5_000)


def nested(levels: int) -> str:
    return '{"a":' * levels + "1" + "}" * levels


def deep_list(levels: int, *, key: str = "tools") -> str:
    """A list of three, the second with a part that many levels deep in the whole message."""
    schema = nested(levels - 4)
    entries = (
        '{"name":"first","inputSchema":{"type":"object"}}',
        f'{{"title":"name","inputSchema":{schema},"name":"deep \\"}}]","_meta":{{"name":"x"}}}}',
        '{"name":"last","inputSchema":{"type":"object"},"description":"[[{{"}',
    )
    return f'{{"{key}":[{",".join(entries)}]}}'


def message(result: str) -> bytes:
    return f'{{"jsonrpc":"2.0","id":1,"result":{result}}}'.encode()


@pytest.mark.parametrize("levels", [*MANY, 100_000])
def test_an_entry_that_nests_too_deeply_gives_way_to_its_name(levels: int) -> None:
    mended = json.loads(mend_deep(message(deep_list(levels))))["result"]["tools"]
    assert [entry["name"] for entry in mended] == ["first", 'deep "}]', "last"]
    assert [find_depth(entry) for entry in mended] == [None, levels, None]
    assert mended[2]["description"] == "[[{{"


@pytest.mark.parametrize("levels", [1, 50, MAX_DEPTH])
def test_what_can_be_read_stays_as_it_is(levels: int) -> None:
    text = message(nested(levels - 1))
    assert mend_deep(text) is text


@pytest.mark.parametrize(
    "result",
    [
        nested(400),
        f'{{"content":[{nested(400)}]}}',
        f'{{"tools":{nested(400)}}}',
        f'{{"tools":[[{nested(1)}]],"_meta":{nested(400)}}}',
        f'{{"other":{{"tools":[{nested(400)}]}}}}',
    ],
)
def test_what_is_no_entry_of_a_list_is_refused_with_its_depth(result: str) -> None:
    with pytest.raises(
        TooDeepError, match=r"nested 4\d\d levels deep, and at most 200 can be read"
    ):
        mend_deep(message(result))


@pytest.mark.parametrize(
    "text",
    [b"[" * 5_000_000, b"[" * 300 + b'"' + b'\\"' * 2_000_000, b'{"' * 1_000_000],
    ids=["brackets", "escapes", "texts"],
)
@pytest.mark.timeout(60)
def test_whatever_a_server_sends_is_looked_through_in_linear_time(text: bytes) -> None:
    with pytest.raises(TooDeepError):
        mend_deep(text)


@given(st.binary(max_size=200), st.lists(st.sampled_from([b"[", b"]", b"{", b'"', b"\\"])))
def test_no_bytes_break_it(data: bytes, more: list[bytes]) -> None:
    with suppress(TooDeepError):
        mend_deep(data + b"".join(more) + b"[" * MAX_DEPTH)


# ------------------------------------------------------------------------------------ at a server


def statuses(definitions: list[ToolDefinition], source: str) -> dict[str, tuple[str, str]]:
    """How the catalog takes them."""
    catalog = Catalog(DEFAULTS)
    catalog.source_changed(status(source), definitions)
    return {t.definition.name: (t.status, t.status_reason) for t in catalog.snapshot.tools.values()}


def check_tools(listener: WaitingListener, source: str, levels: int) -> None:
    found = statuses(listener.tools(source), source)
    assert found["first"] == found["last"] == ("available", "")
    (refused,) = (said for name, said in found.items() if name not in {"first", "last"})
    assert refused == (
        "disabled",
        f"its definition is nested {levels:,} levels deep, and at most 200 can be read",
    )


@pytest.mark.promise("sources.deep")
@pytest.mark.process
@pytest.mark.parametrize("levels", MANY)
async def test_a_tool_that_nests_too_deeply_costs_a_server_no_other(
    listener: WaitingListener, tmp_path: Path, levels: int
) -> None:
    answers = tmp_path / "answers"
    answers.write_text(deep_list(levels), encoding="utf-8")
    source = build_stdio(listener, "plain.py", "raw-list", str(answers))
    async with SourceGroup([source], listener=listener):
        await listener.wait_for("plain", "ready")
        check_tools(listener, "plain", levels)


@pytest.mark.promise("sources.deep")
@pytest.mark.process
async def test_a_list_that_cannot_be_read_at_all_fails_with_its_depth(
    listener: WaitingListener, tmp_path: Path
) -> None:
    answers = tmp_path / "answers"
    answers.write_text(f'{{"tools":[],"_meta":{nested(600)}}}', encoding="utf-8")
    source = build_stdio(listener, "plain.py", "raw-list", str(answers))
    async with SourceGroup([source], listener=listener):
        failed = await listener.wait_for("plain", "failed")
    assert failed.reason.startswith(
        "its tools/list failed: the answer is nested 602 levels deep, and at most 200 can be read"
    )


HANDSHAKE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "deep", "version": "1"},
}


def listing(result: str, *, is_stream: bool) -> Callable[[dict[str, Any]], tuple[str, str, bytes]]:
    """A server over HTTP that lists this, at once or as an event."""

    def respond(asked: dict[str, Any]) -> tuple[str, str, bytes]:
        if "id" not in asked:
            return "202 Accepted", "text/plain", b""
        given = json.dumps(HANDSHAKE) if asked["method"] == "initialize" else result
        if asked["method"] not in {"initialize", "tools/list"}:
            return "400 Bad Request", "text/plain", b""
        text = f'{{"jsonrpc":"2.0","id":{json.dumps(asked["id"])},"result":{given}}}'
        if is_stream and asked["method"] == "tools/list":
            return "200 OK", "text/event-stream", f"event: message\r\ndata: {text}\r\n\r\n".encode()
        return "200 OK", "application/json", text.encode()

    return respond


@pytest.mark.promise("sources.deep")
@pytest.mark.network
@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("levels", MANY)
async def test_a_tool_that_nests_too_deeply_costs_a_distant_server_no_other(
    listener: WaitingListener, levels: int, *, is_stream: bool
) -> None:
    async with answering(listing(deep_list(levels), is_stream=is_stream)) as url:
        source = build(listener, url)
        async with SourceGroup([source], listener=listener):
            await listener.wait_for("web", "ready")
            check_tools(listener, "web", levels)


@pytest.mark.parametrize("levels", MANY)
async def test_a_recording_of_such_a_tool_has_the_others(
    listener: WaitingListener, tmp_path: Path, levels: int
) -> None:
    path = tmp_path / "deep.json"
    path.write_text(deep_list(levels), encoding="utf-8")
    options = RecordedServerOptions(name=SourceName("deep"), path=path)
    async with SourceGroup([RecordedSource(options, listener=listener)], listener=listener):
        await listener.wait_for("deep", "ready")
        check_tools(listener, "deep", levels)


# ---------------------------------------------------------------------------------------- streams


@given(st.lists(st.integers(1, 60), max_size=12))
def test_a_stream_is_mended_however_it_is_cut(sizes: list[int]) -> None:
    deep = message(deep_list(300))
    whole = b"id: 1\r\ndata: " + deep + b"\r\n\r\n: ping\ndata: {}"
    pieces, left = [], whole
    for size in sizes:
        pieces, left = [*pieces, left[:size]], left[size:]

    async def read() -> bytes:
        stream = MendingStream(Pieces([*pieces, left]), max_line_bytes=1_000_000)
        return b"".join([piece async for piece in stream])

    expected = b"id: 1\r\ndata: " + mend_deep(deep) + b"\r\n\r\n: ping\ndata: {}"
    assert anyio.run(read) == expected


def test_a_line_above_the_cap_goes_on_as_it_is() -> None:
    line = b"data: " + message(deep_list(300)) + b"\n"

    async def read() -> bytes:
        stream = MendingStream(Pieces([line[:700], line[700:]]), max_line_bytes=600)
        return b"".join([piece async for piece in stream])

    assert anyio.run(read) == line
